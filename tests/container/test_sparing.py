"""Fewer lines in the log."""

import logging

from origin.sparing import Sparing


def test_lines_beyond_the_limit_are_counted_and_not_logged() -> None:
    now = 0.0
    sparing = Sparing(lines=2, seconds=10, clock=lambda: now)

    def left_out() -> int | None:
        record = logging.makeLogRecord({})
        return getattr(record, "left_out", 0) if sparing.filter(record) else None

    assert [left_out() for _ in range(5)] == [0, 0, None, None, None]
    now = 4.9
    assert left_out() is None
    now = 5.1
    assert [left_out() for _ in range(3)] == [4, None, None]
    now = 60.0
    assert [left_out() for _ in range(3)] == [2, 0, None]
