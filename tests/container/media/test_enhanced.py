"""Enhanced RTMP: what a track has, whichever way it is wrapped, and nothing of the other tracks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from origin.media import flv
from origin.media.packets import AudioConfig, AudioPacket, Media, Unsupported, VideoConfig, VideoPacket

RECORD, PICTURE = b"\x01\x4d\x40\x15", b"\x00\x00\x00\x02\x65\x88"
OFFSET = (-40).to_bytes(3, "big", signed=True)
NANOSECONDS = b"\x02\x12\x34\x56"  # size less one, and that many bytes


def many(*tracks: tuple[int, bytes], codec: bytes = b"") -> bytes:
    """Tracks with their sizes; of their own codecs, if there is none for all."""
    return codec + b"".join(
        (b"" if codec else b"avc1") + bytes([number]) + len(data).to_bytes(3, "big") + data for number, data in tracks
    )


@pytest.mark.parametrize(
    ("body", "media"),
    [
        (b"\x90avc1" + RECORD, VideoConfig(RECORD)),
        (b"\x91avc1" + OFFSET + PICTURE, VideoPacket(5, -40, key=True, data=PICTURE)),
        (b"\xa1avc1" + OFFSET + PICTURE, VideoPacket(5, -40, key=False, data=PICTURE)),
        (b"\x93avc1" + PICTURE, VideoPacket(5, 0, key=True, data=PICTURE)),
        (b"\x97" + NANOSECONDS + b"\x03avc1" + PICTURE, VideoPacket(5, 0, key=True, data=PICTURE)),
        (b"\x97\xff\x01\x00" + bytes(257) + b"\x03avc1" + PICTURE, VideoPacket(5, 0, key=True, data=PICTURE)),
        (b"\x96\x03avc1\x00" + PICTURE, VideoPacket(5, 0, key=True, data=PICTURE)),
        (b"\x96\x13" + many((1, b"other"), (0, PICTURE), codec=b"avc1"), VideoPacket(5, 0, key=True, data=PICTURE)),
        (b"\x96\x23" + many((2, b"other"), (0, PICTURE)), VideoPacket(5, 0, key=True, data=PICTURE)),
        (b"\x96\x03avc1\x01" + PICTURE, None),
        (b"\x96\x13" + many((1, b"other"), (2, b"one more"), codec=b"avc1"), None),
        (b"\x92avc1", None),  # the end of a sequence
        (b"\x94avc1\x02\x00\x09colorInfo", None),
        (b"\x91avc1" + OFFSET, None),
        (b"\x91hvc1" + OFFSET + PICTURE, Unsupported("video codec HEVC (H.265); send H.264")),
        (b"\x90av01" + RECORD, Unsupported("video codec AV1; send H.264")),
        (b"\x90\x01a\n\xe9" + RECORD, Unsupported("video codec ?a??; send H.264")),
    ],
)
def test_pictures(body: bytes, media: Media | None) -> None:
    assert flv.parse_video(body, 5) == media


@pytest.mark.parametrize(
    ("body", "media"),
    [
        (b"\x90mp4a\x11\x90", AudioConfig(b"\x11\x90")),
        (b"\x91mp4asound", AudioPacket(5, b"sound")),
        (b"\x95\x01mp4a\x00sound", AudioPacket(5, b"sound")),
        (b"\x95\x01mp4a\x01vod track", None),  # OBS's second one
        (b"\x95\x00mp4a\x01\x11\x90", None),
        (b"\x94mp4a\x00\x02", None),  # how its channels lie
        (b"\x92mp4a", None),
        (b"\x91Opussound", Unsupported("audio codec Opus; send AAC")),
        (b"\xaf\x01sound", AudioPacket(5, b"sound")),
    ],
)
def test_sound(body: bytes, media: Media | None) -> None:
    assert flv.parse_audio(body, 5) == media


@given(st.binary(max_size=60), st.sampled_from([b"\x90", b"\x96", b"\x97", b"\x95", b"\x91", b"\xa6"]))
def test_whatever_comes_is_media_or_nothing(rest: bytes, first: bytes) -> None:
    """Cut off anywhere, sizes beyond the end: no exception, and no more data than came."""
    for parse in (flv.parse_video, flv.parse_audio):
        media = parse(first + rest, 5)
        if isinstance(media, VideoPacket | AudioPacket):
            assert media.data in rest
