"""Encoders that fail: replaced from where they stopped, and given up on in time. The encoder is a stand-in."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from origin.broadcast import program
from origin.broadcast.encoder import Chatter, KeyFrames
from origin.broadcast.meter import GopCache
from origin.broadcast.program import EncoderGivenUpError, Events, Program
from origin.packaging.ladder import plan
from origin.packaging.position import Position
from origin.packaging.stream import Stream
from origin.settings import Settings

from tests.container.packaging.by_hand import AVCC, generation, pictures
from tests.container.tasks import SOURCE

SETTINGS = Settings(backend_url="http://backend")


class DyingEncoder:
    """Ends at once, and fails; each gives out so many pictures before."""

    made: int
    pictures = 1

    def __init__(self, *_: object, **__: object) -> None:
        type(self).made += 1
        self.failed, self.pictures_out, self.backlog_bytes, self.pid = True, self.pictures, 0, None
        self.ended = asyncio.Event()
        self.ended.set()

    def configure(self, *_: object) -> None:
        pass

    encode = configure


@pytest.fixture
def dying(monkeypatch: pytest.MonkeyPatch) -> type[DyingEncoder]:
    DyingEncoder.made, DyingEncoder.pictures = 0, 1
    monkeypatch.setattr(program, "Encoder", DyingEncoder)
    monkeypatch.setattr(program, "_RESTART_DELAYS_SECONDS", (0, 0, 0, 0))
    return DyingEncoder


class PatientEncoder:
    """Takes everything and gives out nothing, until it is ended."""

    def __init__(self, *_: object, **__: object) -> None:
        self.failed, self.pictures_out, self.backlog_bytes, self.pid = False, 0, 0, None
        self.ended = asyncio.Event()

    def configure(self, *_: object) -> None:
        pass

    encode = configure

    def abort(self) -> None:
        self.failed = True
        self.ended.set()


def begun(failed: Callable[[Exception], None]) -> Program:
    """With a key frame in the cache, from which another encoder can begin."""
    return begun_with(Stream("id", "id", SETTINGS, Position(100, 0)), failed)


def begun_with(stream: Stream, failed: Callable[[Exception], None]) -> Program:
    cache = GopCache(1 << 20)
    for packet in pictures(1):
        cache.add(packet)
    nothing: Any = lambda *_: None  # noqa: E731 # told to nobody
    events = Events(advanced=nothing, crashed=nothing, lost=nothing, behind=nothing, failed=failed)
    started = Program(
        stream,
        generation(every_key=True),
        plan(SOURCE, SETTINGS.ladder, copy=False),
        AVCC,
        cache,
        segment_ms=2000,
        patience_seconds=5,
        events=events,
        chatter=Chatter("id"),
    )
    started.start(KeyFrames(every_ms=2000), 0, after=None)
    return started


@pytest.mark.parametrize(
    ("pictures_out", "encoders"),
    [(1, 9), (0, 4)],
    ids=["eight crashes within a minute", "four in a row without a picture"],
)
async def test_an_encoder_that_dies_again_and_again_is_given_up(
    dying: type[DyingEncoder], pictures_out: int, encoders: int
) -> None:
    """And not before: the ninth crash within a minute, or the fourth run in a row without a picture."""
    dying.pictures = pictures_out
    given_up = asyncio.get_running_loop().create_future()
    begun(given_up.set_result)
    assert isinstance(await asyncio.wait_for(given_up, 60), EncoderGivenUpError)
    assert dying.made == encoders


@pytest.mark.parametrize(("given", "breaks"), [(False, 0), (True, 1)], ids=["nothing given", "a picture given"])
async def test_an_encoder_that_is_replaced_breaks_nothing_that_has_not_begun(
    monkeypatch: pytest.MonkeyPatch,
    given: bool,  # noqa: FBT001 # a parameter
    breaks: int,
) -> None:
    """A discontinuity is for viewers who had pictures of the one before."""
    monkeypatch.setattr(program, "Encoder", PatientEncoder)
    stream = Stream("id", "id", SETTINGS, Position(100, 0))
    started = begun_with(stream, lambda _: None)
    first: Any = started.encoder
    watcher = started._watcher
    assert watcher
    boundary = stream.timeline.begin(started.generation, started.generation.start_pts)
    if given:
        started._sink(started.encoded[0].name, AVCC)
        for packet in pictures(1):
            started._sink(started.encoded[0].name, packet)
    first.abort()
    await asyncio.wait_for(watcher, 60)
    assert started.encoder is not first
    following = stream.timeline.cut(boundary, boundary.pts + 2000)
    assert following
    assert following.discontinuity_sequence == breaks


@pytest.mark.parametrize(("wait", "replaced"), [(0.0, False), (5.1, True)], ids=["at once", "in its time"])
async def test_a_burst_of_pictures_is_no_fault_of_the_encoder(
    monkeypatch: pytest.MonkeyPatch,
    wait: float,
    replaced: bool,  # noqa: FBT001 # a parameter
) -> None:
    """Twelve seconds of them at once, after a hole in the network: it is given its time on the clock as well."""
    monkeypatch.setattr(program, "Encoder", PatientEncoder)
    started = begun(lambda _: None)
    encoder: Any = started.encoder
    now = 0.0
    for packet in pictures(12):
        now += wait / (12 * 30 / 2)  # what is judged begins after 5 s of pictures
        started.feed(packet, now)
    assert encoder.failed is replaced
    encoder.ended.set()


@pytest.mark.parametrize("distance", [1, 2, 5, 20])
@pytest.mark.parametrize("gives", [True, False], ids=["healthy", "hangs"])
async def test_slides_are_no_fault_of_the_encoder(
    monkeypatch: pytest.MonkeyPatch,
    distance: int,
    gives: bool,  # noqa: FBT001 # a parameter
) -> None:
    """A picture every so many seconds, two of which FFmpeg holds; one that gives nothing is replaced all the same."""
    monkeypatch.setattr(program, "Encoder", PatientEncoder)
    started = begun(lambda _: None)
    encoder: Any = started.encoder
    names = [rendition.name for rendition in started.encoded]
    for name in names:
        started._sink(name, AVCC)
    slides = pictures(40 * distance, gop=distance, rate=1 / distance)
    for index, packet in enumerate(slides):
        started.feed(packet, float(index * distance))
        if gives and index >= 2:
            encoder.pictures_out += len(names)
            for name in names:
                started._sink(name, slides[index - 2])
    assert encoder.failed is not gives
    assert not started._too_slow
    encoder.ended.set()
