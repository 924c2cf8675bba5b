"""A publisher's clock: what its stamps become, whatever they do."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from origin.broadcast.clock import Clock, Kind

ZERO = 10_000  # of a session
WRAP = 2**32


def read(clock: Clock, stamps: list[tuple[Kind, int]]) -> list[int]:
    return [clock.read(kind, stamp % WRAP) - ZERO for kind, stamp in stamps]


def show(first: int, last: int, *, sound_first: bool = False, sound_by: int = 0) -> list[tuple[Kind, int]]:
    """Pictures and sound every 40 ms, together."""
    pairs: list[list[tuple[Kind, int]]] = [[("picture", at), ("sound", at + sound_by)] for at in range(first, last, 40)]
    return [each for pair in pairs for each in (reversed(pair) if sound_first else pair)]


@given(st.integers(0, WRAP - 1), st.lists(st.integers(-100, 2000), max_size=50))
def test_clock_has_no_wrap(start: int, steps: list[int]) -> None:
    clock, expected, raw = Clock(), 0, start
    assert read(clock, [("picture", raw)]) == [0]
    for step in steps:
        raw, expected = raw + step, expected + step
        assert read(clock, [("picture", raw)]) == [expected]
    assert clock.jumps == 0


@pytest.mark.parametrize("first", ["picture", "sound"])
@pytest.mark.parametrize(
    "by", [-3_600_000, -10_000, -3001, -2999, -1000, -300, -200, 3100, 10_000, 3_600_000, WRAP // 2]
)
@pytest.mark.parametrize("start", [0, WRAP - 2000])
def test_a_jump_of_the_source_costs_nothing_and_picture_and_sound_stay_in_step(first: str, by: int, start: int) -> None:
    """Once and again; nothing goes back by more than what is no jump, nothing waits, and each jump counts once."""
    clock, sound_first = Clock(), first == "sound"
    came: list[tuple[Kind, int]] = []
    for turn in range(3):
        begin = start + turn * (2000 + by)
        stamps = show(begin, begin + 2000, sound_first=sound_first)
        came += [(kind, at) for (kind, _), at in zip(stamps, read(clock, stamps), strict=True)]
    for kind in ("picture", "sound"):
        times = [at for each, at in came if each == kind]
        assert all(0 <= after - before <= 80 for before, after in itertools.pairwise(times))
    apart = [abs(one - other) for (_, one), (_, other) in zip(came[::2], came[1::2], strict=True)]
    assert max(apart) == 0
    assert clock.jumps == 2


@pytest.mark.parametrize("by", [-7_200_000, -10_000, -3500, 3500, 10_000, 7_200_000])
@pytest.mark.parametrize("sound_first", [False, True])
def test_kinds_that_share_no_clock_are_put_in_step_as_they_arrive(by: int, *, sound_first: bool) -> None:
    clock = Clock()
    came = read(clock, show(0, 4000, sound_first=sound_first, sound_by=by))
    assert max(abs(one - other) for one, other in zip(came[::2], came[1::2], strict=True)) == 0
    assert came[-1] == 3960
    assert clock.jumps == 0


def test_sound_that_is_ahead_or_late_by_less_stays_so() -> None:
    clock = Clock()
    came = read(clock, show(0, 4000, sound_by=-700))
    assert came[:4] == [0, -700, 40, -660]
    assert clock.jumps == 0


def test_a_pause_of_one_kind_is_no_jump() -> None:
    clock = Clock()
    read(clock, show(0, 1000))
    sound: list[tuple[Kind, int]] = [("sound", at) for at in range(1000, 9000, 40)]
    assert read(clock, sound)[-1] == 8960
    assert read(clock, [("picture", 9000)]) == [9000]
    assert clock.jumps == 0


def test_a_long_silence_of_both_is_closed() -> None:
    clock = Clock()
    read(clock, [("picture", 1000), ("sound", 1000)])
    assert read(clock, [("picture", 100_000), ("sound", 100_000), ("picture", 100_033)]) == [40, 40, 73]
    assert clock.jumps == 1
