#!/usr/bin/env bash
# The RTMP module's source as Debian has it, with our patches: container/nginx/module/source.sh FOLDER
#
# Reads package lists of its own, so that this machine's set-up stays as it is and no root is needed.
set -euo pipefail

PACKAGE=libnginx-mod-rtmp
KNOWN=1:1.2.2+dfsg-3 # in this revision Debian changed no code: upstream's archive is all of it

here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
cd "$1"

mkdir -p apt/lists/partial apt/cache/archives/partial apt/sources
for list in /etc/apt/sources.list.d/*.sources; do
  if grep -qsE '^URIs:.*/debian/?$' "$list" && grep -qs '^Components:.*main' "$list"; then
    sed 's/^Types:.*/Types: deb deb-src/' "$list" >apt/sources/"$(basename "$list")"
  fi
done
if [[ -s /etc/apt/sources.list ]]; then
  sed -nE 's/^deb( .*\/debian(-security)?\/? .*main.*)/deb\1\ndeb-src\1/p' /etc/apt/sources.list >apt/sources/debian.list
fi
cat >apt.conf <<END
Dir::Etc::SourceList "/dev/null";
Dir::Etc::SourceParts "$PWD/apt/sources";
Dir::State::Lists "$PWD/apt/lists";
Dir::Cache "$PWD/apt/cache";
APT::Sandbox::User "";
END
export APT_CONFIG=$PWD/apt.conf
apt-get update -qq

version=$(apt-cache showsrc "$PACKAGE" | sed -n 's/^Version: //p' | sort -V | tail -n 1)
if [[ $version == "$KNOWN" ]]; then
  apt-get source -qq --tar-only "$PACKAGE=$version"
  tar -xf "$PACKAGE"_*.orig.tar.*
  mv nginx-rtmp-module-*/ rtmp
else
  apt-get source -qq "$PACKAGE=$version" >/dev/null
  mv "$PACKAGE"-*/ rtmp
fi

for patch in "$here"/patches/*.patch; do
  patch --quiet --directory=rtmp --strip=1 --fuzz=0 --no-backup-if-mismatch <"$patch" || {
    echo "build: $(basename "$patch") does not apply to $PACKAGE $version; see docs/adr/0013-a-patched-rtmp-module.md" >&2
    exit 1
  }
done
echo "$version" >version
