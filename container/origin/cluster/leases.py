"""Several tasks, one owner for each stream: leases that are renewed every second and end by themselves.

No clock on a wall is trusted, only that time passes equally fast for all (docs/adr/0008-leases.md):

* the owner's right ends LEASE_SECONDS minus a margin after it *sent* the last write that is known to have arrived;
* a contender takes over LEASE_SECONDS after it has *read* a version that has not changed since, or as soon as it is
  certain that nobody at the owner's address has the stream; always on condition that the version is still the same.

So between the two lies at least the margin, wherever answers are lost, calls hang or processes sleep.
"""

import asyncio
import logging
import time
import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from origin.allowance import Allowance
from origin.cluster.known_ids import KnownIds
from origin.cluster.lease_table import ConflictError, Lease, LeaseTable
from origin.cluster.registry import (
    Answer,
    Grant,
    Holder,
    LeaseLostError,
    RegistryBusyError,
    RegistryUnavailableError,
    StreamTakenError,
    clock_msn,
)
from origin.packaging.position import Position

_LOG = logging.getLogger(__name__)

LEASE_SECONDS = 5.0
MARGIN_SECONDS = 1.0  # of the lease, for clocks that do not run equally fast and answers that are just being written
RENEW_SECONDS = 1.0
LOOK_SECONDS = 1.0  # how old an answer about another task's stream may be

_WAIT_SECONDS = 0.25
_RELEASE_ATTEMPTS = 2
# An owner that died has published more than it wrote down: a second's worth, or an outage's, which the clock covers.
_UNSEEN_SEGMENTS = 20
_UNSEEN_DISCONTINUITIES = 4
_REMEMBERED = 10_000  # ids come from strangers' requests
# Looks on their way at once, and in a second begun for ids that nothing is known of. Those in the list are few at a
# time; without a list, they are what strangers can make a task spend on them.
_LOOKS = 256
_FIRST_LOOKS = 64
_LOOK_WAIT_SECONDS = 2.5


T = TypeVar("T")

Ask = Callable[[Holder, str], Awaitable[Answer]]


@dataclass(slots=True)
class _Held:
    lease: Lease  # the last one that is known to be in the table
    until: float
    attempts: dict[str, float] = field(default_factory=dict)  # versions that may be in the table, and when sent
    unanswered: float = float("-inf")  # when the table last failed to answer
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(slots=True)
class _Seen:
    lease: Lease | None
    since: float  # the version is this old at least
    looked: float


