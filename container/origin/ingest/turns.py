"""Who may ask next: a bounded number at once, none of them crowded out by others.

Strangers have more addresses than one, and may share one with a streamer. So those that have been let in before have
places of their own, one address never has all the places, whoever was turned away before comes first the next time,
and a full queue makes room at the cost of the address that fills it most.
"""

import asyncio
from collections import Counter, OrderedDict, deque
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
    """Places, and the queues for them: by standing, then by address, whose turns come round in circles."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._taken = 0
        self._taken_by: Counter[str] = Counter()
        self._waiting = 0
        self._queues: dict[Standing, OrderedDict[str, deque[_Waiter]]] = {each: OrderedDict() for each in Standing}

    @asynccontextmanager
    async def turn(self, standing: Standing, address: str) -> AsyncIterator[None]:
        """A place for as long as this lasts; NoTurnError if there is none within the time."""
        loop = asyncio.get_running_loop()
        waiter = _Waiter(standing, address, loop.create_future())
        if self._waiting >= self._limits.waiting:
            self._make_room(waiter)
        self._queues[standing].setdefault(address, deque()).append(waiter)
        self._waiting += 1
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

    def _make_room(self, newcomer: _Waiter) -> None:
        """Turn away the one who came last from the address with the most; NoTurnError: that would be the newcomer."""
        worst = max(standing for standing, queue in self._queues.items() if queue)
        crowd = max(self._queues[worst].values(), key=len)
        own = self._queues[worst].get(newcomer.address, ())
        if newcomer.standing > worst or (newcomer.standing == worst and len(crowd) <= len(own) + 1):
            raise NoTurnError("too many are waiting")
        last = crowd[-1]
        self._forget(last)
        last.turn.set_exception(NoTurnError("too many are waiting"))

    def _next(self) -> None:
        """Give away the places that are free."""
        while waiter := self._first():
            self._forget(waiter)
            if waiter.address in (queue := self._queues[waiter.standing]):
                queue.move_to_end(waiter.address)
            self._taken += 1
            self._taken_by[waiter.address] += 1
            waiter.turn.set_result(None)

    def _first(self) -> _Waiter | None:
        """The next one who may have a place. Few addresses can have all that one may have: the search is short."""
        for standing, queue in self._queues.items():
            if self._taken >= self._limits.places + (
                self._limits.places_for_known if standing is Standing.KNOWN else 0
            ):
                continue
            for address, waiters in queue.items():
                if standing is Standing.KNOWN or self._taken_by[address] < self._limits.places_per_address:
                    return waiters[0]
        return None

    def _forget(self, waiter: _Waiter) -> None:
        waiters = self._queues[waiter.standing][waiter.address]
        waiters.remove(waiter)
        self._waiting -= 1
        if not waiters:
            del self._queues[waiter.standing][waiter.address]

    def _leave(self, waiter: _Waiter) -> None:
        if not waiter.turn.done():
            self._forget(waiter)
        elif not waiter.turn.exception():
            self._free(waiter)

    def _free(self, waiter: _Waiter) -> None:
        self._taken -= 1
        self._taken_by[waiter.address] -= 1
        if not self._taken_by[waiter.address]:
            del self._taken_by[waiter.address]
        self._next()
