"""What arrives, made ready: without nginx, from messages as they come."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import pytest
from origin.broadcast import intake
from origin.broadcast.intake import Intake, UnsupportedSourceError
from origin.ingest import rtmp
from origin.ingest.rtmp_source import RtmpSource
from origin.media.packets import AudioPacket, VideoPacket

from tests.container.packaging.by_hand import AVCC

START_MS = 10_000  # of the session's clock


class Script:
    """A connection to nginx on which just these messages come, after which it stays silent."""

    def __init__(self, messages: Iterable[rtmp.Message], pause: float = 0) -> None:
        self._messages, self._pause = messages, pause

    async def play(self) -> AsyncIterator[rtmp.Message]:
        for message in self._messages:
            yield message
            await asyncio.sleep(self._pause)


def configuration() -> rtmp.Message:
    return rtmp.Message(rtmp.VIDEO, 0, 1, b"\x17\x00\x00\x00\x00" + AVCC.avcc)


def picture(ms: int, *, key: bool = False, cts: int = 0, data: bytes = b"abc") -> rtmp.Message:
    nal = (b"\x65" if key else b"\x41") + data
    body = (b"\x17" if key else b"\x27") + b"\x01" + cts.to_bytes(3, "big") + len(nal).to_bytes(4, "big") + nal
    return rtmp.Message(rtmp.VIDEO, ms, 1, body)


def mute() -> rtmp.Message:
    """A publisher's onMetaData that announces no sound: nothing to wait for."""
    return rtmp.Message(rtmp.DATA, 0, 1, rtmp.amf_encode("onMetaData", {"width": 512.0}))


async def pictures(messages: Iterable[rtmp.Message]) -> list[VideoPacket]:
    player: Any = Script(messages)
    return [packet async for packet in Intake(RtmpSource(player)).packets() if isinstance(packet, VideoPacket)]


async def test_pictures_before_the_first_key_frame_are_left_out() -> None:
    sent = [mute(), configuration(), picture(0), picture(33), picture(66, key=True), picture(100)]
    assert [packet.dts - START_MS for packet in await pictures(sent)] == [66, 100]


async def test_picture_with_a_time_that_was_there_already_is_kept() -> None:
    """It is shown when it was meant to be, and decoded a moment later."""
    sent = [mute(), configuration(), picture(0, key=True), picture(33), picture(33, cts=40), picture(20, cts=60)]
    came = await pictures([*sent, picture(66)])
    assert [packet.dts - START_MS for packet in came] == [0, 33, 34, 35, 66]
    assert [packet.pts - START_MS for packet in came] == [0, 33, 73, 80, 66]


async def test_pictures_wait_for_the_sound_to_be_known() -> None:
    sound = [rtmp.Message(rtmp.AUDIO, 200, 1, b"\xaf\x00\x11\x90"), rtmp.Message(rtmp.AUDIO, 200, 1, b"\xaf\x01x")]
    player: Any = Script([configuration(), picture(0, key=True), picture(33), *sound, picture(210)])
    reading = Intake(RtmpSource(player))
    came = [packet async for packet in reading.packets()]
    assert [type(packet).__name__ for packet in came] == ["AudioPacket", "VideoPacket", "VideoPacket", "VideoPacket"]
    assert reading.has_sound


@pytest.mark.parametrize("message", [lambda ms: rtmp.Message(rtmp.AUDIO, ms, 1, b"\xaf\x01sound"), picture])
async def test_fails_when_no_key_frame_comes(
    monkeypatch: pytest.MonkeyPatch, message: Callable[[int], rtmp.Message]
) -> None:
    """Sound alone, or pictures that nobody can begin at: refused, so that it takes no place for good."""
    monkeypatch.setattr(intake, "_FIRST_KEY_FRAME_SECONDS", 0.2)
    messages = [configuration(), *(message(index * 21) for index in range(10_000))]
    player: Any = Script(messages, pause=0.01)
    with pytest.raises(UnsupportedSourceError, match=r"no H\.264 key frame"):
        async for _ in Intake(RtmpSource(player)).packets():
            pass


async def test_a_second_track_of_sound_is_left_alone() -> None:
    """OBS's VOD track, by Enhanced RTMP: viewers hear the first one, and it does not count as another format."""
    sound = [rtmp.Message(rtmp.AUDIO, 0, 1, b"\xaf\x00\x12\x10"), rtmp.Message(rtmp.AUDIO, 0, 1, b"\xaf\x01main")]
    second = [
        rtmp.Message(rtmp.AUDIO, 0, 1, b"\x95\x00mp4a\x01\x11\x90"),
        *(rtmp.Message(rtmp.AUDIO, index * 21, 1, b"\x95\x01mp4a\x01other") for index in range(50)),
    ]
    player: Any = Script([configuration(), *sound, *second, picture(0, key=True), picture(33)])
    reading = Intake(RtmpSource(player))
    came = [packet async for packet in reading.packets()]
    assert [packet.data for packet in came if isinstance(packet, AudioPacket)] == [b"main"]
    assert len(came) == 3
    assert reading.take_change() == "the sound's format changed"  # once: from none to the first
    assert reading.take_change() is None


async def test_fails_at_once_when_the_codec_is_another_one() -> None:
    player: Any = Script([rtmp.Message(rtmp.VIDEO, 0, 1, b"\x90hvc1\x01\x02")])
    with pytest.raises(UnsupportedSourceError, match=r"^video codec HEVC \(H\.265\); send H\.264$"):
        async for _ in Intake(RtmpSource(player)).packets():
            pass
