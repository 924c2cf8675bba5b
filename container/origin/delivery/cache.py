"""Answers of other tasks, kept for as long as they say, and never more bytes than there is room for."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from cachetools import TLRUCache

from origin.delivery.answers import Response

_OVERHEAD = 500  # bytes; an estimate of what an entry takes beside its body
_MAX_AGE = re.compile(r"max-age=(\d+)")


@dataclass(frozen=True, slots=True)
class _Kept:
    response: Response
    until: float
    size: int


class Cache:
    """Least recently used out first, and what has had its time."""

    def __init__(self, capacity: int, clock: Callable[[], float] = time.monotonic) -> None:
        """`capacity` in bytes."""
        self._clock = clock
        self._entries: TLRUCache[str, _Kept] = TLRUCache(
            capacity, lambda _, kept, __: kept.until, timer=clock, getsizeof=lambda kept: kept.size
        )

    @property
    def size(self) -> int:
        """Bytes."""
        return round(self._entries.currsize)

    def get(self, key: str) -> Response | None:
        """The answer, saying how long it is still good for."""
        kept = self._entries.get(key)
        if kept is None:
            return None
        left = int(kept.until - self._clock())
        return kept.response._replace(cache_control=_shortened(kept.response.cache_control, left))

    def put(self, key: str, response: Response) -> None:
        """Keep an answer that has just been made, if it may be kept."""
        seconds, size = _max_age(response.cache_control), len(response.body) + len(key) + _OVERHEAD
        if seconds > 0 and size <= self._entries.maxsize:
            self._entries[key] = _Kept(response, self._clock() + seconds, size)


def _max_age(cache_control: str) -> int:
    """For how many seconds an answer may be used again (RFC 9111 5.2.2.1)."""
    found = _MAX_AGE.search(cache_control)
    return int(found[1]) if found else 0


def _shortened(cache_control: str, left: int) -> str:
    """What tasks say of an answer when it has `left` whole seconds of its time.

    All tasks together are one origin server: what one has from another is no older to the world outside. An Age would
    say the same to caches (RFC 9111 5.1), but it counts whole seconds. Rounded down, a playlist of one second becomes
    two seconds old in CloudFront; rounded up, players believe it: they take a playlist that was made just now for a
    second old, and ask for a part that is as far away (RFC 8216bis appendix C; hls.js does).
    """
    return cache_control if "immutable" in cache_control else _MAX_AGE.sub(f"max-age={left}", cache_control)
