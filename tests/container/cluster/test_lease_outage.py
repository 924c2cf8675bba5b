"""After an outage: nobody's silence is taken for a death, and the dead keep nobody out."""

import asyncio

from origin.cluster.lease_table import ConflictError, Lease, Listing
from origin.cluster.leases import LEASE_SECONDS, LeaseRegistry
from origin.cluster.registry import Answer, Holder, RegistryUnavailableError
from origin.packaging.position import Position

OWNER, VIEWERS = Holder("owner", "http://10.0.0.1:8080"), Holder("viewers", "http://10.0.0.2:8080")


class Table:
    """A table of one lease, which can be out of reach."""

    def __init__(self) -> None:
        self.lease: Lease | None = None
        self.down = False

    async def read(self, playback_id: str) -> Lease | None:  # noqa: ARG002 # there is one lease
        if self.down:
            raise RegistryUnavailableError
        return self.lease

    async def look(self, playback_id: str) -> Lease | None:
        return await self.read(playback_id)

    async def listing(self) -> Listing:
        lease = await self.read("any")
        return Listing(frozenset({lease.playback_id} if lease else ()), 1)

    async def write(self, lease: Lease, *, over: str | None) -> None:
        if self.down:
            raise RegistryUnavailableError
        if (self.lease and self.lease.version) != over:
            raise ConflictError(self.lease)
        self.lease = lease


async def silent(_: Holder, __: str) -> Answer:
    return Answer.SILENT


async def test_an_owner_that_could_not_renew_is_still_the_holder() -> None:
    """It is given a lease's time to renew, from when the table answers again; a dead one is gone after that."""
    now = 0.0
    table = Table()
    owner, viewers = (LeaseRegistry(me, table, silent, clock=lambda: now) for me in (OWNER, VIEWERS))
    await owner.acquire("show", "session")
    assert await viewers.holder("show") == OWNER

    table.down = True
    for _ in range(15):
        now += 2
        assert await viewers.holder("show") == OWNER
        await asyncio.sleep(0)  # the look that nobody waited for
    table.down = False
    now += 2
    assert await viewers.holder("show") == OWNER
    await owner.renew("show", "session", Position(1, 0))
    now += LEASE_SECONDS - 0.5
    assert await viewers.holder("show") == OWNER
    now += LEASE_SECONDS + 0.5
    assert await viewers.holder("show") is None


async def test_a_task_takes_over_at_once_from_one_that_had_its_address() -> None:
    """A container that starts again, or a private address that is used again: asked, it would be its own rival."""
    table = Table()
    before, after = (LeaseRegistry(Holder(task, OWNER.address), table, ourselves) for task in ("before", "after"))
    await before.acquire("show", "first")

    grant = await after.acquire("show", "second")

    assert (grant.continued, grant.by_another) == (True, True)
    assert after.holds("show")


async def ourselves(_: Holder, __: str) -> Answer:
    """What a task says that is just letting this publisher in."""
    return Answer.WELL
