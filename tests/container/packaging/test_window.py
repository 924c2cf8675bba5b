"""What is kept of a rendition, and what is known to come."""

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
