#!/usr/bin/env bash
# Build nginx with the RTMP module in it, with AddressSanitizer and UBSan, and the libFuzzer targets beside it:
# tests/fuzz/rtmp_module/build.sh FOLDER
#
# nginx's pools give every allocation to malloc here (NGX_DEBUG_PALLOC), so that the sanitizers see each one's ends.
# Its HTTP side, loopback only in the image, is left out: it is most of nginx.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
target=$(realpath -m "$1")
work=$(mktemp -d "${TMPDIR:-/tmp}/rtmp-module-XXXXXXXXXX")  # no dot: container/nginx/module/build.sh says why
trap 'rm -rf "$work"' EXIT

"$here/../../../container/nginx/module/source.sh" "$work"
cd "$work"
APT_CONFIG=$work/apt.conf apt-get source -qq --tar-only nginx
tar -xf nginx_*.orig.tar.*
# shellcheck disable=SC2016 # the dollar is that of the file
sed -i -E 's/ngx_rtmp_(stat|control)_module(\.c)? +\\$/\\/; s/\$ngx_addon_dir\/\\$/\\/' rtmp/config
cd nginx-1.*/

# alignment: the module reads numbers where they stand, which x86-64 and ARM64 do as well.
# fuzzer-no-link: libFuzzer's counters, which do nothing in nginx itself.
sanitize=(
  "-fsanitize=address,undefined,fuzzer-no-link" -fno-sanitize=alignment -fno-sanitize-recover=undefined
  "-fsanitize-ignorelist=$here/ubsan-ignore.txt" -fno-omit-frame-pointer
)
quietly() { "$@" >"$work/log" 2>&1 || { tail -n 40 "$work/log" >&2; exit 1; }; }

# Configured without all that, since the hundred little programs that configure tries take long with it.
quietly ./configure --with-cc=clang --builddir=out --add-module="$work/rtmp" --with-debug --without-http --without-pcre
flags=(-O1 -g -DNGX_DEBUG_PALLOC=1 "${sanitize[@]}")
quietly make -s -j"$(nproc)" -f out/Makefile out/nginx "CFLAGS=${flags[*]}" "LINK=clang ${flags[*]}"
install -D -t "$target" out/nginx

mapfile -t objects < <(find out -name '*.o' ! -path out/src/core/nginx.o)
includes=()
for folder in src/core src/event src/event/modules src/os/unix out "$work/rtmp"; do includes+=("-I$folder"); done
for source in "$here"/*_fuzzer.c; do
  quietly clang "${flags[@]}" -fsanitize=fuzzer "${includes[@]}" "$source" "${objects[@]}" \
    -o "$target/$(basename "$source" .c)" -lcrypt -lssl -lcrypto -ldl -lpthread
done
