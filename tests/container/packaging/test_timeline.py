"""Where segments begin: decided once, known for a while, never beyond the target duration's rounding."""

import pytest
from origin.packaging.timeline import Boundary, Timeline

from tests.container.packaging.by_hand import generation


def begun(kept: int = 64, **more: bool) -> tuple[Timeline, Boundary]:
    timeline = Timeline(100, 0, 2000, kept, **more)
    return timeline, timeline.begin(generation(), 10_000)


def test_a_boundary_is_known_by_its_number_while_it_is_kept() -> None:
    timeline, boundary = begun(kept=3)
    every = [boundary]
    for index in range(1, 8):
        cut = timeline.cut(every[-1], 10_000 + 2000 * index)
        assert cut
        every.append(cut)
    assert [timeline.at(each.msn) for each in every] == [None] * 5 + every[5:]
    assert timeline.at(every[-1].msn + 1) is None
    assert timeline.at(0) is None


def test_nothing_is_known_before_the_beginning() -> None:
    assert Timeline(100, 0, 2000, 3).at(100) is None


@pytest.mark.parametrize(
    ("segment_ms", "target", "latest"), [(2000, 2, 2450), (1000, 1, 1450), (2500, 3, 3450), (6000, 6, 6450)]
)
def test_the_target_is_in_whole_seconds_and_what_it_rounds_to(segment_ms: int, target: int, latest: int) -> None:
    """RFC 8216bis 4.4.3.1."""
    timeline = Timeline(100, 0, segment_ms, 3)
    assert (timeline.target_duration, timeline.latest_ms) == (target, latest)


@pytest.mark.parametrize(
    ("elapsed", "longest_gop", "cuts"),
    [
        (1950, 0, True),  # a key frame a moment early is as good
        (1949, 0, True),  # the next one could come too late: a segment's time more would be 3949
        (400, 2000, False),
        (450, 2000, False),  # 450 + 2000 is not beyond 2450
        (451, 2000, True),
        (1000, 1000, True),  # two seconds are left until 3000, beyond 2450
        (449, 1000, False),
    ],
)
def test_a_key_frame_begins_a_segment_when_it_is_due(elapsed: int, longest_gop: int, *, cuts: bool) -> None:
    """Or when the next one might come after the latest moment."""
    timeline, boundary = begun()
    boundary.generation.longest_gop_ms = longest_gop
    assert (timeline.cut(boundary, 10_000 + elapsed) is not None) is cuts


@pytest.mark.parametrize(("elapsed", "cuts"), [(1049, False), (1050, True)])
def test_a_key_frame_is_due_when_a_segment_is_as_long_as_was_asked(elapsed: int, *, cuts: bool) -> None:
    """But for a moment, also where the target, in whole seconds, would leave time for much more."""
    timeline = Timeline(100, 0, 1100, 3)
    boundary = timeline.begin(generation(), 10_000)
    assert (timeline.cut(boundary, 10_000 + elapsed) is not None) is cuts


def test_every_key_frame_counts_where_encoders_were_told() -> None:
    timeline = Timeline(100, 0, 2000, 3)
    boundary = timeline.begin(generation(every_key=True), 10_000)
    assert timeline.cut(boundary, 10_001)


def test_only_from_the_newest_boundary_is_there_another() -> None:
    """A rendition that is behind follows what was decided."""
    timeline, first = begun()
    second = timeline.cut(first, 12_000)
    assert second
    assert timeline.cut(first, 14_000) is None
    assert timeline.at(second.msn) is second


def test_discontinuities_are_counted_and_first_ones_are_none_unless_somebody_was_here_before() -> None:
    timeline, first = begun()
    assert (first.discontinuity, first.discontinuity_sequence) == (False, 0)
    timeline.break_at_next()
    second = timeline.cut(first, 12_000)
    assert second
    assert (second.discontinuity, second.discontinuity_sequence) == (True, 1)
    third = timeline.cut(second, 14_000)
    assert third
    assert (third.discontinuity, third.discontinuity_sequence) == (False, 1)
    again = timeline.begin(generation(number=2), 16_000)
    assert (again.discontinuity, again.discontinuity_sequence) == (True, 2)

    _, continued = begun(continued=True)
    assert (continued.discontinuity, continued.discontinuity_sequence) == (True, 1)


def test_a_boundary_tells_the_time_on_the_wall() -> None:
    _, boundary = begun()
    assert boundary.wall == 1.7e9 + 10
