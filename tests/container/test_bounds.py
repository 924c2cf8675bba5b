"""Every reader of what a publisher sends has a bound in size, number and work, and one line that says so."""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import pytest
from origin.allowance import Allowance
from origin.broadcast import intake
from origin.broadcast.admission import Admission
from origin.broadcast.encoder import Chatter, memory_bytes
from origin.broadcast.intake import Intake, UnsupportedSourceError
from origin.ingest import rtmp
from origin.ingest.rtmp_source import RtmpSource
from origin.media import codecs, flv
from origin.media.codecs import UnreadableConfigError, picture, read_sps, sound
from origin.media.packets import AudioConfig, VideoConfig, VideoPacket
from origin.packaging import ladder
from origin.settings import DEFAULT_LADDER

from tests.container.broadcast.test_intake import configuration, mute
from tests.container.broadcast.test_intake import picture as sent
from tests.container.media.parameter_sets import avcc, sps
from tests.container.packaging.by_hand import AVCC


@pytest.mark.parametrize(("width", "height"), [(32, 32), (1920, 1088), (3840, 2160), (4096, 2304), (2160, 3840)])
def test_sizes_that_streamers_send_are_read(width: int, height: int) -> None:
    shown = picture(avcc(sps(width, height)))
    assert (shown.width, shown.height) == (width, height)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (avcc(sps(16384, 8192)), "16384x8192 are too large"),
        (avcc(sps(65552, 16)), "65552x16 are too large"),
        (avcc(sps(16, 65552)), "16x65552 are too large"),
        (avcc(sps(4096, 4096)), "4096x4096 are too large"),
        (avcc(sps(16 << 27, 16 << 3)), "too large"),
        (avcc(sps(16, 16)), "16x16 are too small"),
        (avcc(sps(64, 64, crop=(15, 16, 0, 0))), "2x64 are too small"),
        (avcc(sps(1024, 64, crop=(0, 33, 0, 0))), "cropping must be at most 64 pixels, got 66"),
        (avcc(sps(), sps(16384, 8192)), "16384x8192 are too large"),  # a decoder may use the second one
        (avcc(sps(order=(1, 256))), "num_ref_frames_in_pic_order_cnt_cycle must be at most 255, got 256"),
        (avcc(sps(order=(3,))), "pic_order_cnt_type must be at most 2, got 3"),
        (avcc(sps(refs=17)), "max_num_ref_frames must be at most 16, got 17"),
        (avcc(b"\x67\x42\x00\x1e" + b"\x01" * 600), "a sequence parameter set of 604 bytes; at most 512"),
        (avcc(b"\x67\x42\x00\x1e\x00\x00\x01\xff"), "a start code"),
        (avcc(b"\x67\x42\x00\x1e" + b"\x00" * 5 + b"\xff"), "a start code"),
        (avcc(b"\x67\x42\x00\x1e\x00\x00\x03\x00\x00\x03\x00\x01"), "Exp-Golomb"),
        (avcc(b"\x68\x42\x00\x1e\xff\xff"), "no sequence parameter set"),
        (VideoConfig(avcc(sps()).avcc + bytes(65_000)), "at most 2048"),
        (VideoConfig(avcc(sps()).avcc[:-4]), "ends early"),
        (VideoConfig(b""), "no sequence parameter set"),
    ],
)
def test_fails_when_the_picture_is_beyond_the_bounds(config: VideoConfig, said: str) -> None:
    with pytest.raises(UnreadableConfigError, match=said):
        picture(config)


