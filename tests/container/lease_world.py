"""Several tasks and one table of leases, on a clock that only moves when the test says so.

The table keeps DynamoDB's promise (a write happens on its condition or not at all, reads are consistent) and breaks the
network's: calls fail, answers get lost or come late, writes arrive long after they were given up.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from origin.cluster.lease_table import ConflictError, Lease, LeaseTable, Listing
from origin.cluster.leases import RENEW_SECONDS, LeaseRegistry
from origin.cluster.registry import Answer, Holder, LeaseLostError, RegistryUnavailableError
from origin.packaging.position import Position

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

STEP_SECONDS = 0.25
SLOW_SECONDS = 3.0
SILENT_SECONDS = 0.25  # shorter than in earnest, for contenders to try as early as they may
Fault = Literal["fails", "answer lost", "arrives later", "answers slowly"]


class MemoryTable:
    """What DynamoDB does with conditional writes, and nothing else."""

    def __init__(self) -> None:
        self.leases: dict[str, Lease] = {}

    async def read(self, playback_id: str) -> Lease | None:
        return self.leases.get(playback_id)

    async def look(self, playback_id: str) -> Lease | None:
        return self.leases.get(playback_id)

    async def listing(self) -> Listing:
        return Listing(frozenset(self.leases), len(self.leases) / 16)

    async def write(self, lease: Lease, *, over: str | None) -> None:
        current = self.leases.get(lease.playback_id)
        if (current.version if current else None) != over:
            raise ConflictError(current)
        self.leases[lease.playback_id] = lease


@dataclass(eq=False)
class Task:
    """One origin: its view of the table, its clock, and what its publishers do."""

    world: World
    name: str
    rate: float = 1.0  # of its clock, which begins anywhere
    offset: float = 0.0
    live: dict[str, str] = field(default_factory=dict)  # id to session, of those with a publisher
    ghosts: set[str] = field(default_factory=set)
    faults: list[Fault | None] = field(default_factory=list)  # of its next calls to the table
    crashed: bool = False
    paused: bool = False
    cut_off: bool = False  # from the other tasks
    without_table: bool = False
    busy: set[str] = field(default_factory=set)  # ids for which a publisher is being let in
    renewed: float = 0.0
    sessions: int = 0

    def __post_init__(self) -> None:
        self.registry = LeaseRegistry(
            Holder(self.name, f"http://{self.name}:8080"),
            self,
            self.ask,
            clock=lambda: self.world.now * self.rate + self.offset,
            sleep=self.world.pass_time,
        )

    # --- its way to the table ---

    async def read(self, playback_id: str) -> Lease | None:
        fault = self._fault()
        if fault in {"fails", "answer lost", "arrives later"}:
            raise RegistryUnavailableError(fault)
        lease = await self.world.table.read(playback_id)
        if fault == "answers slowly":
            await self.world.pass_time(SLOW_SECONDS)
        return lease

    async def look(self, playback_id: str) -> Lease | None:
        return await self.read(playback_id)

    async def listing(self) -> Listing:
        fault = self._fault()
        if fault in {"fails", "answer lost", "arrives later"}:
            raise RegistryUnavailableError(fault)
        listing = await self.world.table.listing()
        if fault == "answers slowly":
            await self.world.pass_time(SLOW_SECONDS)
        return listing

    async def write(self, lease: Lease, *, over: str | None) -> None:
        fault = self._fault()
        if fault == "fails":
            raise RegistryUnavailableError(fault)
        if fault == "arrives later":
            self.world.late.append(lambda: self.world.table.write(lease, over=over))
            raise RegistryUnavailableError(fault)
        await self.world.table.write(lease, over=over)
        if fault == "answers slowly":
            await self.world.pass_time(SLOW_SECONDS)
        if fault == "answer lost":
            raise RegistryUnavailableError(fault)

    def _fault(self) -> Fault | None:
        if self.without_table:
            return "fails"
        return self.faults.pop(0) if self.faults else None

    # --- its publishers ---

    async def publish(self, playback_id: str) -> bool:
        """A publisher comes; whether it is let in. The rest is what `Ingest` does with the registry."""
        self.sessions += 1
        session = f"{self.name}-{self.sessions}"
        self.world.ids.add(playback_id)
        self.busy.add(playback_id)
        try:
            await self.registry.acquire(playback_id, session)
        finally:
            self.busy.discard(playback_id)
        self.live[playback_id] = session
        self.ghosts.discard(playback_id)
        return True

    async def leave(self, playback_id: str) -> None:
        """The publisher of this id goes away."""
        session = self.live.pop(playback_id)
        await self.registry.release(playback_id, session, POSITION)

    async def ask(self, holder: Holder, playback_id: str) -> Answer:
        """What a holder says, as the network brings it."""
        other = next((task for task in self.world.tasks if task.name == holder.task), None)
        if self.cut_off or (other and (other.paused or other.cut_off)):
            await self.world.pass_time(SILENT_SECONDS)
            return Answer.SILENT
        if other is None or other.crashed:
            return Answer.ABSENT  # the connection is refused
        return await other.make_room(playback_id)

    async def make_room(self, playback_id: str) -> Answer:
        if playback_id in self.ghosts and playback_id in self.live:
            await self.leave(playback_id)
            return Answer.YIELDED
        if playback_id in self.live or playback_id in self.busy or self.registry.holds(playback_id):
            return Answer.WELL
        return Answer.ABSENT

    async def renew(self) -> None:
        """Once a second, what `renewal.keep` does."""
        self.renewed = self.world.now
        for playback_id, session in list(self.live.items()):
            try:
                await self.registry.renew(playback_id, session, POSITION)
            except LeaseLostError:
                self.live.pop(playback_id, None)
            except RegistryUnavailableError:
                pass


POSITION = Position(1000, 1)


class World:
    """Time passes for all at once; at each step, whoever is awake renews, and nobody may own what another owns."""

    def __init__(self) -> None:
        self.now = 0.0
        in_memory = MemoryTable()
        self.table: LeaseTable = in_memory
        self.written = in_memory.leases
        self.tasks: list[Task] = []
        self.late: list[Callable[[], Awaitable[None]]] = []
        self.ids: set[str] = set()
        self._renewing = False

    def start(self, name: str, rate: float = 1.0, offset: float = 0.0) -> Task:
        task = Task(self, name, rate, offset)
        self.tasks.append(task)
        return task

    async def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds / STEP_SECONDS)):
            self.now += STEP_SECONDS
            self.check()
            if self._renewing:  # somebody's renewal is slow: the others wait for theirs, which only makes it harder
                continue
            self._renewing = True
            try:
                for task in self.tasks:
                    if not (task.crashed or task.paused) and self.now - task.renewed >= RENEW_SECONDS:
                        await task.renew()
            finally:
                self._renewing = False
            self.check()

    async def deliver(self) -> None:
        """Writes that were given up long ago arrive."""
        late, self.late = self.late, []
        for write in late:
            with contextlib.suppress(ConflictError):
                await write()
            self.check()

    def owners(self, playback_id: str) -> list[str]:
        return [task.name for task in self.tasks if not task.crashed and task.registry.holds(playback_id)]

    def check(self) -> None:
        for playback_id in self.ids:
            owners = self.owners(playback_id)
            assert len(owners) <= 1, f"at {self.now}: {owners} own {playback_id}"


def run(coroutine: Awaitable[object]) -> object:
    """To its end, on a loop of its own: no time but the world's passes."""

    async def awaited() -> object:
        return await coroutine

    return asyncio.run(awaited())
