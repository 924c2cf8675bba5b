#!/usr/bin/env bash
# Build ffmpeg and ffprobe from Debian's own source package into /usr/local/bin: only what the origin uses.
#
# Debian's binary package brings LLVM, Mesa, ICU and some hundred codecs (450 MB and their security updates); its
# source package is the same release with Debian's security patches, so a rebuild follows Debian.
set -euo pipefail

RELEASE=5.1 # timestamps of copied and encoded renditions agree to the tick; tested with this release only

cd "$(mktemp -d)"
apt-get source -qq ffmpeg
cd ffmpeg-*/
[[ $(cat VERSION 2>/dev/null || cat RELEASE) == "$RELEASE"* ]] || {
  echo "build: FFmpeg $RELEASE is expected, Debian has $(cat RELEASE)" >&2
  exit 1
}

security=$(dpkg-parsechangelog --show-field Version)
list() { local IFS=,; echo "$*"; }

protocols=(file pipe tcp rtmp)
demuxers=(flv mov)
decoders=(h264 aac) # aac decodes HE-AAC (SBR and PS) too
parsers=(h264 aac)
encoders=(libx264 aac wrapped_avframe pcm_s16le) # the last two are what -f null takes, to try a decode by hand
muxers=(mp4 mov flv null)
bsfs=(aac_adtstoasc extract_extradata h264_mp4toannexb h264_metadata dump_extra null setts)
filters=(
  buffer buffersink abuffer abuffersink null anull copy
  split asplit scale bwdif fps format aformat aresample
  setpts asetpts setsar setdar trim atrim pad crop transpose hflip vflip volume apad
)
sources=(testsrc2 sine anullsrc color) # anullsrc: silence for a source without sound; the rest: a trial on the spot

./configure \
  --prefix=/usr/local --extra-version="debian-${security##*-}" \
  --disable-everything --disable-autodetect --disable-doc --disable-debug --disable-ffplay \
  --enable-gpl --enable-libx264 --enable-pthreads \
  --enable-protocol="$(list "${protocols[@]}")" \
  --enable-demuxer="$(list "${demuxers[@]}")" \
  --enable-decoder="$(list "${decoders[@]}" wrapped_avframe rawvideo pcm_s16le)" \
  --enable-parser="$(list "${parsers[@]}")" \
  --enable-encoder="$(list "${encoders[@]}")" \
  --enable-muxer="$(list "${muxers[@]}")" \
  --enable-bsf="$(list "${bsfs[@]}")" \
  --enable-filter="$(list "${filters[@]}" "${sources[@]}")" \
  --enable-indev=lavfi ||
  { tail -n 40 ffbuild/config.log >&2; exit 1; }
make -s -j"$(nproc)" ffmpeg ffprobe
install -s -t /usr/local/bin ffmpeg ffprobe

# Of which release it is: in Debian's own terms, so that a fix that Debian makes is seen to be missing here.
cat >/usr/local/share/ffmpeg.dpkg <<END
Package: ffmpeg
Status: install ok installed
Architecture: $(dpkg --print-architecture)
Source: ffmpeg
Version: $security
Maintainer: live-commerce
Description: ffmpeg and ffprobe in /usr/local/bin, built from Debian's source
 Configured with --disable-everything and what container/ffmpeg/build.sh lists; no patches but Debian's.
END