def test_reading_costs_no_more_than_the_bits_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A parameter set of 65 KB took seconds: now it is refused unread, and one of full size takes few small steps."""
    steps: list[int] = []
    take = codecs._Bits.take

    def counted(bits: codecs._Bits, count: int) -> int:
        steps.append(count)
        return take(bits, count)

    monkeypatch.setattr(codecs._Bits, "take", counted)
    with pytest.raises(UnreadableConfigError):
        read_sps(b"\x67\x42\x00\x1e\xf5" + b"\x55" * 65_000)
    assert not steps
    with pytest.raises(UnreadableConfigError):
        read_sps(b"\x67\x64\x00\x1e\xad\x7f" + b"\xff" * 500)
    assert 0 < len(steps) <= 512 * 8
    assert max(steps) <= 33


@pytest.mark.parametrize(
    ("asc", "said"),
    [
        (bytes.fromhex("1190") + bytes(238), "has 240 bytes; at most 64 are taken"),
        (bytes.fromhex("1780000090"), "a sample rate of 1 Hz"),
        (bytes.fromhex("17ffffff90"), "a sample rate of 16777215 Hz"),
        (bytes.fromhex("1690"), "sample rate index 13"),
        (b"", "ends early"),
    ],
)
def test_fails_when_the_sound_is_beyond_the_bounds(asc: bytes, said: str) -> None:
    with pytest.raises(UnreadableConfigError, match=said):
        sound(AudioConfig(asc))


# --- RTMP ---


def chunk(channel: int, length: int, body: bytes, form: int = 0) -> bytes:
    head = b"\0\0\0" + length.to_bytes(3, "big") + b"\x09" + (b"\1\0\0\0" if form == 0 else b"")
    return bytes([form << 6 | channel]) + head + body


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([chunk(6, 0xFFFFFF, b"x" * 128)], "a message of 16777215 bytes; at most 4194304"),
        ([chunk(n, 0, b"") for n in range(2, 64)] + [b"\x00" + bytes([n]) + bytes(11) for n in range(9)], "64 chunk"),
        ([chunk(n, 4 << 20, b"") for n in range(3, 6)], "bytes of unfinished messages"),
    ],
    ids=["size", "streams", "unfinished"],
)
def test_fails_when_messages_are_beyond_the_bounds(data: list[bytes], said: str) -> None:
    reader = rtmp.ChunkReader()
    large = rtmp.write_message(2, rtmp.SET_CHUNK_SIZE, 0, struct.pack(">I", (4 << 20) - 1))
    list(reader.feed(large if "unfinished" in said else b""))
    rest = bytes((4 << 20) - 1 if "unfinished" in said else 0)
    with pytest.raises(rtmp.RtmpError, match=said):
        list(reader.feed(b"".join(piece + rest for piece in data)))


def test_header_in_mid_message_begins_anew() -> None:
    """It went backwards through the buffer, for ever, when the new message was shorter than what was there."""
    data = chunk(6, 300, b"a" * 128) + chunk(6, 50, b"b" * 50)
    assert [message.body for message in rtmp.ChunkReader().feed(data)] == [b"b" * 50]


@pytest.mark.parametrize(
    ("data", "values"),
    [
        (b"\x03\x00\x01a" * 50_000, []),
        (b"\x05" * 5000, [None] * 1000),
        (b"\x0c\xff\xff\xff\xffabc", []),
        (b"\x02\x00\x03abc" + b"\x03\x00\x01a" * 9, ["abc"]),
    ],
    ids=["depth", "count", "size", "after-a-value"],
)
def test_amf_beyond_the_bounds_ends_the_list(data: bytes, values: list[object]) -> None:
    assert rtmp.amf_decode(data) == values


def test_amf_reads_metadata_of_any_encoder() -> None:
    """Objects within objects, as some software nests its track lists."""
    nested = rtmp.amf_encode("onMetaData", {"trackinfo": {"audio": {"rate": {"hz": 48000.0}}}})
    assert rtmp.amf_decode(nested) == ["onMetaData", {"trackinfo": {"audio": {"rate": {"hz": 48000.0}}}}]


def test_fails_when_ffmpeg_gives_a_tag_that_is_too_large() -> None:
    with pytest.raises(flv.BrokenFlvError, match="a tag of 16777215 bytes"):
        list(flv.Reader().feed(flv.HEADER_VIDEO_ONLY + b"\x09\xff\xff\xff" + bytes(20)))


# --- what one publisher may bring ---


class Script:
    """A connection on which these messages come, as fast as they are taken."""

    def __init__(self, messages: Iterable[rtmp.Message]) -> None:
        self._messages = messages

    async def play(self) -> AsyncIterator[rtmp.Message]:
        for message in self._messages:
            yield message


async def taken(messages: Iterable[rtmp.Message]) -> list[VideoPacket]:
    player: Any = Script(messages)
    return [packet async for packet in Intake(RtmpSource(player)).packets() if isinstance(packet, VideoPacket)]


def config_message(config: VideoConfig) -> rtmp.Message:
    return rtmp.Message(rtmp.VIDEO, 0, 1, b"\x17\x00\x00\x00\x00" + config.avcc)


def with_units(*nals: bytes, ms: int = 40) -> rtmp.Message:
    return rtmp.Message(rtmp.VIDEO, ms, 1, b"\x17\x01\0\0\0" + b"".join(len(n).to_bytes(4, "big") + n for n in nals))


BEGIN = [mute(), configuration(), sent(0, key=True)]


@pytest.mark.parametrize(
    ("flood", "said"),
    [
        (lambda: (rtmp.Message(rtmp.AUDIO, 0, 1, b"\xaf\x01x") for _ in range(40_000)), "more than 1000 messages"),
        (lambda: (sent(0, data=bytes(1_000_000)) for _ in range(150)), "more than 80 Mbit/s"),
        (lambda: (sent(ms) for ms in range(0, 60_000, 500)), "clock runs faster than time"),
        (lambda: (config_message(avcc(sps(640 + 16 * n, 480))) for n in range(20)), "its format changed 10 times"),
        (
            lambda: (rtmp.Message(rtmp.AUDIO, 0, 1, b"\xaf\0" + bytes([17 + n % 2, 144])) for n in range(20)),
            "changed 10",
        ),
        (lambda: (with_units(AVCC.avcc[8:31] + bytes([1 + n]), b"\x65a") for n in range(20)), "its format changed 10"),
        (lambda: [rtmp.Message(rtmp.VIDEO, 0, 1, b"\x27\x01\0\0\0" + bytes(4_000_000))] * 9, "do not add up"),
        (lambda: [with_units(sps(16384, 8192), b"\x65a")], "16384x8192 are too large"),
        (lambda: [with_units(sps(3840, 2160), b"\x41a")], "512x288 to 3840x2160 without a key frame"),
        (lambda: [with_units(sps(3840, 2160)), with_units(b"\x41a")], "512x288 to 3840x2160 without a key frame"),
        (lambda: [with_units(sps(3840, 2160), sps(640, 480), b"\x65a")], "512x288 to 3840x2160 without a key frame"),
        (lambda: (with_units(sps(640 + 16 * n, 480), b"\x65a") for n in range(20)), "its format changed 10"),
        (
            lambda: [with_units(sps(3840, 2160), *(sps(512, 288, refs=n) for n in range(1, 7)), b"\x65a")],
            "512x288 to 3840x2160 without a key frame",
        ),
    ],
    ids=[
        "messages",
        "bytes",
        "clock",
        "pictures",
        "sounds",
        "in-band",
        "empty-units",
        "huge-in-band",
        "size-in-band",
        "size-before-a-picture",
        "two-sizes",
        "sizes",
        "many-sets",
    ],
)
async def test_fails_when_a_publisher_brings_too_much(
    flood: Callable[[], Iterable[rtmp.Message]], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "_BROKEN_PICTURES", 5)
    with pytest.raises(UnsupportedSourceError, match=said):
        await taken([*BEGIN, *flood()])


async def test_what_real_encoders_send_is_within_the_bounds() -> None:
    """Parameter sets and configurations again and again, a burst after a gap in the network."""
    key = AVCC.avcc[8:31], b"\x68\xeb\xe3\xcb\x20", b"\x65abc"
    burst = [
        each
        for ms in range(40, 20_000, 33)
        for each in (configuration(), mute(), sent(ms), with_units(*key, ms=ms + 16))
    ]
    assert len(await taken([*BEGIN, *burst])) > 1000


async def test_metadata_is_read_only_as_long_as_it_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[bytes] = []
    decode = rtmp.amf_decode
    monkeypatch.setattr(rtmp, "amf_decode", lambda data: read.append(data) or decode(data))  # type: ignore[func-returns-value] # None, and so the other
    await taken([mute()] * 100 + [configuration(), sent(0, key=True)] + [mute()] * 100)
    assert len(read) == 8


async def test_fails_when_nginx_passes_on_what_is_beyond_the_bounds() -> None:
    """One line, as for everything that a publisher does."""

    class Broken:
        async def play(self) -> AsyncIterator[rtmp.Message]:
            yield mute()
            raise rtmp.RtmpError("a message of 16777215 bytes")

    player: Any = Broken()
    with pytest.raises(UnsupportedSourceError, match="a message of 16777215 bytes"):
        async for _ in Intake(RtmpSource(player)).packets():
            pass


async def test_flood_of_small_messages_lets_others_in_between() -> None:
    """Half a megabyte that is there already: the loop comes round while it is read."""
    reader = asyncio.StreamReader(limit=1 << 18)
    reader.feed_data(chunk(6, 1, b"x") * 40_000)
    reader.feed_eof()
    writer: Any = None
    player, rounds, last = rtmp.Player(reader, writer), 0, 0

    async def count() -> None:
        nonlocal rounds
        while True:
            rounds += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    async for _ in player.play():
        last = rounds
    counting.cancel()
    assert last >= 7  # 64 KiB at a time


def test_allowance_refills_with_time() -> None:
    allowance = Allowance(10, 20)
    assert allowance.take(20, 100.0)
    assert not allowance.take(1, 100.0)
    assert allowance.take(10, 101.0)
    assert not allowance.take(1, 101.0)
    assert allowance.take(20, 200.0)
    assert not allowance.take(1, 200.0)


# --- what a broadcast costs, and what FFmpeg says ---


def shown(width: int, height: int) -> codecs.Picture:
    return codecs.Picture(width=width, height=height, profile=100, bit_depth=8, chroma_format=1, progressive=True)


@pytest.mark.parametrize(
    ("width", "height", "rate", "units"),
    [
        (1280, 720, 30, 2),
        (1920, 1080, 30, 2),
        (1920, 1080, 60, 4),
        (2560, 1440, 30, 3),
        (3840, 2160, 30, 4),
        (2160, 3840, 60, 8),
    ],
)
def test_large_pictures_cost_more(width: int, height: int, rate: int, units: int) -> None:
    source = shown(width, height)
    plans = ladder.plan(source, DEFAULT_LADDER, copy=False)
    assert ladder.cost(plans, rate, source.pixels) == units


def test_large_picture_needs_room_unless_it_is_alone() -> None:
    admission = Admission(4)
    assert admission.enter("large")
    assert admission.fits("large", 8)  # alone
    assert admission.enter("other")
    assert not admission.fits("large", 4)
    admission.charge("other", 1)
    assert admission.fits("large", 3)
    admission.charge("large", 8)
    assert admission.fits("large", 8)  # it has that already


def test_memory_of_an_encoder_follows_the_pictures() -> None:
    small, large = shown(1280, 720), shown(4096, 2304)
    plans = ladder.plan(large, DEFAULT_LADDER, copy=False)
    assert 400 << 20 < memory_bytes(small, plans) < 600 << 20
    assert 1 << 30 < memory_bytes(large, plans) < 1500 << 20


def test_what_ffmpeg_says_is_limited(caplog: pytest.LogCaptureFixture) -> None:
    """Some lines, each cut, and then a count: 2,720 lines came of one publisher in 15 s."""
    chatter = Chatter("stream")
    for number in range(3000):
        chatter.hear(f"error {number} ".encode() + b"x" * 5000)
    chatter.hear(b"\xff\n")
    chatter.count()
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) < 60
    assert max(map(len, lines)) <= 320
    assert lines[0].startswith("FFmpeg: error 0 ")
    counts = [int(line.split()[1].replace(",", "")) for line in lines if line.endswith("more lines")]
    assert sum(counts) + len(lines) - len(counts) == 3001
