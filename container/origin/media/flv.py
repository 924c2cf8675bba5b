"""FLV tags, which are also the media messages of RTMP: from a publisher, to FFmpeg, and back from FFmpeg.

Source: Adobe Flash Video File Format Specification 10.1, annex E; for what Enhanced RTMP adds, `enhanced`.
"""

import struct
from collections.abc import Iterator

from origin.media import enhanced
from origin.media.packets import AudioConfig, AudioPacket, Media, Unsupported, VideoConfig, VideoPacket

AUDIO, VIDEO, DATA = 8, 9, 18
AVC, AAC = 7, 10
_EXTENDED = 9  # in place of a sound format
_MAX_TAG_BYTES = 4 << 20
HEADER_VIDEO_ONLY = b"FLV\x01\x01\x00\x00\x00\x09\x00\x00\x00\x00"

_VIDEO_CODECS = {2: "Sorenson H.263", 3: "Screen video", 4: "VP6", 5: "VP6 with alpha", 6: "Screen video 2"}
_AUDIO_CODECS = {0: "PCM", 1: "ADPCM", 2: "MP3", 3: "PCM", 4: "Nellymoser", 5: "Nellymoser", 6: "Nellymoser"} | {
    7: "G.711 A-law",
    8: "G.711 mu-law",
    11: "Speex",
    14: "MP3",
}


def parse_video(body: bytes, dts: int) -> Media | None:
    """The media of a video tag's body; None for what carries none (empty messages, end of sequence)."""
    if len(body) < 5:
        return None
    if body[0] & 0x80:
        return enhanced.parse_video(body, dts)
    codec = body[0] & 0x0F
    if codec != AVC:
        return Unsupported(f"video codec {_VIDEO_CODECS.get(codec, f'number {codec}')}; send H.264")
    if body[1] == 0:
        return VideoConfig(bytes(body[5:]))
    if body[1] != 1 or len(body) == 5:
        return None
    cts = int.from_bytes(body[2:5], "big")
    cts -= (cts & 0x800000) << 1
    return VideoPacket(dts=dts, cts=cts, key=body[0] >> 4 == 1, data=bytes(body[5:]))


def parse_audio(body: bytes, dts: int) -> Media | None:
    """The media of an audio tag's body; None for an empty one."""
    if len(body) < 2:
        return None
    codec = body[0] >> 4
    if codec == _EXTENDED:
        return enhanced.parse_audio(body, dts)
    if codec != AAC:
        return Unsupported(f"audio codec {_AUDIO_CODECS.get(codec, f'number {codec}')}; send AAC")
    if body[1] == 0:
        return AudioConfig(bytes(body[2:]))
    return AudioPacket(dts=dts, data=bytes(body[2:])) if len(body) > 2 else None


def video_config_tag(config: VideoConfig) -> bytes:
    """A tag with the decoder configuration; FFmpeg needs it first."""
    return _tag(VIDEO, 0, b"\x17\x00\x00\x00\x00" + config.avcc)


def video_tag(packet: VideoPacket) -> bytes:
    """A tag with one picture."""
    head = b"\x17\x01" if packet.key else b"\x27\x01"
    return _tag(VIDEO, packet.dts, head + (packet.cts & 0xFFFFFF).to_bytes(3, "big") + packet.data)


def _tag(kind: int, dts: int, body: bytes) -> bytes:
    head = struct.pack(
        ">B3s3sB3x", kind, len(body).to_bytes(3, "big"), (dts & 0xFFFFFF).to_bytes(3, "big"), dts >> 24 & 0xFF
    )
    return head + body + struct.pack(">I", len(head) + len(body))


class BrokenFlvError(ValueError):
    """What comes is no FLV of a size that anyone here makes."""


class Reader:
    """Takes an FLV byte stream in any pieces and gives its media; BrokenFlvError."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._skip = 13  # the file header and the first, empty back pointer

    def feed(self, data: bytes) -> Iterator[Media]:
        """The media completed by these bytes."""
        self._buffer += data
        position = self._skip
        while len(self._buffer) - position >= 15:
            size = int.from_bytes(self._buffer[position + 1 : position + 4], "big")
            if size > _MAX_TAG_BYTES:
                raise BrokenFlvError(f"a tag of {size} bytes; at most {_MAX_TAG_BYTES} are taken")
            if len(self._buffer) - position < size + 15:
                break
            dts = int.from_bytes(self._buffer[position + 4 : position + 7], "big") | self._buffer[position + 7] << 24
            body = bytes(self._buffer[position + 11 : position + 11 + size])
            if self._buffer[position] == VIDEO and (media := parse_video(body, dts)):
                yield media
            position += size + 15
        if len(self._buffer) >= position:
            del self._buffer[:position]
            self._skip = 0
