"""Enhanced RTMP: media whose codec has four letters, and several tracks in one stream, of which the first one counts.

OBS sends so: HEVC and AV1, and beside the ordinary AAC a second track for recordings ("VOD track"). Source: Veovera,
Enhanced RTMP v2, "Enhanced Video" and "Enhanced Audio".
"""

from typing import NamedTuple

from origin.media.packets import AudioConfig, AudioPacket, Media, Unsupported, VideoConfig, VideoPacket

_START, _CODED, _CODED_WITHOUT_OFFSET, _VIDEO_TRACKS, _AUDIO_TRACKS, _MODIFIED = 0, 1, 3, 6, 5, 7
_ONE_TRACK, _MANY_CODECS = 0, 2  # how tracks are put together; 1 is many tracks of one codec
_KEY_FRAME = 1
_VIDEO = {b"hvc1": "HEVC (H.265)", b"vvc1": "VVC (H.266)", b"av01": "AV1", b"vp09": "VP9", b"vp08": "VP8"}
_AUDIO = {b"Opus": "Opus", b"fLaC": "FLAC", b"ac-3": "AC-3", b"ec-3": "E-AC-3", b".mp3": "MP3"}


class _Packet(NamedTuple):
    kind: int
    codec: bytes
    data: bytes


def parse_video(body: bytes, dts: int) -> Media | None:
    """The media of a video message with an extended header; None for what carries none, or not for the first track."""
    packet = _first_track(body, _VIDEO_TRACKS)
    if packet is None or packet.kind not in {_START, _CODED, _CODED_WITHOUT_OFFSET}:
        return None
    if packet.codec != b"avc1":
        return Unsupported(f"video codec {_name(packet.codec, _VIDEO)}; send H.264")
    if packet.kind == _START:
        return VideoConfig(packet.data)
    head = 3 if packet.kind == _CODED else 0
    cts = int.from_bytes(packet.data[:head], "big", signed=True)
    data = packet.data[head:]
    return VideoPacket(dts=dts, cts=cts, key=body[0] >> 4 & 7 == _KEY_FRAME, data=data) if data else None


def parse_audio(body: bytes, dts: int) -> Media | None:
    """The same for sound."""
    packet = _first_track(body, _AUDIO_TRACKS)
    if packet is None or packet.kind not in {_START, _CODED} or not packet.data:
        return None
    if packet.codec != b"mp4a":
        return Unsupported(f"audio codec {_name(packet.codec, _AUDIO)}; send AAC")
    return AudioConfig(packet.data) if packet.kind == _START else AudioPacket(dts=dts, data=packet.data)


def _name(codec: bytes, known: dict[bytes, str]) -> str:
    letters = "".join(chr(byte) if chr(byte).isascii() and chr(byte).isalnum() else "?" for byte in codec)
    return known.get(codec, letters)


def _first_track(body: bytes, tracks: int) -> _Packet | None:
    """The packet of track 0, or of the only one; None if it is cut off, or of other tracks only."""
    reader = _Reader(body)
    kind = reader.byte() & 0x0F
    while kind == _MODIFIED:
        size = reader.byte() + 1
        reader.take(size if size < 256 else reader.number(2) + 1)
        kind = reader.byte() & 0x0F
    if kind != tracks:
        return _whole(reader, kind, reader.take(4))
    together = reader.byte()
    how, kind = together >> 4, together & 0x0F
    codec = b"" if how == _MANY_CODECS else reader.take(4)
    while not reader.failed and reader.left:
        if how == _MANY_CODECS:
            codec = reader.take(4)
        track = reader.byte()
        data = reader.take(reader.left if how == _ONE_TRACK else reader.number(3))
        if track == 0:
            return None if reader.failed else _Packet(kind, codec, data)
    return None


def _whole(reader: "_Reader", kind: int, codec: bytes) -> _Packet | None:
    return None if reader.failed else _Packet(kind, codec, reader.take(reader.left))


class _Reader:
    """Reads from the front; what is cut off reads as nothing, and is remembered as failed."""

    def __init__(self, data: bytes) -> None:
        self.failed = False
        self._data = data
        self._position = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._position

    def take(self, count: int) -> bytes:
        if count > self.left:
            self.failed = True
            self._position = len(self._data)
            return b""
        self._position += count
        return bytes(self._data[self._position - count : self._position])

    def number(self, count: int) -> int:
        return int.from_bytes(self.take(count), "big")

    def byte(self) -> int:
        return self.number(1)
