"""Asking about keys in turns: strangers' wrong keys do not keep a right one out."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from origin.ingest import authorization
from origin.ingest.authorization import Authorization
from origin.ingest.turns import Limits, NoTurnError, Standing, Turns
from origin.ingest.verdict import BackendUnavailableError, UnauthorizedError

RIGHT = "right"


class Slow:
    """An authority that takes its time, and counts what it is asked."""

    def __init__(self, seconds: float = 0, right: Callable[[str], bool] = RIGHT.__eq__) -> None:
        self.asked: Counter[str] = Counter()
        self.at_once = self.most_at_once = 0
        self.available = True
        self._seconds, self._right = seconds, right

    async def authorize(self, *, name: str, app: str, addr: str) -> str:
        assert app
        assert addr
        self.asked[name] += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(self._seconds)
        finally:
            self.at_once -= 1
        if not self.available:
            raise BackendUnavailableError("out of order")
        if not self._right(name):
            raise UnauthorizedError("no")
        return "id"


def asking(tested: Authorization, name: str, addr: str = "192.0.2.1") -> Coroutine[Any, Any, str]:
    return tested.authorize(name=name, app="live", addr=addr)


async def attempt(tested: Authorization, name: str, addr: str = "192.0.2.1") -> type[Exception] | None:
    try:
        await asking(tested, name, addr)
    except (UnauthorizedError, BackendUnavailableError) as error:
        return type(error)
    return None


async def test_no_is_remembered_for_a_moment() -> None:
    """Measured from the question: a key that becomes valid right after it is refused no longer than that."""
    now, right = 100.0, set[str]()
    authority = Slow(right=right.__contains__)
    tested = Authorization(authority, clock=lambda: now)
    for _ in range(100):
        assert await attempt(tested, "k") is UnauthorizedError
    assert authority.asked["k"] == 1
    right.add("k")
    now += authorization._NO_SECONDS - 0.1
    assert await attempt(tested, "k") is UnauthorizedError
    now += 0.1
    assert await asking(tested, "k") == "id"


async def test_no_is_for_that_key_and_address_only() -> None:
    """The backend is told the address, and may go by it."""
    authority = Slow()
    tested = Authorization(authority)
    for addr in ("192.0.2.1", "192.0.2.2", "192.0.2.1"):
        assert await attempt(tested, "k", addr) is UnauthorizedError
    assert authority.asked["k"] == 2
    assert await attempt(tested, "other") is UnauthorizedError
    assert authority.asked["other"] == 1


async def test_no_answer_is_not_remembered() -> None:
    authority = Slow()
    tested = Authorization(authority)
    authority.available = False
    assert await attempt(tested, RIGHT) is BackendUnavailableError
    authority.available = True
    assert await asking(tested, RIGHT) == "id"


async def test_yes_is_not_remembered() -> None:
    """A key that is revoked is refused at once."""
    right = {RIGHT}
    tested = Authorization(Slow(right=right.__contains__))
    assert await asking(tested, RIGHT) == "id"
    right.clear()
    assert await attempt(tested, RIGHT) is UnauthorizedError


async def test_same_question_is_asked_once_at_a_time() -> None:
    authority = Slow(0.05)
    tested = Authorization(authority)
    answers = await asyncio.gather(*(attempt(tested, "k") for _ in range(200)))
    assert set(answers) == {UnauthorizedError}
    assert authority.asked["k"] == 1


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authorization, "_REMEMBERED", 10)
    limits = Limits(places=1, places_per_address=1, waiting=1, wait_seconds=0.01, hold_seconds=0)
    tested = Authorization(Slow(0.1), turns=Turns(limits))
    await asyncio.gather(*(attempt(tested, f"turned-away-{number}") for number in range(50)))
    tested = Authorization(Slow(right=lambda name: name.startswith("yes")), turns=Turns(Limits(hold_seconds=0)))
    for number in range(50):
        await attempt(tested, f"no-{number}")
        await attempt(tested, f"yes-{number}")
    for memory in (tested._noes, tested._known, tested._turned_away):
        assert len(memory) <= 10
    assert not len(tested._asking)
    assert not tested._turns._taken
    assert not tested._turns._taken_by


LIMITS = Limits(places=20, places_per_address=10, places_for_known=2, waiting=20, wait_seconds=0.6, hold_seconds=0)


async def flood(tested: Authorization, addresses: list[str], until: asyncio.Event) -> None:
    """Wrong keys, each another one, far more than are answered."""
    pending = set[asyncio.Task[Any]]()
    number = 0
    while not until.is_set():
        for _ in range(5):
            number += 1
            task = asyncio.create_task(attempt(tested, f"wrong-{number}", addresses[number % len(addresses)]))
            pending.add(task)
            task.add_done_callback(pending.discard)
        await asyncio.sleep(0.005)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)


STRANGERS = {
    "one": ["198.51.100.1"],
    "a few": [f"198.51.100.{number}" for number in range(5)],
    "many": [f"198.51.100.{number}" for number in range(60)],
    "one IPv6 network": [f"2001:db8::{number:x}" for number in range(60)],
    "the streamer's own": ["192.0.2.1"],
}


@pytest.mark.slow
@pytest.mark.parametrize("strangers", STRANGERS.values(), ids=STRANGERS)
@pytest.mark.parametrize("known", [True, False], ids=["known", "new"])
async def test_right_key_gets_in_while_wrong_ones_flood(strangers: list[str], *, known: bool) -> None:
    """Twenty questions at once, a fifth of a second each, a thousand wrong keys a second. A few attempts at most."""
    authority = Slow(0.2)
    tested = Authorization(authority, turns=Turns(LIMITS))
    if known:
        assert await asking(tested, RIGHT) == "id"
    stop = asyncio.Event()
    flooding = asyncio.create_task(flood(tested, strangers, stop))
    await asyncio.sleep(0.5)
    attempts = 0
    try:
        async with asyncio.timeout(30):
            while await attempt(tested, RIGHT) is not None:
                attempts += 1
    finally:
        stop.set()
        await flooding
    assert authority.most_at_once <= LIMITS.places + LIMITS.places_for_known
    assert attempts <= (0 if known else 3)


async def test_one_address_never_has_all_places() -> None:
    turns = Turns(LIMITS)
    holding = [asyncio.create_task(hold(turns, "a")) for _ in range(15)]
    await asyncio.sleep(0.05)
    assert turns._taken == LIMITS.places_per_address
    async with turns.turn(Standing.NEW, "b"):
        assert turns._taken == LIMITS.places_per_address + 1
    for task in holding:
        task.cancel()
    await asyncio.gather(*holding, return_exceptions=True)
    await asyncio.sleep(0.05)
    assert (turns._taken, turns._waiting, dict(turns._taken_by)) == (0, 0, {})
    assert not any(turns._queues.values())


async def hold(turns: Turns, address: str, standing: Standing = Standing.NEW) -> None:
    async with turns.turn(standing, address):
        await asyncio.sleep(60)


async def test_full_queue_makes_room_at_the_cost_of_who_fills_it() -> None:
    """The one who came last from the address with the most waiting is turned away."""
    turns = Turns(Limits(places=2, places_per_address=2, waiting=4, wait_seconds=60, hold_seconds=0))
    crowd = [asyncio.create_task(hold(turns, "a")) for _ in range(6)]
    await asyncio.sleep(0.01)
    with pytest.raises(NoTurnError):
        await hold(turns, "a")
    other = asyncio.create_task(hold(turns, "b"))
    await asyncio.sleep(0.01)
    assert crowd[-1].done()
    assert isinstance(crowd[-1].exception(), NoTurnError)
    assert not any(task.done() for task in [*crowd[:-1], other])
    for task in [*crowd, other]:
        task.cancel()
    await asyncio.gather(*crowd, other, return_exceptions=True)


async def test_place_is_held_for_a_while() -> None:
    """However quick the answers: so many a second, and no more."""
    authority = Slow()
    limits = Limits(places=5, places_per_address=5, waiting=50, wait_seconds=5, hold_seconds=0.2)
    tested = Authorization(authority, turns=Turns(limits))
    began = asyncio.get_running_loop().time()
    await asyncio.gather(*(attempt(tested, f"k{number}") for number in range(20)))
    assert authority.asked.total() == 20
    assert asyncio.get_running_loop().time() - began >= 3 * 0.2
    assert authority.most_at_once <= 5


async def test_who_leaves_while_waiting_takes_no_place() -> None:
    turns = Turns(Limits(places=1, places_per_address=1, wait_seconds=60, hold_seconds=0))
    first = asyncio.create_task(hold(turns, "a"))
    await asyncio.sleep(0.01)
    second = asyncio.create_task(hold(turns, "a"))
    await asyncio.sleep(0.01)
    first.cancel()
    await asyncio.sleep(0)  # the place is being given to the second one, which leaves at that moment
    second.cancel()
    await asyncio.gather(first, second, return_exceptions=True)
    third = asyncio.create_task(hold(turns, "a"))
    await asyncio.sleep(0.01)
    assert turns._taken == 1, "the third has the place that the second left"
    third.cancel()
