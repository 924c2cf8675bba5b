"""Ids that are nobody's: what they cost, and whom they disturb."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from origin.cluster import dynamodb_table, known_ids, leases
from origin.cluster.dynamodb_table import DynamoDbTable
from origin.cluster.known_ids import FRESH_SECONDS, LONGEST_SECONDS, STALE_SECONDS, UNITS_PER_SECOND, KnownIds
from origin.cluster.lease_table import Lease, Listing
from origin.cluster.leases import LEASE_SECONDS, LeaseRegistry
from origin.cluster.registry import Answer, Holder, RegistryBusyError, RegistryUnavailableError
from origin.packaging.position import Position

from tests.container.delivery.test_routing import until
from tests.container.dynamodb_stand_in import DynamoDbStandIn, dynamodb
from tests.container.lease_world import POSITION, Task, World
from tests.container.tasks import Broadcast
from tests.container.tasks import Task as ServingTask
from tests.local_aws import REGION

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ME, OTHER = Holder("me", "http://10.0.0.1:8080"), Holder("other", "http://10.0.0.2:8080")
NEVER = 60.0  # seconds; no test waits for so long


def lease(playback_id: str) -> Lease:
    return Lease(playback_id, "v", OTHER, "session", Position(1, 0), released=True)


class Table:
    """Counts what it is asked; does not answer while told so."""

    def __init__(self, *ids: str) -> None:
        self.ids = set(ids)
        self.asked: Counter[str] = Counter()
        self.units = 1.0
        self.lists, self.answers = asyncio.Event(), asyncio.Event()
        self.lists.set()
        self.answers.set()
        self.broken = False

    async def read(self, playback_id: str) -> Lease | None:
        raise AssertionError(f"a viewer of {playback_id} asks on the owners' lane")

    async def look(self, playback_id: str) -> Lease | None:
        self.asked["look"] += 1
        await self.answers.wait()
        return lease(playback_id) if playback_id in self.ids else None

    async def listing(self) -> Listing:
        self.asked["list"] += 1
        ids = frozenset(self.ids)
        await self.lists.wait()
        if self.broken:
            raise RegistryUnavailableError("AccessDeniedException")
        return Listing(ids, self.units)

    async def write(self, lease: Lease, *, over: str | None) -> None:
        raise AssertionError(f"nobody publishes here: {lease} over {over}")


class Clock:
    """Shows what the test says."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


async def silent(_: Holder, __: str) -> Answer:
    return Answer.SILENT


def registry_of(table: Table, clock: Clock) -> LeaseRegistry:
    return LeaseRegistry(ME, table, silent, clock=clock)


async def ask(registry: LeaseRegistry, *ids: str) -> list[Holder | BaseException | None]:
    return await asyncio.gather(*(registry.holder(each) for each in ids), return_exceptions=True)


def busy(answers: list[Holder | BaseException | None]) -> int:
    return sum(isinstance(each, RegistryBusyError) for each in answers)


async def turn() -> None:
    """Everything that can run without waiting has run."""
    for _ in range(20):
        await asyncio.sleep(0)


# --- the list ---


async def test_a_thousand_unknown_ids_cost_one_list_and_nothing_else() -> None:
    table = Table("show")
    registry = registry_of(table, Clock())
    for _ in range(2):
        assert set(await ask(registry, *(f"id{number}" for number in range(400)))) == {None}
    assert await registry.holder("show") == OTHER
    assert table.asked == {"list": 1, "look": 1}


async def test_the_list_is_read_on_demand_and_once_a_second_at_most() -> None:
    table, clock = Table(), Clock()
    registry = registry_of(table, clock)
    assert table.asked["list"] == 0
    for _ in range(100):  # ten seconds of strangers
        clock.now += 0.1
        await ask(registry, "a", "b")
        await turn()
    assert table.asked["look"] == 0
    assert 8 <= table.asked["list"] <= 10


async def test_a_broadcast_that_has_just_begun_is_found_at_once_if_nobody_asked_before(
    world: World, one: Task, two: Task
) -> None:
    await two.registry.holder("stranger")
    await world.pass_time(FRESH_SECONDS + 2 * STALE_SECONDS)
    await one.publish("show")
    assert await two.registry.holder("show") == one.registry.me


