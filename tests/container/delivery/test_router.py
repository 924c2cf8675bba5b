"""Routing by itself: what becomes of a request when the holder is silent, or the registry has too much to do."""

import asyncio
from typing import Any

import pytest
from origin.cluster.registry import Holder, RegistryBusyError
from origin.delivery import routing
from origin.delivery.answers import NOT_FOUND, Delivery, Response
from origin.delivery.routing import Router

from tests.container.image import PATIENCE_SECONDS
from tests.container.tasks import SETTINGS, ScriptedRegistry

ME, HOLDER, NEXT = (Holder(name, f"http://{name}") for name in ("me", "holder", "next"))
PATH = "show/720p/index.m3u8"
ANSWER = Response(200, b"from the next one")


class Silent:
    """Peers of which only `NEXT` answers."""

    def __init__(self) -> None:
        self.asked: list[tuple[Holder, str, float]] = []

    async def get(self, holder: Holder, target: str, *, seconds: float) -> Response:
        self.asked.append((holder, target, seconds))
        if holder == NEXT:
            return ANSWER
        await asyncio.Event().wait()
        raise AssertionError


class CountingRegistry(ScriptedRegistry):
    """Lets a test wait for looks, and can be busy."""

    busy = False

    async def holder(self, playback_id: str) -> Holder | None:
        found = await super().holder(playback_id)
        if self.busy:
            raise RegistryBusyError
        return found

    async def looked(self, times: int) -> None:
        until = self.looks + times
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.looks < until:  # noqa: ASYNC110 # its own attribute, which signals nothing
                await asyncio.sleep(0)


class Alone:
    """A router whose tasks are made up."""

    def __init__(self) -> None:
        self.registry, self.peers = CountingRegistry(ME), Silent()
        self.registry.holders["show"] = HOLDER
        peers: Any = self.peers
        self.delivery = Delivery({}, SETTINGS)
        self.router = Router(self.delivery, self.registry, peers, cache_bytes=1 << 20)

    def get(self, path: str = PATH) -> asyncio.Task[Response]:
        return asyncio.create_task(self.router.get(path, "", gzip_accepted=False, hop=False))


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> Alone:
    monkeypatch.setattr(routing, "_LOOK_SECONDS", 0)
    return Alone()


async def test_a_silent_holder_is_waited_for_while_it_is_the_holder(alone: Alone) -> None:
    held = alone.get()
    await alone.registry.looked(20)
    assert not held.done()
    assert alone.peers.asked == [(HOLDER, PATH, alone.delivery.longest_hold_seconds + 5)]
    held.cancel()


async def test_whoever_follows_a_silent_holder_is_asked(alone: Alone) -> None:
    """At once: nothing else tells that the first one will never answer."""
    held = alone.get()
    await alone.registry.looked(5)
    alone.registry.holders["show"] = NEXT
    assert await asyncio.wait_for(held, PATIENCE_SECONDS) == ANSWER
    assert [holder for holder, *_ in alone.peers.asked] == [HOLDER, NEXT]
    assert (alone.router.failures(), alone.router.failures()) == (1, 0)


async def test_a_silent_holder_that_nobody_follows_is_not_found(alone: Alone) -> None:
    held = alone.get()
    await alone.registry.looked(5)
    del alone.registry.holders["show"]
    assert await asyncio.wait_for(held, PATIENCE_SECONDS) == NOT_FOUND


async def test_a_busy_registry_does_not_end_a_request_that_is_held(alone: Alone) -> None:
    """It says nothing about the holder."""
    held = alone.get()
    await alone.registry.looked(2)
    alone.registry.busy = True
    await alone.registry.looked(10)
    assert not held.done()
    held.cancel()


async def test_requests_for_which_the_registry_is_too_busy_are_counted(alone: Alone) -> None:
    alone.registry.busy = True
    assert [(await alone.get()).status for _ in range(2)] == [503, 503]
    assert (alone.router.refusals(), alone.router.refusals()) == (2, 0)
