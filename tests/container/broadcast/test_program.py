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


def begun(failed: Callable[[Exception], None]) -> Program:
    """With a key frame in the cache, from which another encoder can begin."""
    stream, cache = Stream("id", "id", SETTINGS, Position(100, 0)), GopCache(1 << 20)
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
