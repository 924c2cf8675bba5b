"""Fewer lines in the log, where strangers can cause as many as they like and each costs money."""

import logging
import time
from collections.abc import Callable

from origin.allowance import Allowance


class Sparing(logging.Filter):
    """Lets so many records of a logger pass in so many seconds; the next one that passes says how many did not."""

    def __init__(self, *, lines: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._allowance = Allowance(lines / seconds, lines)
        self._clock = clock
        self._left_out = 0

    def filter(self, record: logging.LogRecord) -> bool:
        if not self._allowance.take(1, self._clock()):
            self._left_out += 1
            return False
        if self._left_out:
            record.left_out, self._left_out = self._left_out, 0
        return True
