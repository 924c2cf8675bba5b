"""Fewer lines in the log, where strangers can cause as many as they like and each costs money."""

import logging
import time
from collections.abc import Callable


class Sparing(logging.Filter):
    """Lets so many records of a logger pass in so many seconds; the first one after that says how many did not."""

    def __init__(self, *, lines: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._lines = lines
        self._seconds = seconds
        self._clock = clock
        self._began = float("-inf")
        self._passed = self._left_out = 0

    def filter(self, record: logging.LogRecord) -> bool:
        now = self._clock()
        if now - self._began >= self._seconds:
            self._began, self._passed = now, 0
        self._passed += 1
        if self._passed > self._lines:
            self._left_out += 1
            return False
        if self._left_out:
            record.left_out, self._left_out = self._left_out, 0
        return True
