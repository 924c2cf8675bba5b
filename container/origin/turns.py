"""Who may ask next: a bounded number at once, none of them crowded out by others.

Strangers have more addresses than one, and may share one with a streamer. So those that have been let in before have
places of their own, one address never has all the places, whoever was turned away before comes first the next time,
and a full queue makes room at the cost of the address that fills it most.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import IntEnum


class Standing(IntEnum):
    """Who comes first."""

    KNOWN = 0  # was let in before
    TURNED_AWAY = 1  # was not asked about when it came last
    NEW = 2


class NoTurnError(Exception):
    """Too many others want the same."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How many at once."""

    places: int = 512
    places_per_address: int = 256
    places_for_known: int = 64  # on top
    waiting: int = 256
    wait_seconds: float = 3
    # A place is free again after this time at the earliest: so there is an end to how many get one in a second.
    hold_seconds: float = 2


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter:
    standing: Standing
    address: str
    turn: asyncio.Future[None]


class Turns:
    """Places, and the queue for them."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._taken = 0
        self._taken_by: Counter[str] = Counter()
        self._waiting: dict[_Waiter, None] = {}  # in order of arrival

    @asynccontextmanager
    async def turn(self, standing: Standing, address: str) -> AsyncIterator[None]:
        """A place for as long as this lasts; NoTurnError if there is none within the time."""
        loop = asyncio.get_running_loop()
        waiter = _Waiter(standing, address, loop.create_future())
        self._queue(waiter)
        self._next()
        try:
            await asyncio.wait({waiter.turn}, timeout=self._limits.wait_seconds)
        except asyncio.CancelledError:
            self._leave(waiter)
            raise
        if not waiter.turn.done():
            self._leave(waiter)
            raise NoTurnError("no turn within the time")
        waiter.turn.result()
        began = loop.time()
        try:
            yield
        finally:
            loop.call_at(max(loop.time(), began + self._limits.hold_seconds), self._free, waiter)

    def _queue(self, waiter: _Waiter) -> None:
        if len(self._waiting) >= self._limits.waiting:
            self._make_room(waiter)
        self._waiting[waiter] = None

    def _make_room(self, newcomer: _Waiter) -> None:
        """Turn away the one who came last from the address with the most; NoTurnError: that would be the newcomer."""
        crowds = Counter(waiter.address for waiter in [*self._waiting, newcomer])

        def weight(waiter: _Waiter) -> tuple[int, int]:
            return waiter.standing, crowds[waiter.address]

        last = max(reversed(self._waiting), key=weight)
        if weight(last) <= weight(newcomer):
            raise NoTurnError("too many are waiting")
        del self._waiting[last]
        last.turn.set_exception(NoTurnError("too many are waiting"))

    def _next(self) -> None:
        """Give away the places that are free."""
        while ready := [waiter for waiter in self._waiting if self._has_place(waiter)]:
            waiter = min(ready, key=lambda each: (each.standing, self._taken_by[each.address]))
            del self._waiting[waiter]
            self._taken += 1
            self._taken_by[waiter.address] += 1
            waiter.turn.set_result(None)

    def _has_place(self, waiter: _Waiter) -> bool:
        limits = self._limits
        if waiter.standing is Standing.KNOWN:
            return self._taken < limits.places + limits.places_for_known
        return self._taken < limits.places and self._taken_by[waiter.address] < limits.places_per_address

    def _leave(self, waiter: _Waiter) -> None:
        self._waiting.pop(waiter, None)
        if waiter.turn.done() and not waiter.turn.exception():
            self._free(waiter)

    def _free(self, waiter: _Waiter) -> None:
        self._taken -= 1
        self._taken_by[waiter.address] -= 1
        if not self._taken_by[waiter.address]:
            del self._taken_by[waiter.address]
        self._next()
