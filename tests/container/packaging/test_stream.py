"""A stream over its publish sessions."""

from origin.packaging.ladder import plan
from origin.packaging.position import Position
from origin.packaging.stream import Stream
from origin.settings import Settings

from tests.container.packaging.by_hand import add, begin, generation, pictures
from tests.container.tasks import SOURCE

SETTINGS = Settings(backend_url="http://backend")


def test_renditions_end_a_session_in_step() -> None:
    """The one that got less has gaps, or numbers would mean different times from then on."""
    stream, common = Stream("id", "id", SETTINGS, Position(100, 0)), generation()
    whole, short = stream.prepare(plan(SOURCE, SETTINGS.ladder, copy=True)[:2])
    for rendition, seconds in ((whole, 8), (short, 3)):
        begin(rendition, common)
        add(rendition, pictures(seconds))

    stream.finish_session(0)

    assert whole.window.next_part == short.window.next_part == (stream.timeline.next_msn, 0)
    assert [segment.gap for segment in short.window.segments] == [False, False, True, True]


def test_a_session_that_ends_leaves_nothing_to_come() -> None:
    """Or players would wait for a part that never comes."""
    stream = Stream("id", "id", SETTINGS, Position(100, 0))
    (only,) = stream.prepare(plan(SOURCE, SETTINGS.ladder, copy=True)[:1])
    begin(only, generation())
    add(only, pictures(3))
    coming = [only.window.hint]
    stream.finish_session(0)
    coming.append(only.window.hint)

    assert coming[0]
    assert coming[1] is None
    assert only.window.segments[-1].complete
    stream.end()
    assert only.window.ended
