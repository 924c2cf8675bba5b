"""A publisher's clock."""

from hypothesis import given
from hypothesis import strategies as st
from origin.broadcast.meter import Clock


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(-500, 2000), max_size=50))
def test_clock_has_no_wrap(start: int, steps: list[int]) -> None:
    clock, expected, raw = Clock(), 10_000, start
    assert clock.read(raw % 2**32) == expected
    for step in steps:
        raw, expected = raw + step, expected + step
        assert clock.read(raw % 2**32) == expected
    assert clock.jumps == 0


def test_clock_closes_jumps() -> None:
    clock = Clock()
    clock.read(1000)
    assert clock.read(100_000) == 10_040
    assert clock.read(100_033) == 10_073
    assert clock.read(5) == 10_113
    assert clock.jumps == 2