async def test_under_a_flood_it_is_found_as_soon_as_the_list_is_old() -> None:
    """Whoever waits for a show sees it no later than a second and a half after it began."""
    table, clock = Table(), Clock()
    registry = registry_of(table, clock)
    await ask(registry, "stranger")
    table.ids.add("show")
    while await registry.holder("show") is None:
        clock.now += 0.1
        await ask(registry, "stranger")
        await turn()
    assert clock.now <= FRESH_SECONDS + STALE_SECONDS


async def test_nobody_waits_for_a_list_while_the_last_one_is_nearly_new() -> None:
    table, clock = Table(), Clock()
    registry = registry_of(table, clock)
    await ask(registry, "stranger")
    clock.now += FRESH_SECONDS + STALE_SECONDS / 2
    table.lists.clear()
    async with asyncio.timeout(NEVER):
        assert await registry.holder("stranger") is None
    assert table.asked["list"] == 1 or not table.lists.is_set()
    table.lists.set()
    await turn()
    assert table.asked == {"list": 2}


async def test_an_ended_broadcast_is_still_found(one: Task, two: Task) -> None:
    """Its playlists are served by who had it last."""
    await one.publish("show")
    await one.leave("show")
    assert await two.registry.holder("show") == one.registry.me


async def test_a_list_of_many_leases_is_read_less_often_and_never_gets_old() -> None:
    """What it may cost is given; a new broadcast is seen within ten seconds, whatever it costs."""
    for units, seconds in ((1, FRESH_SECONDS), (3 * UNITS_PER_SECOND, 3), (1e6, LONGEST_SECONDS)):
        table, clock = Table(), Clock()
        table.units = units
        known = KnownIds(table.listing, clock)
        assert await known.lack("stranger")
        clock.now = seconds - 0.1
        assert await known.lack("stranger")
        await turn()
        assert table.asked["list"] == 1
        clock.now = seconds + STALE_SECONDS + 0.1
        assert await known.lack("stranger")
        assert table.asked["list"] == 2


# --- when there is no list ---


async def test_without_a_list_ids_are_looked_up_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A role that may not scan, a table that is throttled: so many look-ups a second, and 503 for the rest."""
    monkeypatch.setattr(leases, "_FIRST_LOOKS", 10)
    table, clock = Table("show"), Clock()
    table.broken = True
    registry = registry_of(table, clock)
    assert await registry.holder("show") == OTHER
    answers = await ask(registry, *(f"id{number}" for number in range(100)))
    assert (busy(answers), answers.count(None), table.asked["look"]) == (91, 9, 10)
    clock.now += 0.05
    assert busy(await ask(registry, "another")) == 1
    clock.now += 0.06
    assert await ask(registry, "another") == [None]
    table.broken = False
    clock.now += FRESH_SECONDS
    await ask(registry, "another")
    await turn()
    looks = table.asked["look"]
    assert busy(await ask(registry, *(f"other{number}" for number in range(100)))) == 0
    assert table.asked["look"] == looks


async def test_a_list_that_cannot_be_read_again_is_not_believed_any_more() -> None:
    table, clock = Table(), Clock()
    registry = registry_of(table, clock)
    assert await registry.holder("show") is None
    table.broken = True
    table.ids.add("show")
    clock.now += FRESH_SECONDS + STALE_SECONDS + 0.1
    assert await registry.holder("show") == OTHER


async def test_a_broken_list_is_tried_once_a_second_and_not_waited_for() -> None:
    table, clock = Table("show"), Clock()
    table.broken = True
    registry = registry_of(table, clock)
    await registry.holder("show")
    table.lists.clear()
    for _ in range(10):
        clock.now += 0.5
        async with asyncio.timeout(NEVER):
            await ask(registry, "stranger")
    assert table.asked["list"] == 2  # the second one is still on its way


async def test_fails_when_too_many_wait_for_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_ids, "_WAITING", 5)
    table = Table("show")
    table.lists.clear()
    registry = registry_of(table, Clock())
    asking = asyncio.create_task(ask(registry, *(f"id{number}" for number in range(20))))
    await turn()
    table.lists.set()
    answers = await asking
    assert (busy(answers), answers.count(None), table.asked) == (15, 5, {"list": 1})
    assert await registry.holder("show") == OTHER


async def test_a_table_that_hangs_is_given_up_by_viewers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the list nor a look-up comes: the first ones get no answer in time, all others an answer at once."""
    monkeypatch.setattr(known_ids, "_WAIT_SECONDS", 0.05)
    monkeypatch.setattr(leases, "_LOOK_WAIT_SECONDS", 0.05)
    monkeypatch.setattr(leases, "_FIRST_LOOKS", 10)
    table = Table("show")
    table.lists.clear()
    table.answers.clear()
    registry = registry_of(table, Clock())
    answers = await ask(registry, *(f"id{number}" for number in range(100)))
    assert (busy(answers), answers.count(None), table.asked["look"]) == (90, 10, 10)


