"""AudioSpecificConfigs, what is written into MP4 because of them, and silence of their kind."""

import contextlib

from origin.media import codecs, fmp4
from origin.media.codecs import Picture
from origin.media.packets import AudioConfig, VideoConfig
from origin.packaging.timeline import Soundtrack

_PICTURE = Picture(width=64, height=64, profile=66, bit_depth=8, chroma_format=1, progressive=True)
SEEDS = [
    bytes.fromhex("1190"),
    bytes.fromhex("1208"),
    bytes.fromhex("2b118800"),  # HE-AAC
    bytes.fromhex("eb118800"),
    bytes.fromhex("1780000110"),  # a rate in 24 bits
    bytes.fromhex("11b8"),  # eight channels
    bytes.fromhex("f84190"),
    bytes.fromhex("1190") + bytes(238),
]


def run(data: bytes) -> None:
    """Whatever is taken can be written, and a minute of silence is no great matter."""
    config = AudioConfig(data)
    with contextlib.suppress(codecs.UnreadableConfigError):
        sound = codecs.sound(config)
        assert len(fmp4.init_section(VideoConfig(b"\x01"), _PICTURE, config, sound)) < 8192
        track = Soundtrack(config, sound)
        track.fill(0, 60_000)
        assert track.end <= 60 * 96_000 / 1024 + 2
