"""AVC decoder configurations, and what is written into MP4 because of them."""

import contextlib

from origin.media import codecs, fmp4, silence
from origin.media.packets import VideoConfig

_SPS = bytes.fromhex("674d4015eca04012d80880000003008000001e078b16cb01")
_PPS = bytes.fromhex("01000568ebe3cb20")
SEEDS = [
    bytes.fromhex("014d4015ffe10017674d4015eca04012d80880000003008000001e078b16cb01000568ebe3cb20"),
    b"\x01\x4d\x40\x15\xff\xe1" + len(_SPS).to_bytes(2, "big") + _SPS + _PPS,
    b"\x01\x4d\x40\x15\xff\xff" + (len(_SPS).to_bytes(2, "big") + _SPS) * 31 + _PPS,
    b"\x01\x4d\x40\x15\xff\xe2" + (len(_SPS).to_bytes(2, "big") + _SPS) + b"\xff\xff",
]


def run(data: bytes) -> None:
    """Whatever is taken can be written."""
    config = VideoConfig(data)
    with contextlib.suppress(codecs.UnreadableConfigError):
        shown = codecs.picture(config)
        assert codecs.video_codec_name(config).startswith("avc1.")
        sound = codecs.sound(silence.MUTE_CONFIG)
        assert len(fmp4.init_section(config, shown, silence.MUTE_CONFIG, sound)) < 8192