class LeaseRegistry:
    """A task's view of who has which stream, and its own part in it."""

    def __init__(
        self,
        me: Holder,
        table: LeaseTable,
        ask: Ask,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`ask` asks an owner to make room; it answers within a few seconds, whatever happens."""
        self._me = me
        self._table = table
        self._ask = ask
        self._clock = clock
        self._sleep = sleep
        self._held: dict[str, _Held] = {}
        self._seen: OrderedDict[str, _Seen] = OrderedDict()
        self._known = KnownIds(table.listing, clock)
        self._unanswered = float("-inf")  # when the table last failed to answer a look
        self._looking: dict[str, asyncio.Task[None]] = {}
        self._confirming: dict[str, asyncio.Task[bool]] = {}
        self._first_looks = Allowance(_FIRST_LOOKS, _FIRST_LOOKS)
        self._had: OrderedDict[str, str] = OrderedDict()  # the last session of ours that owned an id

    @property
    def me(self) -> Holder:
        return self._me

    # --- owning ---

    def holds(self, playback_id: str) -> bool:
        held = self._held.get(playback_id)
        return held is not None and self._clock() < held.until

    async def acquire(self, playback_id: str, session: str) -> Grant:
        current = await self._read(playback_id)
        give_up = self._clock() + LEASE_SECONDS + MARGIN_SECONDS
        while True:
            if current is None or await self._may_take(current):
                if grant := await self._take(playback_id, session, current):
                    return grant
            elif self._clock() > give_up:
                raise StreamTakenError(current.holder)
            else:
                await self._sleep(_WAIT_SECONDS)
            current = await self._read(playback_id)

    async def _may_take(self, current: Lease) -> bool:
        if current.released or current.holder.task == self._me.task:
            return True
        if current.holder.address == self._me.address:
            return True  # a task that is gone had our address, and asking it would be asking ourselves
        match await self._ask(current.holder, current.playback_id):
            case Answer.WELL:
                raise StreamTakenError(current.holder)
            case Answer.ABSENT:
                return True
            case Answer.YIELDED:
                return False  # and the next look finds it released
        return self._clock() - self._seen[current.playback_id].since >= LEASE_SECONDS

    async def _take(self, playback_id: str, session: str, current: Lease | None) -> Grant | None:
        position = _continuation(current)
        lease = Lease(playback_id, _new_version(), self._me, session, position, released=False)
        sent = self._clock()
        try:
            await self._table.write(lease, over=current.version if current else None)
        except ConflictError:
            return None
        by_another = current is not None and self._had.get(playback_id) != current.session
        self._held[playback_id] = _Held(lease, sent + LEASE_SECONDS - MARGIN_SECONDS)
        self._had[playback_id] = session
        _bound(self._had)
        return Grant(position, continued=current is not None, by_another=by_another)

    async def renew(self, playback_id: str, session: str, position: Position) -> None:
        held = self._held.get(playback_id)
        if held is None or held.lease.session != session:
            raise LeaseLostError(playback_id)
        async with held.writing:
            try:
                await self._write(held, position, released=False)
            except RegistryUnavailableError:
                held.unanswered = self._clock()
                raise

    async def release(self, playback_id: str, session: str, position: Position) -> None:
        held = self._held.get(playback_id)
        if held is None or held.lease.session != session:
            return
        del self._held[playback_id]  # first of all: from here on it is not ours
        async with held.writing:
            for _ in range(_RELEASE_ATTEMPTS):
                try:
                    await self._write(held, position, released=True)
                except LeaseLostError:
                    break
                except RegistryUnavailableError as error:
                    _LOG.warning("lease not given back, it will run out: %s", error)
                else:
                    break

    async def _write(self, held: _Held, position: Position, *, released: bool) -> None:
        """Write over what we know to be there; if that is an earlier write of ours without an answer, over that one."""
        playback_id, mine = held.lease.playback_id, self._held.get(held.lease.playback_id) is held
        if not mine and not released:
            raise LeaseLostError(playback_id)
        lease = replace(held.lease, version=_new_version(), position=position, released=released)
        sent = held.attempts[lease.version] = self._clock()
        over: str | None = held.lease.version
        while True:
            try:
                await self._table.write(lease, over=over)
                break
            except ConflictError as conflict:
                current = conflict.current
                if current is not None and current.version not in held.attempts:
                    if mine:
                        self._held.pop(playback_id, None)
                    raise LeaseLostError(playback_id) from None
                if current is not None:
                    held.lease, held.until = current, held.attempts[current.version] + LEASE_SECONDS - MARGIN_SECONDS
                # Somebody may have emptied the table: that ends no broadcast either.
                over = current.version if current else None
        held.lease, held.until = lease, sent + LEASE_SECONDS - MARGIN_SECONDS
        held.attempts.clear()

    # --- knowing who owns ---

    async def holder(self, playback_id: str) -> Holder | None:
        if self.holds(playback_id):
            return self._me
        if playback_id in self._held and await asyncio.shield(_once(self._confirming, playback_id, self._confirm)):
            return self._me
        seen = self._seen.get(playback_id)
        if (seen is None or seen.lease is None) and await self._known.lack(playback_id):
            return None
        if seen is None or self._clock() - seen.looked > LOOK_SECONDS:
            await self._look_again(playback_id, seen)
        return self._last_seen(playback_id)

    def _last_seen(self, playback_id: str) -> Holder | None:
        seen = self._seen.get(playback_id)
        if seen is None or seen.lease is None:
            return None
        # While the table did not answer us it may not have answered the owner: that one is still to renew.
        if not seen.lease.released and self._clock() - max(seen.since, self._unanswered) >= LEASE_SECONDS:
            return None  # its owner has died, and nobody has taken over
        return seen.lease.holder

    async def _look_again(self, playback_id: str, seen: _Seen | None) -> None:
        """Have it looked up, and wait for that where waiting helps."""
        now, known = self._clock(), seen is not None and seen.lease is not None
        silent = now - self._unanswered < LEASE_SECONDS
        if playback_id not in self._looking and not self._may_look(known=known):
            # What is known already serves for a while, and for as long as there is no answer to be had.
            if not (known and (silent or (seen and now - seen.looked < LEASE_SECONDS))):
                raise RegistryBusyError(f"{len(self._looking)} ids are being looked up already")
            return
        look = _once(self._looking, playback_id, self._look)
        # While the table does not answer, viewers of what is known already do not wait for it.
        if seen is None or not silent:
            await asyncio.wait({look}, timeout=_LOOK_WAIT_SECONDS)

    def _may_look(self, *, known: bool) -> bool:
        if known:
            return len(self._looking) < _LOOKS
        return len(self._looking) < _FIRST_LOOKS and self._first_looks.take(1, self._clock())

    async def _confirm(self, playback_id: str) -> bool:
        """After a time without a renewal: whether the stream is still ours, as far as anyone can tell."""
        held = self._held.get(playback_id)
        if held is None:
            return False
        if self._clock() - held.unanswered < LEASE_SECONDS:
            return True  # renewing is being tried all the time, and viewers do not wait for it
        try:
            await self.renew(playback_id, held.lease.session, held.lease.position)
        except LeaseLostError:
            return False
        except RegistryUnavailableError:
            pass  # a table that does not answer ends no broadcast
        return True

    async def _read(self, playback_id: str) -> Lease | None:
        return self._saw(playback_id, await self._table.read(playback_id))

    def _saw(self, playback_id: str, lease: Lease | None) -> Lease | None:
        now = self._clock()  # after the answer: it says nothing about what was before
        seen = self._seen.get(playback_id)
        if seen is None or (seen.lease and seen.lease.version) != (lease and lease.version):
            seen = self._seen[playback_id] = _Seen(lease, since=now, looked=now)
        seen.looked = now
        self._seen.move_to_end(playback_id)
        _bound(self._seen)
        return lease

    async def _look(self, playback_id: str) -> None:
        try:
            self._saw(playback_id, await self._table.look(playback_id))
        except RegistryUnavailableError:
            self._unanswered = self._clock()


def _once(
    running: dict[str, asyncio.Task[T]], playback_id: str, begin: Callable[[str], Coroutine[Any, Any, T]]
) -> asyncio.Task[T]:
    """Many callers, one task, which goes on when the caller that began it hangs up."""
    task = running.get(playback_id)
    if task is None:
        task = running[playback_id] = asyncio.create_task(begin(playback_id))
        task.add_done_callback(lambda _: running.pop(playback_id, None))
    return task


def _continuation(current: Lease | None) -> Position:
    if current is None:
        return Position(clock_msn(), 0)
    position = current.position
    if current.released:
        return Position(max(clock_msn(), position.next_msn), position.discontinuity_sequence)
    return Position(
        max(clock_msn(), position.next_msn) + _UNSEEN_SEGMENTS,
        position.discontinuity_sequence + _UNSEEN_DISCONTINUITIES,
    )


def _bound(remembered: OrderedDict[str, Any]) -> None:
    while len(remembered) > _REMEMBERED:
        remembered.popitem(last=False)


def _new_version() -> str:
    return uuid.uuid4().hex