# --- ids that are there ---


async def test_viewers_of_what_is_known_are_served_whatever_is_being_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "_FIRST_LOOKS", 10)
    monkeypatch.setattr(leases, "_LOOKS", 10)
    monkeypatch.setattr(leases, "_LOOK_WAIT_SECONDS", 0.05)
    table, clock = Table("show", *(f"id{number}" for number in range(20))), Clock()
    registry = registry_of(table, clock)
    assert await registry.holder("show") == OTHER
    table.answers.clear()
    clock.now += 1.1
    assert busy(await ask(registry, *(f"id{number}" for number in range(20)))) == 10
    assert await registry.holder("show") == OTHER
    # But not for ever: a hand-over would go unnoticed.
    clock.now += LEASE_SECONDS
    assert busy(await ask(registry, "show")) == 1
    table.answers.set()
    await turn()
    assert await registry.holder("show") == OTHER


# --- the lanes ---


@asynccontextmanager
async def table_at(stand_in: DynamoDbStandIn, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DynamoDbTable]:
    for name, value in {
        "AWS_ENDPOINT_URL": stand_in.endpoint,
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
    }.items():
        monkeypatch.setenv(name, value)
    table = DynamoDbTable("leases", REGION)
    try:
        yield table
    finally:
        table.close()


async def test_renewals_go_on_while_reads_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of viewers' look-ups and the list are on their way, none is answered, and every renewal is."""
    monkeypatch.setattr(known_ids, "_WAIT_SECONDS", 0.05)
    monkeypatch.setattr(dynamodb_table, "_CALL_SECONDS", NEVER)  # the same reads hang from the beginning to the end
    async with dynamodb() as stand_in, table_at(stand_in, monkeypatch) as table:
        registry = LeaseRegistry(ME, table, silent)
        await registry.acquire("show", "session")
        stand_in.seconds.update(GetItem=NEVER, Scan=NEVER)
        viewers = asyncio.create_task(ask(registry, *(f"id{number}" for number in range(500))))
        await until(lambda: stand_in.hanging >= 8, "the threads for look-ups hang")
        async with asyncio.timeout(NEVER / 2):
            for _ in range(5):
                await registry.renew("show", "session", POSITION)
            await registry.release("show", "session", POSITION)
            assert stand_in.hanging >= 8
        viewers.cancel()
    assert stand_in.asked["PutItem"] == 7


async def test_a_long_list_comes_in_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    async with dynamodb() as stand_in, table_at(stand_in, monkeypatch) as table:
        for number in range(25):
            await table.write(lease(f"id{number}"), over=None)
        stand_in.page = 10
        listing = await table.listing()
        assert listing.ids == {f"id{number}" for number in range(25)}
        assert (stand_in.asked["Scan"], listing.units) == (3, stand_in.units["Scan"])
        stand_in.page = 1
        with pytest.raises(RegistryUnavailableError, match="more than 8 MB of leases"):
            await table.listing()


