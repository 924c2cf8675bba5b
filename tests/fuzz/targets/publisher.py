"""All that a publisher with a key may send: configurations, pictures, sound, metadata, in any order, at any time."""

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

from origin.broadcast.intake import Intake, UnsupportedSourceError
from origin.ingest import rtmp
from origin.ingest.rtmp_source import RtmpSource
from origin.media.packets import VideoPacket

_AVCC = bytes.fromhex("014d4015ffe10017674d4015eca04012d80880000003008000001e078b16cb01000568ebe3cb20")
_KINDS = (rtmp.VIDEO, rtmp.AUDIO, rtmp.DATA)


def message(kind: int, step_ms: int, body: bytes) -> bytes:
    """How a case writes a message: its kind, the time since the one before, its length."""
    return bytes([_KINDS.index(kind)]) + step_ms.to_bytes(2, "big") + len(body).to_bytes(2, "big") + body


_CONFIGS = message(rtmp.VIDEO, 0, b"\x17\x00\x00\x00\x00" + _AVCC) + message(rtmp.AUDIO, 0, b"\xaf\x00\x11\x90")
_KEY = message(rtmp.VIDEO, 33, b"\x17\x01\x00\x00\x00\x00\x00\x00\x04\x65abc")
_SPS = b"\x00\x00\x00\x17" + _AVCC[8:31]
SEEDS = [
    _CONFIGS + _KEY * 3 + message(rtmp.AUDIO, 21, b"\xaf\x01sound"),
    message(rtmp.DATA, 0, rtmp.amf_encode("onMetaData", {"width": 512.0, "audiocodecid": 10})) + _CONFIGS + _KEY,
    _CONFIGS + message(rtmp.VIDEO, 33, b"\x17\x01\x00\x00\x00" + _SPS + b"\x00\x00\x00\x02\x65a") + _KEY,
    _CONFIGS + message(rtmp.VIDEO, 2999, b"\x27\x01\xff\xff\xff" + bytes(4000)),
    _CONFIGS + message(rtmp.AUDIO, 60_000, b"\xaf\x01x") + message(rtmp.AUDIO, 2900, b"\xaf\x01x") + _KEY,
    message(rtmp.VIDEO, 0, b"\x90hvc1\x00\x00"),
    message(rtmp.AUDIO, 0, b"\x2fmp3"),
]


class Script:
    """Just these messages, after which it hangs up."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def play(self) -> AsyncIterator[rtmp.Message]:
        position, at = 0, 0
        while position + 5 <= len(self._data):
            kind = _KINDS[self._data[position] % len(_KINDS)]
            at = (at + int.from_bytes(self._data[position + 1 : position + 3], "big")) % (1 << 32)
            size = int.from_bytes(self._data[position + 3 : position + 5], "big")
            position += 5 + size
            yield rtmp.Message(kind, at, 1, self._data[position - size : position])


async def _read(data: bytes) -> list[VideoPacket]:
    player: Any = Script(data)
    pictures: list[VideoPacket] = []
    try:
        async for packet in Intake(RtmpSource(player)).packets():  # what came before an error counts as well
            pictures += [packet] if isinstance(packet, VideoPacket) else []
    except UnsupportedSourceError as error:
        assert str(error).isprintable()  # noqa: PT017 # a refusal is fine, and its text has a bound # a line of the log
        assert len(str(error)) < 200  # noqa: PT017 # any text may come, but a short one
    return pictures


def run(data: bytes) -> None:
    """Pictures in decoding order, from a key frame on, or one line of what is wrong."""
    pictures = asyncio.run(_read(data))
    assert all(before.dts < after.dts for before, after in pairwise(pictures))
    assert not pictures or pictures[0].key
