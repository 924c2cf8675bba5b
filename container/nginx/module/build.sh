#!/usr/bin/env bash
# Build the RTMP module with our patches for the nginx that Debian has: container/nginx/module/build.sh TARGET.so
set -euo pipefail

target=$(realpath -m "$1")
here=$(cd "$(dirname "$0")" && pwd)
# No dot in its name: nginx's auto/make takes ".S" anywhere in a path for assembler, and mktemp's own names are tmp.S…
# once in 62 times.
work=$(mktemp -d "${TMPDIR:-/tmp}/rtmp-module-XXXXXXXXXX")
trap 'rm -rf "$work"' EXIT

"$here/source.sh" "$work"
cd "$work"

# nginx's own headers and configure flags, as Debian's module packages are built with. Only unpacked: what it depends
# on is for all modules of Debian.
APT_CONFIG=$work/apt.conf apt-get download -qq nginx-dev
dpkg-deb --extract nginx-dev_*.deb .
cd usr/share/nginx/src
# shellcheck disable=SC1091 # comes with the package
. ./conf_flags
./configure "${NGX_CONF_FLAGS[@]}" \
  --with-cc-opt="$(DEB_BUILD_MAINT_OPTIONS=hardening=+all dpkg-buildflags --get CFLAGS) -fPIC -D_FORTIFY_SOURCE=2" \
  --with-ld-opt="$(DEB_BUILD_MAINT_OPTIONS=hardening=+all dpkg-buildflags --get LDFLAGS) -fPIC" \
  --add-dynamic-module="$work/rtmp" --builddir="$work/out" >"$work/log" || {
  tail -n 20 "$work/log" >&2
  exit 1
}
make -s -f "$work/out/Makefile" -j"$(nproc)" modules >"$work/log" 2>&1 || {
  tail -n 40 "$work/log" >&2
  exit 1
}
strip --strip-unneeded "$work/out/ngx_rtmp_module.so"
install -D -m 644 "$work/out/ngx_rtmp_module.so" "$target"

# Of which release it is, and what is ours: in Debian's own terms, so that a fix that Debian makes is seen to be missing.
cat >"${target%.so}.dpkg" <<END
Package: libnginx-mod-rtmp
Status: install ok installed
Architecture: $(dpkg --print-architecture)
Source: libnginx-mod-rtmp
Version: $(cat "$work/version")
Maintainer: live-commerce
Description: $(basename "$target"), built from Debian's source with patches of our own
$(cd "$here/patches" && printf ' %s\n' *.patch)
END
