"""The lease rules one by one, on a clock of their own; and the table itself, on a real server of moto's."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from origin.cluster import dynamodb_table, leases
from origin.cluster.dynamodb_table import DynamoDbTable
from origin.cluster.lease_table import ConflictError, Lease
from origin.cluster.leases import LEASE_SECONDS, LOOK_SECONDS, MARGIN_SECONDS
from origin.cluster.registry import Grant, Holder, LeaseLostError, RegistryUnavailableError, StreamTakenError, clock_msn
from origin.packaging.position import Position
from origin.settings import ConfigurationError

from tests.container.image import PATIENCE_SECONDS
from tests.container.lease_world import POSITION, Task, World
from tests.local_aws import REGION, LocalAws

if TYPE_CHECKING:
    from collections.abc import Iterator

TABLE = "live-commerce-leases-test"
HELD_SECONDS = LEASE_SECONDS - MARGIN_SECONDS


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def one(world: World) -> Task:
    return world.start("one")


@pytest.fixture
def two(world: World) -> Task:
    """Its clock shows a time an hour away."""
    return world.start("two", offset=3600)


# --- owning ---


async def test_first_comer_owns(one: Task, two: Task) -> None:
    await one.publish("id")
    assert one.registry.holds("id")
    assert not two.registry.holds("id")
    assert await two.registry.holder("id") == one.registry.me


async def test_fails_while_the_holders_publisher_is_well(world: World, one: Task, two: Task) -> None:
    await one.publish("id")
    with pytest.raises(StreamTakenError) as error:
        await two.publish("id")
    assert error.value.holder == one.registry.me
    assert world.owners("id") == ["one"]


async def test_renewing_keeps_it_for_ever(world: World, one: Task) -> None:
    await one.publish("id")
    await world.pass_time(3600)
    assert one.registry.holds("id")


async def test_a_right_ends_before_anyone_may_take_it(
    world: World, one: Task, two: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The holder can be reached by nobody and reach nothing: its own clock tells it, in time."""
    await one.publish("id")
    one.without_table = one.cut_off = True
    began, held_at = world.now, [0.0]
    check = world.check

    def look() -> None:
        check()
        if one.registry.holds("id"):
            held_at.append(world.now)

    monkeypatch.setattr(world, "check", look)
    await two.publish("id")
    assert began + HELD_SECONDS - 0.5 <= held_at[-1] < began + HELD_SECONDS
    assert began + LEASE_SECONDS <= world.now <= began + LEASE_SECONDS + 0.5


async def test_the_right_counts_from_sending_not_from_the_answer(world: World, one: Task) -> None:
    """A contender counts from when the write is there, which may be long before its answer is here."""
    one.faults[:] = [None, "answers slowly"]
    await one.publish("id")
    sent = world.now - 3
    one.without_table = True
    await world.pass_time(sent + HELD_SECONDS - world.now)
    assert not one.registry.holds("id")


async def test_the_same_for_renewals(world: World, one: Task) -> None:
    await one.publish("id")
    one.paused = True  # the test renews, nobody else
    one.faults[:] = ["answers slowly"]
    sent = world.now
    await one.registry.renew("id", one.live["id"], POSITION)
    await world.pass_time(sent + HELD_SECONDS - world.now)
    assert not one.registry.holds("id")


async def test_what_a_slow_read_saw_counts_from_its_answer(world: World, one: Task, two: Task) -> None:
    """The version may have been written at any moment before the answer came, but not after."""
    await one.publish("id")
    one.paused = True
    one.cut_off = True
    await world.pass_time(0.5)
    read_at = world.now
    two.faults[:] = ["answers slowly"]
    await two.publish("id")
    assert world.now - read_at >= 3 + LEASE_SECONDS


async def test_released_is_free_at_once_and_goes_on_where_it_stopped(world: World, one: Task, two: Task) -> None:
    await one.publish("id")
    one.live.pop("id")
    far = Position(clock_msn() + 1000, 7)
    await one.registry.release("id", "one-1", far)
    before = world.now
    grant = await two.registry.acquire("id", "s")
    assert (grant.position, grant.continued, grant.by_another) == (far, True, True)
    assert world.now == before
    assert not one.registry.holds("id")


