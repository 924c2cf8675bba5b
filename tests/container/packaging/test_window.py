"""What is kept of a rendition, and what is known to come."""

import asyncio

import pytest

from tests.container.packaging.by_hand import add, begin, fed, generation, pictures, rendition, timeline


def test_hint_always_comes_true() -> None:
    each = rendition(timeline())
    begin(each, generation())
    hints = set()
    for packet in pictures(9):
        add(each, packet)
        if each.window.hint:
            hints.add(each.window.hint)
    missing = {hint for hint in hints if hint not in each.window.media}
    assert missing <= {each.window.hint}


def test_old_media_is_forgotten_with_its_init() -> None:
    common = timeline()
    each = rendition(common, kept=5)
    for number in (1, 2):
        begin(each, generation(number=number, start=10_000 * number))
        for packet in pictures(14, start=10_000 * number):
            add(each, packet)
    assert len(each.window.segments) == 5
    assert "s.1.mp4" not in each.window.media
    assert "s.2.mp4" in each.window.media
    assert len([name for name in each.window.media if name.count(".") == 2 and name.endswith(".m4s")]) == 5


@pytest.mark.parametrize(("msn", "part", "there"), [(99, 0, True), (101, 2, True), (101, 3, False), (101, None, False)])
def test_blocking_reload_waits_for_exactly_what_was_asked(msn: int, part: int | None, *, there: bool) -> None:
    each = fed(timeline(), pictures(3.1), generation())
    assert each.window.next_part == (101, 3)
    assert each.window.has(msn, part) is there


def test_part_beyond_a_segment_is_the_first_of_the_next() -> None:
    """RFC 8216bis 6.2.5.2."""
    each = fed(timeline(), pictures(2.1), generation())
    assert each.window.next_part == (101, 0)
    assert each.window.has(100, 5)
    assert not each.window.has(100, 6)


def test_nothing_yet_is_the_first_part_of_the_next_segment() -> None:
    each = rendition(timeline())
    assert each.window.next_part == (100, 0)
    assert each.window.hint is None
    assert not each.window.has(100, 0)


@pytest.mark.parametrize(("seconds", "there"), [(1.9, False), (2.1, True)])
def test_a_whole_segment_is_there_when_it_is_complete(seconds: float, *, there: bool) -> None:
    each = fed(timeline(), pictures(seconds), generation())
    assert each.window.has(100, None) is there
    assert not each.window.has(101, None)


def test_the_hint_is_of_the_session_whose_media_comes_next() -> None:
    """A name never means two things: a new session has names of its own, a segment in progress keeps its."""
    each = fed(timeline(), pictures(3.1), generation())
    hints = [each.window.hint]
    each.segmenter.finish(0)
    hints.append(each.window.hint)  # nobody knows whether anything comes
    begin(each, generation(session="t"))
    hints.append(each.window.hint)
    assert hints == ["s.101.3.m4s", None, "t.102.0.m4s"]


def test_parts_go_with_their_segment() -> None:
    each = rendition(timeline(), kept=3)
    begin(each, generation())
    add(each, pictures(14))
    named = {name for name in each.window.media if name.count(".") == 3}
    assert named == {part.name for segment in each.window.segments for part in segment.parts}


def test_whoever_wants_to_know_is_told_of_parts_and_of_whole_segments() -> None:
    """As a recorder would: each part once, in order; each segment when it is whole; no gap."""
    common, gen = timeline(), generation()
    fed(common, pictures(8), gen, "480p")
    each = rendition(common)
    parts: list[str] = []
    segments: list[tuple[int, int]] = []
    each.window.published.append(lambda part: parts.append(part.name))
    each.window.completed.append(lambda segment: segments.append((segment.msn, len(segment.parts))))
    begin(each, gen)
    add(each, pictures(4.2))
    each.segmenter.finish(0)
    each.segmenter.fill_gaps(common.next_msn)
    assert segments == [(100, 6), (101, 6), (102, 1)]
    assert parts == [part.name for segment in each.window.segments for part in segment.parts]
    assert each.window.segments[-1].gap


async def test_who_waits_is_woken_by_what_is_new() -> None:
    each = fed(timeline(), pictures(0.2), generation())
    waiting = asyncio.create_task(each.window.changed())
    await asyncio.sleep(0)
    version = each.window.version
    add(each, pictures(0.7)[6:])
    await asyncio.wait_for(waiting, 60)
    assert each.window.version > version
