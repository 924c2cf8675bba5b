"""Sequence parameter sets, in configurations and within pictures."""

import contextlib

from origin.media import codecs

SEEDS = [
    bytes.fromhex("674d4015eca04012d80880000003008000001e078b16cb01"),  # 512x288
    bytes.fromhex("6764001facd9405005bb016c80000003008000001e078c18cb"),  # 1280x720
    bytes.fromhex("67640033acd900f0010e84"),
    b"\x67\x42\x00\x1e" + b"\xaa" * 400,  # a picture order cycle
    b"\x67\x64\x00\x1f" + b"\x55" * 500,  # scaling lists
    b"\x67\x64\x00\x1f" + b"\x00\x00\x03" * 20_000,
]


def run(data: bytes) -> None:
    with contextlib.suppress(codecs.UnreadableConfigError):
        shown = codecs.read_sps(data)
        assert min(shown.width, shown.height) >= 32
        assert shown.width <= shown.shown[0] <= 4096
        assert shown.height <= shown.shown[1] <= 4096
        assert shown.bit_depth <= 14
        assert shown.chroma_format <= 3