async def test_fails_when_the_list_may_not_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a deploy has not given the role its new policy yet."""
    async with dynamodb() as stand_in, table_at(stand_in, monkeypatch) as table:
        stand_in.refused["Scan"] = "AccessDeniedException"
        await table.write(lease("show"), over=None)
        with pytest.raises(RegistryUnavailableError, match="AccessDeniedException"):
            await table.listing()
        assert await LeaseRegistry(ME, table, silent).holder("show") == OTHER


# --- what viewers get ---


@pytest.fixture
async def serving() -> AsyncIterator[tuple[ServingTask, Table]]:
    """A task whose registry is the real one."""
    table = Table()
    task = await ServingTask("task").start()
    task.router._registry = registry_of(table, Clock())
    yield task, table
    await task.stop()


Serving = tuple[ServingTask, Table]
OF_NOBODY = (
    "master.m3u8",
    "720p/index.m3u8",
    "720p/index.m3u8?_HLS_msn={number}&_HLS_part=0",
    "720p/index.m3u8?x={number}",
    "any{number}/index.m3u8",
    "720p/s.{number}.0.m4s",
)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_whatever_is_asked_of_an_unknown_id_costs_one_list(serving: Serving, method: str) -> None:
    task, table = serving
    for path in OF_NOBODY:
        for number in range(20):
            got = await task.get(f"nobody/{path}".format(number=number), method)
            assert (got.status, got.headers["cache-control"]) == (404, "max-age=1")
    assert table.asked == {"list": 1}


@pytest.mark.parametrize("playback_id", ["a" * 129, "a" * 6000, "a.b", "a%2B", "%00", "%c3%a4"])
async def test_what_can_be_no_id_costs_nothing(serving: Serving, playback_id: str) -> None:
    task, table = serving
    assert (await task.get(f"{playback_id}/master.m3u8")).status == 404
    assert (await task.get("nobody/master.m3u8", "OPTIONS")).status == 204
    assert not table.asked


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_fails_with_503_for_a_second_when_too_much_is_looked_up(
    serving: Serving, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "_FIRST_LOOKS", 0)
    task, table = serving
    table.broken = True
    got = await task.get("show/master.m3u8", method)
    assert (got.status, got.headers["cache-control"]) == (503, "max-age=1")
    assert got.headers["access-control-allow-origin"] == "*"
    assert (task.router.refusals(), task.router.refusals()) == (1, 0)


@pytest.mark.slow
async def test_a_flood_of_strangers_costs_no_viewer_a_part(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    """DynamoDB answers no read at all; a broadcast goes on, is renewed and watched without a gap."""
    for module, name in ((known_ids, "_WAIT_SECONDS"), (leases, "_LOOK_WAIT_SECONDS")):
        monkeypatch.setattr(module, name, 0.05)
    monkeypatch.setattr(dynamodb_table, "_CALL_SECONDS", NEVER)
    task, _ = serving
    async with dynamodb() as stand_in, table_at(stand_in, monkeypatch) as table:
        registry = task.router._registry = LeaseRegistry(task.holder, table, silent)
        await registry.acquire("show", "session")
        show = Broadcast("show").feed(3.4)
        task.streams["show"] = show.stream
        stand_in.seconds.update(GetItem=NEVER, Scan=NEVER)
        strangers = [asyncio.create_task(task.get(f"id{number}/master.m3u8")) for number in range(300)]
        await until(lambda: stand_in.hanging, "reads that hang")
        async with asyncio.timeout(NEVER / 2):
            for _ in range(10):
                part = show.hint
                show.feed(0.3)
                assert (await task.get(f"show/720p/{part}")).status == 200
                assert part.encode() in (await task.get("show/720p/index.m3u8")).body
                await registry.renew("show", "session", POSITION)
            answers = await asyncio.gather(*strangers)
        assert stand_in.hanging
    assert {(got.status, got.headers["cache-control"]) for got in answers} == {(404, "max-age=1"), (503, "max-age=1")}


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def one(world: World) -> Task:
    return world.start("one")


@pytest.fixture
def two(world: World) -> Task:
    return world.start("two")
