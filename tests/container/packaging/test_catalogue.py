"""The streams of a task, and when they end."""

import time

from origin.packaging.catalogue import Catalogue
from origin.packaging.ladder import plan
from origin.packaging.position import Position

from tests.container.tasks import SETTINGS, SOURCE

START = Position(100, 0)


def catalogue() -> Catalogue:
    """With a stream `id` that has been live."""
    streams = Catalogue(SETTINGS)
    stream = streams.begin("id", "id", START, continued=False)
    stream.prepare(plan(SOURCE, SETTINGS.ladder, copy=True))
    return streams


def test_who_comes_back_goes_on_until_the_end() -> None:
    streams = catalogue()
    left = streams.go_on("id")
    assert left is streams["id"]
    assert streams.go_on("other") is None

    streams.end()

    assert streams.go_on("id") is None
    assert streams.begin("id", "id", START, continued=True) is not left
    assert len(streams) == 1


def test_a_stream_ends_and_is_forgotten_in_its_time() -> None:
    streams, now = catalogue(), time.monotonic()
    end, forget = SETTINGS.end_after_seconds, SETTINGS.forget_after_seconds
    for later, ended, known in ((end - 1, False, True), (end + 1, True, True), (end + forget + 1, True, False)):
        stream = streams.get("id")
        assert streams.sweep(now + later, lambda _: False) == ([] if known else ["id"])
        assert stream
        assert (stream.ended, "id" in streams) == (ended, known)


def test_a_stream_stays_while_somebody_publishes_or_is_being_let_in() -> None:
    streams, far = catalogue(), time.monotonic() + 10_000
    streams["id"].live = True
    assert streams.sweep(far, lambda _: False) == []
    streams["id"].live = False
    assert streams.sweep(far, lambda playback_id: playback_id == "id") == []
    assert streams.sweep(far, lambda _: False) == ["id"]


def test_a_stream_that_never_had_a_picture_is_forgotten_at_once() -> None:
    streams = Catalogue(SETTINGS)
    streams.begin("id", "id", START, continued=False)
    assert streams.sweep(time.monotonic(), lambda _: False) == ["id"]


def test_only_that_very_stream_is_forgotten() -> None:
    streams = catalogue()
    old = streams["id"]
    new = streams.begin("id", "id", START, continued=True)
    streams.forget(old)
    assert streams["id"] is new
    streams.forget(new)
    assert not streams