async def test_taken_at_once_from_a_process_that_is_gone(world: World, one: Task, two: Task) -> None:
    """And above all that it can have published since it last wrote down how far it got."""
    await one.publish("id")
    far = Position(clock_msn() + 1000, 7)
    await one.registry.renew("id", "one-1", far)
    one.crashed = True
    before = world.now
    grant = await two.registry.acquire("id", "s")
    assert world.now == before
    assert grant.position == Position(far.next_msn + 20, far.discontinuity_sequence + 4)


async def test_the_first_broadcast_begins_at_the_clock(one: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "clock_msn", lambda: 424_242)
    grant = await one.registry.acquire("id", "s")
    assert grant == Grant(Position(424_242, 0), continued=False, by_another=False)


async def test_numbers_rise_over_clocks_that_differ(
    world: World, one: Task, two: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second task's wall clock is a minute slow; the first had not been able to write for a quarter of an hour."""
    await one.publish("id")
    first = world.written["id"].position.next_msn
    one.crashed = True
    now = time.time()
    monkeypatch.setattr(leases, "clock_msn", lambda: int((now + 900 - 60 - 1_577_836_800) * 2))
    grant = await two.registry.acquire("id", "s")
    assert grant.position.next_msn > first + 900  # one segment a second, which is the most


async def test_a_ghost_makes_room(one: Task, two: Task, world: World) -> None:
    await one.publish("id")
    one.ghosts.add("id")
    assert await two.publish("id")
    assert world.owners("id") == ["two"]


async def test_a_publisher_that_is_well_stays_though_its_lease_ran_out(world: World, one: Task, two: Task) -> None:
    """The holder cannot write, but it can be asked."""
    await one.publish("id")
    one.without_table = True
    await world.pass_time(60)
    assert not one.registry.holds("id")
    with pytest.raises(StreamTakenError):
        await two.publish("id")


async def test_a_silent_holder_that_renews_keeps_it(world: World, one: Task, two: Task) -> None:
    """The two cannot reach each other, and both reach the table."""
    await one.publish("id")
    one.cut_off = True
    with pytest.raises(StreamTakenError):
        await two.publish("id")
    assert world.owners("id") == ["one"]


async def test_fails_without_the_table_and_owns_nothing(one: Task) -> None:
    one.without_table = True
    with pytest.raises(RegistryUnavailableError):
        await one.publish("id")
    assert not one.registry.holds("id")


# --- answers that get lost ---


async def test_a_lost_answer_to_an_acquisition_blocks_nobody(world: World, one: Task, two: Task) -> None:
    """It was written, and nobody owns it: the task itself can try again, and any other is told so."""
    one.faults[:] = [None, "answer lost"]
    with pytest.raises(RegistryUnavailableError):
        await one.publish("id")
    assert world.written["id"].holder == one.registry.me
    assert await two.publish("id")
    await two.leave("id")
    one.faults[:] = [None, "answer lost"]
    with pytest.raises(RegistryUnavailableError):
        await one.publish("id")
    grant = await one.registry.acquire("id", "again")
    assert grant.by_another  # what it kept from before is older than what the other one published


async def test_a_lost_answer_to_a_renewal_is_noticed_and_counts_from_its_sending(world: World, one: Task) -> None:
    await one.publish("id")
    one.paused = True
    one.faults[:] = ["answer lost"]
    await world.pass_time(1)
    with pytest.raises(RegistryUnavailableError):
        await one.registry.renew("id", "one-1", POSITION)
    await world.pass_time(1)
    await one.registry.renew("id", "one-1", Position(2000, 2))
    assert world.written["id"].position == Position(2000, 2)
    assert one.registry.holds("id")
    await world.pass_time(HELD_SECONDS)
    assert not one.registry.holds("id")


async def test_an_old_answer_gives_no_new_time(world: World, one: Task) -> None:
    """The renewal of three seconds ago did arrive, the one of now does not: the right is three seconds old."""
    await one.publish("id")
    one.paused = True
    one.faults[:] = ["answer lost", None, "fails"]
    with pytest.raises(RegistryUnavailableError):
        await one.registry.renew("id", "one-1", POSITION)
    await world.pass_time(3)
    with pytest.raises(RegistryUnavailableError):
        await one.registry.renew("id", "one-1", POSITION)
    assert one.registry.holds("id")
    await world.pass_time(HELD_SECONDS - 3)
    assert not one.registry.holds("id")


async def test_a_write_that_arrives_late_takes_nothing_away(world: World, one: Task, two: Task) -> None:
    await one.publish("id")
    one.paused = True
    one.faults[:] = ["arrives later"]
    with pytest.raises(RegistryUnavailableError):
        await one.registry.renew("id", "one-1", POSITION)
    one.crashed = True
    await two.publish("id")
    await world.deliver()
    assert world.owners("id") == ["two"]
    await two.registry.renew("id", "two-1", POSITION)


async def test_a_release_whose_answer_is_lost_is_a_release(world: World, one: Task, two: Task) -> None:
    await one.publish("id")
    one.faults[:] = ["answer lost"]
    await one.leave("id")
    assert world.written["id"].released
    one.crashed = True
    assert await two.publish("id")


async def test_a_release_of_an_older_session_changes_nothing(one: Task) -> None:
    """Two publishers of one task, one after the other: the end of the first comes after the beginning of the second."""
    await one.registry.acquire("id", "first")
    await one.registry.acquire("id", "second")
    await one.registry.release("id", "first", POSITION)
    assert one.registry.holds("id")
    with pytest.raises(LeaseLostError):
        await one.registry.renew("id", "first", POSITION)


async def test_an_emptied_table_ends_no_broadcast(world: World, one: Task) -> None:
    await one.publish("id")
    world.written.clear()
    await one.registry.renew("id", "one-1", POSITION)
    assert world.written["id"].holder == one.registry.me


# --- pauses ---


async def test_who_slept_notices_before_it_serves_anything(world: World, one: Task, two: Task) -> None:
    await one.publish("id")
    one.paused = True
    await world.pass_time(10)
    await two.publish("id")
    await world.pass_time(50)
    one.paused = False
    assert not one.registry.holds("id")
    assert await one.registry.holder("id") == two.registry.me
    with pytest.raises(LeaseLostError):
        await one.registry.renew("id", "one-1", POSITION)
    assert world.owners("id") == ["two"]


async def test_who_slept_alone_goes_on(world: World, one: Task) -> None:
    await one.publish("id")
    one.paused = True
    await world.pass_time(60)
    assert await one.registry.holder("id") == one.registry.me
    assert one.registry.holds("id")


# --- a table that is down ---


async def test_a_live_broadcast_goes_on_being_served_without_the_table(world: World, one: Task) -> None:
    """Viewers do not wait for a table that does not answer: renewing is tried all the time anyway."""
    await one.publish("id")
    one.without_table = True
    await world.pass_time(60)
    calls = 0
    read, write = one.read, one.write

    async def counted_read(playback_id: str) -> Lease | None:
        nonlocal calls
        calls += 1
        return await read(playback_id)

    async def counted_write(lease: Lease, *, over: str | None) -> None:
        nonlocal calls
        calls += 1
        await write(lease, over=over)

    one.read, one.write = counted_read, counted_write  # type: ignore[method-assign] # to count
    assert await one.registry.holder("id") == one.registry.me
    assert calls == 0
    one.without_table = False
    await world.pass_time(1)
    assert one.registry.holds("id")


async def test_others_are_remembered_without_the_table(world: World, one: Task, two: Task) -> None:
    await one.publish("id")
    assert await two.registry.holder("id") == one.registry.me
    two.without_table = True
    await world.pass_time(60)
    assert await two.registry.holder("id") == one.registry.me
    assert await two.registry.holder("another") is None


async def test_viewers_do_not_wait_for_a_table_that_does_not_answer(world: World, one: Task, two: Task) -> None:
    """The first one finds out; after that there is always a look under way, and an answer at once."""
    await one.publish("id")
    await two.registry.holder("id")
    two.without_table = True
    await world.pass_time(2)
    await two.registry.holder("id")
    waiting = asyncio.Event()

    async def hangs(playback_id: str) -> Lease | None:
        await waiting.wait()
        return await world.table.read(playback_id)

    two.read = hangs  # type: ignore[method-assign] # a call that takes its time
    await world.pass_time(2)
    for _ in range(3):
        assert await two.registry.holder("id") == one.registry.me
    await one.leave("id")
    await world.pass_time(1)
    waiting.set()
    await asyncio.sleep(0.01)
    assert await two.registry.holder("id") == one.registry.me


# --- who has it ---


async def test_answers_are_a_second_old_at_most_and_shared(world: World, one: Task, two: Task) -> None:
    looks = 0
    look = two.look

    async def counted(playback_id: str) -> Lease | None:
        nonlocal looks
        looks += 1
        await asyncio.sleep(0)
        return await look(playback_id)

    two.look = counted  # type: ignore[method-assign] # to count
    await one.publish("id")
    assert set(await asyncio.gather(*[two.registry.holder("id") for _ in range(50)])) == {one.registry.me}
    assert looks == 1
    await one.leave("id")
    await two.publish("id")
    await two.leave("id")
    await world.pass_time(LOOK_SECONDS + 0.25)
    assert set(await asyncio.gather(*[two.registry.holder("id") for _ in range(50)])) == {two.registry.me}
    assert looks == 2


async def test_a_holder_that_died_is_forgotten_after_a_lease(world: World, one: Task, two: Task) -> None:
    await one.publish("id")
    assert await two.registry.holder("id") == one.registry.me
    one.crashed = True
    await world.pass_time(LEASE_SECONDS)
    await two.registry.holder("id")
    await world.pass_time(LEASE_SECONDS)
    assert await two.registry.holder("id") is None


async def test_who_watched_already_need_not_wait(world: World, one: Task, two: Task) -> None:
    """A task with viewers of the stream has seen its lease stand still."""
    await one.publish("id")
    one.crashed = one.cut_off = True  # its machine is gone: nothing answers
    world.tasks.remove(one)
    two.cut_off = True
    for _ in range(8):
        await two.registry.holder("id")
        await world.pass_time(1)
    before = world.now
    await two.publish("id")
    assert world.now - before < 1


async def test_the_end_of_a_broadcast_is_at_its_last_holder(world: World, one: Task, two: Task) -> None:
    await one.publish("id")
    await one.leave("id")
    await world.pass_time(60)
    assert await two.registry.holder("id") == one.registry.me


async def test_strangers_ids_fill_no_memory(two: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is remembered of what is not in the list; without a list, the bound holds."""
    monkeypatch.setattr(leases, "_REMEMBERED", 10)
    for number in range(50):
        await two.registry.holder(f"id{number}")
    assert len(two.registry._seen) == 0  # nothing else shows it
    monkeypatch.setattr(two.registry._known, "lack", never)
    for number in range(50):
        await two.registry.holder(f"id{number}")
    assert len(two.registry._seen) == 10


async def never(_: str) -> bool:
    return False


# --- the table ---


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with LocalAws() as local:
        local.make_leases_table(TABLE)
        yield local


@pytest.fixture
def table(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[DynamoDbTable]:
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(
        dynamodb_table, "_CALL_SECONDS", PATIENCE_SECONDS
    )  # moto shares this process, and a busy machine
    dynamodb = DynamoDbTable(TABLE, REGION)
    yield dynamodb
    dynamodb.close()


def lease(playback_id: str, version: str) -> Lease:
    holder = Holder("task.1", "http://10.0.0.1:8080")
    return Lease(playback_id, version, holder, "session", Position(1 << 31, 3), released=False)


async def test_table_gives_back_what_was_written(table: DynamoDbTable, aws: LocalAws) -> None:
    assert await table.read("written") is None
    await table.write(lease("written", "v1"), over=None)
    assert await table.read("written") == lease("written", "v1")
    item = aws.client("dynamodb").get_item(TableName=TABLE, Key={"stream_id": {"S": "written"}})["Item"]
    assert time.time() + 80_000 < int(item["expires_at"]["N"]) < time.time() + 90_000


async def test_table_writes_on_condition_only(table: DynamoDbTable) -> None:
    await table.write(lease("conditional", "v1"), over=None)
    for over in (None, "v0"):
        with pytest.raises(ConflictError) as error:
            await table.write(lease("conditional", "v2"), over=over)
        assert error.value.current == lease("conditional", "v1")
    await table.write(lease("conditional", "v2"), over="v1")
    with pytest.raises(ConflictError) as error:
        await table.write(lease("never", "v2"), over="v1")
    assert error.value.current is None


async def test_table_lets_one_of_many_through(table: DynamoDbTable) -> None:
    """Really at the same time, on the threads of the client."""
    results = await asyncio.gather(
        *[table.write(lease("race", f"v{number}"), over=None) for number in range(8)], return_exceptions=True
    )
    assert sum(result is None for result in results) == 1
    assert all(result is None or isinstance(result, ConflictError) for result in results)


async def test_table_lists_what_somebody_has_or_had_a_moment_ago(table: DynamoDbTable, aws: LocalAws) -> None:
    """The filter that DynamoDB is sent, and leases that an older version of origin wrote, are moto's to read."""
    await table.write(lease("lives", "v1"), over=None)
    await table.write(replace(lease("ended", "v1"), released=True), over=None)
    await table.write(replace(lease("history", "v1"), released=True), over=None)
    aws.client("dynamodb").update_item(
        TableName=TABLE,
        Key={"stream_id": {"S": "history"}},
        UpdateExpression="SET expires_at = :then",
        ExpressionAttributeValues={":then": {"N": str(int(time.time()) + 86_400 - 3700)}},
    )
    listing = await table.listing()
    assert listing.ids >= {"lives", "ended"}
    assert "history" not in listing.ids
    assert listing.units > 0


async def test_fails_when_an_item_is_no_lease(table: DynamoDbTable, aws: LocalAws) -> None:
    aws.client("dynamodb").put_item(TableName=TABLE, Item={"stream_id": {"S": "odd"}, "version": {"N": "1"}})
    with pytest.raises(RegistryUnavailableError, match="no lease"):
        await table.read("odd")


async def test_fails_when_there_is_no_such_table(table: DynamoDbTable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "_name", "another")
    with pytest.raises(RegistryUnavailableError, match="ResourceNotFoundException"):
        await table.read("id")


async def test_fails_when_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that accepts and says nothing."""
    server = await asyncio.start_server(lambda *_: asyncio.sleep(30), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    environment = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_ACCESS_KEY_ID": "a"}
    for name, value in {**environment, "AWS_SECRET_ACCESS_KEY": "b"}.items():
        monkeypatch.setenv(name, value)
    dynamodb = DynamoDbTable(TABLE, REGION)
    try:
        with pytest.raises(RegistryUnavailableError, match="ReadTimeoutError"):
            await dynamodb.read("id")
    finally:
        dynamodb.close()
        server.close()


def test_fails_without_a_region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    with pytest.raises(ConfigurationError, match="region"):
        DynamoDbTable(TABLE, None)


async def test_the_rules_on_the_real_table(table: DynamoDbTable, world: World) -> None:
    """A whole life: first, renewed, taken from the dead, lost, given back."""
    world.table = table  # the same promise, kept by moto
    one, two = world.start("one"), world.start("two", offset=-86_400)
    await one.publish("life")
    await world.pass_time(3)
    with pytest.raises(StreamTakenError):
        await two.publish("life")
    one.paused = one.cut_off = True
    await two.publish("life")
    one.paused = one.cut_off = False
    with pytest.raises(LeaseLostError):
        await one.registry.renew("life", "one-1", POSITION)
    await two.leave("life")
    assert await one.publish("life")
    assert one.registry.holds("life")
    assert not two.registry.holds("life")
