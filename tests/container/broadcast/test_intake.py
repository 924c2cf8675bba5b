"""What arrives, made ready: without nginx, from messages as they come."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import pytest
from origin.broadcast import intake
from origin.broadcast.intake import Intake, UnsupportedSourceError
from origin.ingest import rtmp
from origin.ingest.rtmp_source import RtmpSource
from origin.media import codecs
from origin.media.packets import AudioPacket, VideoPacket

from tests.container.media.parameter_sets import sps
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


def message(*nals: bytes, ms: int, key: bool = False, joint: bytes = b"") -> rtmp.Message:
    """Units of our choice: behind lengths, or behind `joint`."""
    data = b"".join((joint or len(nal).to_bytes(4, "big")) + nal for nal in nals)
    return rtmp.Message(rtmp.VIDEO, ms, 1, (b"\x17" if key else b"\x27") + b"\x01\0\0\0" + data)


SEI, DELIMITER, PPS = b"\x06\x05\x04\x01\x02\x03\x04\x80", b"\x09\xf0", b"\x68\xeb\xe3\xcb\x20"


@pytest.mark.parametrize("key", [False, True], ids=["", "marked as key frame"])
@pytest.mark.parametrize("apart", [0, -5, 5, 16])
@pytest.mark.parametrize("alone", [[SEI], [SEI, SEI], [DELIMITER, SEI], [DELIMITER], [PPS], []], ids=str)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_message_without_a_slice_is_no_picture(
    alone: list[bytes],
    apart: int,
    key: bool,  # noqa: FBT001 # a parameter
    after: bool,  # noqa: FBT001 # a parameter
) -> None:
    """DJI's cameras send SEI in messages of their own: it joins the picture that follows, and is counted as none."""
    sent = [mute(), configuration(), picture(0, key=True)]
    for ms in range(33, 1000, 33):
        pair = [message(*alone, ms=ms + apart, key=key), picture(ms)]
        sent += reversed(pair) if after else pair
    came = await pictures([*sent, picture(1000)])
    assert [packet.dts - START_MS for packet in came] == [0, *range(33, 1000, 33), 1000]
    assert [packet.key for packet in came] == [True] + [False] * (len(came) - 1)
    kept = b"".join(len(nal).to_bytes(4, "big") + nal for nal in alone if nal != DELIMITER)
    assert came[-2 if not after else -1].data == kept + b"\0\0\0\x04\x41abc"


@pytest.mark.parametrize(("units", "messages"), [([SEI * 1000], 500), ([b"\x06"] * 1000, 3)], ids=["bytes", "units"])
async def test_what_waits_for_a_picture_is_bounded(units: list[bytes], messages: int) -> None:
    flood = [message(*units, ms=10) for _ in range(messages)]
    came = await pictures([mute(), configuration(), picture(0, key=True), *flood, picture(40)])
    assert len(came) == 2
    assert len(came[1].data) < 1 << 17


@pytest.mark.parametrize("alone", [False, True], ids=["with the picture", "in a message of their own"])
async def test_another_size_in_band_is_another_format(*, alone: bool) -> None:
    """Two clips one after the other, copied: there, and back, and there again."""
    player: Any = Script([mute(), configuration(), picture(0, key=True), *turns(alone=alone)])
    reading = Intake(RtmpSource(player))
    seen = []
    async for packet in reading.packets():
        assert reading.video_config
        shown = codecs.picture(reading.video_config)
        seen.append((packet.dts - START_MS, f"{shown.width}x{shown.height}", reading.take_change()))
    change = "the picture's format changed"
    assert seen == [
        (0, "512x288", None),
        *[(100, "288x512", change), (200, "288x512", None)],
        *[(300, "512x288", change), (400, "512x288", None)],
        *[(500, "288x512", change), (600, "288x512", None)],
    ]
    assert reading.video_config
    assert codecs.picture_parameter_sets(reading.video_config) == [PPS]


def turns(*, alone: bool) -> list[rtmp.Message]:
    sets = [[sps(288, 512), PPS], [AVCC.avcc[8:31], PPS], [sps(288, 512), PPS]]
    messages = []
    for turn, (size, pps) in enumerate(sets):
        ms = 100 + 200 * turn
        first = [message(size, pps, ms=ms), message(b"\x65abc", ms=ms, key=True)]
        messages += first if alone else [message(size, pps, b"\x65abc", ms=ms, key=True)]
        messages.append(picture(ms + 100))
    return messages


@pytest.mark.parametrize("joint", [b"\0\0\1", b"\0\0\0\1"], ids=["three bytes", "four bytes"])
@pytest.mark.parametrize("header", [False, True], ids=["pictures", "header as well"])
async def test_annex_b_is_put_behind_lengths(joint: bytes, *, header: bool) -> None:
    size, other = AVCC.avcc[8:31], b"\x41\x9a" + bytes(range(50, 90))
    opening = configuration()
    if header:
        opening = rtmp.Message(rtmp.VIDEO, 0, 1, b"\x17\0\0\0\0" + joint + size + joint + PPS)
    sent = [opening, message(size, PPS, b"\x65abc", ms=0, key=True, joint=joint)]
    sent += [opening, message(other, ms=33, joint=joint)]
    player: Any = Script([mute(), *sent])
    reading = Intake(RtmpSource(player))
    came = [packet async for packet in reading.packets()]
    parts = [*(len(nal).to_bytes(4, "big") + nal for nal in (size, PPS, b"\x65abc", other))]
    assert [packet.data for packet in came] == [b"".join(parts[:3]), parts[3]]
    assert reading.video_config
    assert codecs.picture(reading.video_config) == codecs.picture(AVCC)
    assert reading.take_change() is None


@pytest.mark.parametrize("header", [b"\0\0\0\1", b"\0\0\1\x67\x42", b"\0\0\1" * 2000, b"\0\0\1\x68\xce"])
async def test_fails_when_an_annex_b_header_says_nothing(header: bytes) -> None:
    with pytest.raises(UnsupportedSourceError, match=r"^H\.264 configuration: "):
        await pictures([rtmp.Message(rtmp.VIDEO, 0, 1, b"\x17\0\0\0\0" + header)])


async def test_a_clock_that_steps_back_costs_no_picture() -> None:
    """By a second, at a key frame, in both kinds."""
    sent = [mute(), configuration(), *(picture(ms, key=ms == 2000) for ms in range(2000, 4000, 40))]
    sent += [picture(ms, key=ms == 3000) for ms in range(3000, 5000, 40)]
    player: Any = Script(sent)
    reading = Intake(RtmpSource(player))
    came = [packet async for packet in reading.packets()]
    assert [packet.dts - START_MS for packet in came] == list(range(0, 4000, 40))
    assert reading.jumps == 1
