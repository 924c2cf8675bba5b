"""Writing fragmented MP4 (CMAF): initialisation sections and fragments with one video and one audio track.

Boxes as in ISO 14496-12; `avc1` and `avcC` in 14496-15, `mp4a` and `esds` in 14496-14. No edit lists: tfdt carries the
times as they are.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from origin.media.codecs import Picture, Sound
from origin.media.packets import AudioConfig, VideoConfig

VIDEO_TIMESCALE = 90_000
TICKS_PER_MS = VIDEO_TIMESCALE // 1000
VIDEO_TRACK, AUDIO_TRACK = 1, 2

_SYNC_SAMPLE, _OTHER_SAMPLE = 0x0200_0000, 0x0101_0000
_IDENTITY = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x4000_0000)
_NO_TABLES = b"".join(
    struct.pack(">I4s", 8 + 4 + size, name) + bytes(4 + size)
    for name, size in ((b"stts", 4), (b"stsc", 4), (b"stsz", 8), (b"stco", 4))
)


@dataclass(frozen=True, slots=True)
class Sample:
    """One coded picture or AAC frame with its times in ticks of its track."""

    dts: int
    duration: int
    data: bytes
    cts: int = 0
    key: bool = True


def box(name: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I4s", len(body) + 8, name) + body


def _full_box(name: bytes, version: int, flags: int, *content: bytes) -> bytes:
    return box(name, struct.pack(">I", version << 24 | flags), *content)


def init_section(video: VideoConfig, picture: Picture, audio: AudioConfig, sound: Sound) -> bytes:
    """What an EXT-X-MAP points to."""
    tracks = (
        _track(VIDEO_TRACK, VIDEO_TIMESCALE, picture, _avc1(video, picture)),
        _track(AUDIO_TRACK, sound.core_sample_rate, None, _mp4a(audio, sound)),
    )
    extends = (_trex(VIDEO_TRACK), _trex(AUDIO_TRACK))
    header = _full_box(
        b"mvhd", 0, 0, struct.pack(">4I", 0, 0, 1000, 0), struct.pack(">IH10x", 0x10000, 0x100), _IDENTITY, bytes(24),
        struct.pack(">I", len(tracks) + 1),
    )  # fmt: skip
    return box(b"ftyp", b"iso6\0\0\0\0iso6cmfcmp41") + box(b"moov", header, *tracks, box(b"mvex", *extends))


def _trex(track: int) -> bytes:
    return _full_box(b"trex", 0, 0, struct.pack(">5I", track, 1, 0, 0, 0))


def _track(track: int, timescale: int, picture: Picture | None, entry: bytes) -> bytes:
    volume = 0 if picture else 0x100
    width, height = picture.shown if picture else (0, 0)
    header = _full_box(
        b"tkhd",
        0,
        3,
        struct.pack(">5I8xhhH2x", 0, 0, track, 0, 0, 0, 0, volume),
        _IDENTITY,
        struct.pack(">II", width << 16, height << 16),
    )
    handler = (b"vide", b"VideoHandler\0") if picture else (b"soun", b"SoundHandler\0")
    media_header = _full_box(b"vmhd", 0, 1, bytes(8)) if picture else _full_box(b"smhd", 0, 0, bytes(4))
    data_reference = box(b"dinf", _full_box(b"dref", 0, 0, struct.pack(">I", 1), _full_box(b"url ", 0, 1)))
    table = box(b"stbl", _full_box(b"stsd", 0, 0, struct.pack(">I", 1), entry), _NO_TABLES)
    media = box(
        b"mdia",
        _full_box(b"mdhd", 0, 0, struct.pack(">4IHH", 0, 0, timescale, 0, 0x55C4, 0)),  # language "und"
        _full_box(b"hdlr", 0, 0, bytes(4), handler[0], bytes(12), handler[1]),
        box(b"minf", media_header, data_reference, table),
    )
    return box(b"trak", header, media)


def _avc1(video: VideoConfig, picture: Picture) -> bytes:
    return box(
        b"avc1",
        struct.pack(">6xH16x", 1),
        struct.pack(">HHIIIH", picture.width, picture.height, 0x48_0000, 0x48_0000, 0, 1),
        bytes(32),
        struct.pack(">Hh", 24, -1),
        box(b"avcC", video.avcc),
        box(b"pasp", struct.pack(">II", *picture.aspect_ratio)),  # ISO 14496-12 §12.1.4
    )


def _mp4a(audio: AudioConfig, sound: Sound) -> bytes:
    specific = _descriptor(5, audio.asc)
    decoder = _descriptor(4, bytes([0x40, 0x15]) + bytes(11) + specific)
    elementary = _descriptor(3, struct.pack(">HB", AUDIO_TRACK, 0) + decoder + _descriptor(6, b"\x02"))
    return box(
        b"mp4a",
        struct.pack(">6xH8xHH4xHxx", 1, sound.channels, 16, sound.core_sample_rate & 0xFFFF),
        _full_box(b"esds", 0, 0, elementary),
    )


def _descriptor(tag: int, content: bytes) -> bytes:
    return bytes([tag, len(content)]) + content


def fragment(sequence: int, start: int, video: Sequence[Sample], audio: Sequence[Sample]) -> bytes:
    """One moof and mdat with these samples, of a part that starts at this video tick; both lists may be empty."""
    video_size = sum(len(sample.data) for sample in video)

    def moof(offset: int) -> bytes:
        tracks = [_video_run(video, offset)] if video else []
        if audio:
            tracks.append(_audio_run(audio, offset + video_size))
        # ISO BMFF byte stream format of Media Source Extensions §4: no moof without a traf, no traf without a tfdt.
        tracks = tracks or [_track_fragment(VIDEO_TRACK, start, b"")]
        return box(b"moof", _full_box(b"mfhd", 0, 0, struct.pack(">I", sequence & 0xFFFF_FFFF)), *tracks)

    size = len(moof(0))
    return moof(size + 8) + box(b"mdat", *(sample.data for sample in video), *(sample.data for sample in audio))


def _video_run(samples: Sequence[Sample], offset: int) -> bytes:
    # trun version 1: composition offsets are signed; flags: offset, duration, size, flags, composition offset.
    rows = b"".join(
        struct.pack(
            ">IIIi",
            sample.duration,
            len(sample.data),
            _SYNC_SAMPLE if sample.key else _OTHER_SAMPLE,
            sample.cts,
        )
        for sample in samples
    )
    run = _full_box(b"trun", 1, 0xF01, struct.pack(">Ii", len(samples), offset), rows)
    return _track_fragment(VIDEO_TRACK, samples[0].dts, run)


def _audio_run(samples: Sequence[Sample], offset: int) -> bytes:
    rows = b"".join(struct.pack(">II", sample.duration, len(sample.data)) for sample in samples)
    run = _full_box(b"trun", 0, 0x301, struct.pack(">Ii", len(samples), offset), rows)
    return _track_fragment(AUDIO_TRACK, samples[0].dts, run)


def _track_fragment(track: int, dts: int, run: bytes) -> bytes:
    header = _full_box(b"tfhd", 0, 0x020000, struct.pack(">I", track))  # default-base-is-moof
    return box(b"traf", header, _full_box(b"tfdt", 1, 0, struct.pack(">Q", dts)), run)
