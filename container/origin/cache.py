"""Answers of other tasks, kept for as long as they say, and never more bytes than there is room for."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from origin.delivery import Response
from origin.peers import max_age

_OVERHEAD = 500  # bytes; an estimate of what an entry takes beside its body


@dataclass(frozen=True, slots=True)
class _Kept:
    response: Response
    since: float
    until: float
    size: int


class Cache:
    """Least recently used out first."""

    def __init__(self, capacity: int, clock: Callable[[], float] = time.monotonic) -> None:
        """`capacity` in bytes."""
        self._capacity = capacity
        self._clock = clock
        self._entries: OrderedDict[str, _Kept] = OrderedDict()
        self.size = 0

    def get(self, key: str) -> Response | None:
        """The answer, with its age in whole seconds, rounded up: nobody after us keeps it longer than it was meant."""
        kept = self._entries.get(key)
        if kept is None:
            return None
        now = self._clock()
        if now >= kept.until:
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return kept.response._replace(age=math.ceil(now - kept.since))

    def put(self, key: str, response: Response) -> None:
        seconds, size = max_age(response), len(response.body) + _OVERHEAD
        if seconds <= 0 or size > self._capacity:
            return
        if key in self._entries:
            self._drop(key)
        now = self._clock()
        self._entries[key] = _Kept(response, now, now + seconds, size)
        self.size += size
        while self.size > self._capacity:
            self._drop(next(iter(self._entries)))

    def _drop(self, key: str) -> None:
        self.size -= self._entries.pop(key).size
