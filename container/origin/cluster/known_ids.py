"""Which playback ids are anybody's: all of them read at once, so that an id which is nobody's costs no request.

Read on demand and shared by all who ask (docs/adr/0016-a-list-of-all-ids.md).
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any

from origin.cluster.lease_table import Listing
from origin.cluster.registry import RegistryBusyError, RegistryUnavailableError

_LOG = logging.getLogger(__name__)

FRESH_SECONDS = 1.0
STALE_SECONDS = 0.5  # for so long after that a list is good while the next one is on its way
# A list of many leases is read less often. A partition gives 3,000 units a second, and there may be 20 tasks
# (DynamoDB developer guide, "Best practices for designing and using partition keys effectively").
UNITS_PER_SECOND = 100
LONGEST_SECONDS = 10.0

_WAITING = 500
_WAIT_SECONDS = 2.5


class KnownIds:
    """The ids of the last list, and when the next one is due."""

    def __init__(
        self, read: Callable[[], Coroutine[Any, Any, Listing]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._read = read
        self._clock = clock
        self._ids: frozenset[str] = frozenset()
        self._good_until = self._tried = float("-inf")
        self._reading: asyncio.Task[None] | None = None
        self._waiting = 0
        self._problem: str | None = None

    async def lack(self, playback_id: str) -> bool:
        """Whether this id is certainly nobody's; False also while there is no list.

        Raises:
            RegistryBusyError: too many are waiting for the list.
        """
        if self._clock() > self._good_until:
            self._read_soon()
            if self._clock() > self._good_until + STALE_SECONDS:
                await self._wait()
        return self._clock() <= self._good_until + STALE_SECONDS and playback_id not in self._ids

    async def _wait(self) -> None:
        # Who has just failed to answer is not waited for.
        if self._reading is None or self._problem is not None:
            return
        if self._waiting >= _WAITING:
            raise RegistryBusyError(f"{_WAITING} requests wait for the list of leases already")
        self._waiting += 1
        try:
            await asyncio.wait({self._reading}, timeout=_WAIT_SECONDS)
        finally:
            self._waiting -= 1

    def _read_soon(self) -> None:
        if self._reading is None and self._clock() - self._tried >= FRESH_SECONDS:
            self._tried = self._clock()
            self._reading = asyncio.create_task(self._refresh())
            self._reading.add_done_callback(self._was_read)

    async def _refresh(self) -> None:
        try:
            listing = await self._read()
        except RegistryUnavailableError as error:
            if self._problem is None:
                _LOG.warning("no list of leases, ids are looked up one by one: %s", error)
            self._problem = str(error)
        else:
            if self._problem is not None:
                _LOG.info("there is a list of leases again")
            self._problem, self._ids = None, listing.ids
            seconds = min(max(FRESH_SECONDS, listing.units / UNITS_PER_SECOND), LONGEST_SECONDS)
            self._good_until = self._clock() + seconds

    def _was_read(self, _: asyncio.Task[None]) -> None:
        self._reading = None
