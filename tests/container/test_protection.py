"""Task protection follows the broadcasts, whatever the agent does."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from origin.cluster.task_protection import TaskProtection, Timing, refusal
from origin.metrics import Metrics

from tests.container.ecs_agent import API, TASK_ARN, EcsAgent
from tests.container.image import PATIENCE_SECONDS
from tests.container.support import Backend, Origin, Publisher, eventually

QUICK = Timing(
    renew_seconds=3600,
    linger_seconds=0.05,
    look_seconds=0.005,
    request_seconds=5,
    first_retry_seconds=0.01,
    longest_retry_seconds=0.05,
    settle_seconds=3600,
)
ON = {"ProtectionEnabled": True, "ExpiresInMinutes": 2880}
OFF = {"ProtectionEnabled": False}


class Bench:
    """A protection at work, beside an agent."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self.agent = EcsAgent()
        self.live = False
        self.counted: list[dict[str, Any]] = []
        self._http = http
        self._server = TestServer(self.agent.application())

    async def start(self, timing: Timing = QUICK) -> TaskProtection:
        await self._server.start_server()
        metrics = Metrics(
            namespace="LiveCommerce",
            cluster_name="cluster",
            service_name="service",
            write=lambda line: self.counted.append(json.loads(line)),
        )
        url = str(self._server.make_url(API))
        self.protection = TaskProtection(url, self._http, metrics, lambda: self.live, timing)
        self._task = asyncio.create_task(self.protection.run())
        return self.protection

    async def away(self) -> None:
        """The agent's port is closed."""
        await self._server.close()

    async def close(self) -> None:
        self._task.cancel()
        await self._server.close()


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with aiohttp.ClientSession() as http:
        bench = Bench(http)
        yield bench
        await bench.close()


async def until(condition: Callable[[], Any], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        await asyncio.sleep(0.005)


async def test_a_task_is_protected_while_somebody_is_live_and_not_after(bench: Bench) -> None:
    protection = await bench.start()
    await asyncio.sleep(0.1)
    assert bench.agent.asked == []  # an idle task asks nothing

    bench.live = True
    await until(lambda: bench.agent.protected, "protection")
    await until(lambda: protection.protected, "knowing it")
    bench.live = False
    await until(lambda: not bench.agent.protected, "release")

    assert bench.agent.asked == [ON, OFF]
    assert bench.counted == []


async def test_protection_outlasts_a_moment_without_anyone(bench: Bench) -> None:
    """A streamer who reconnects within it finds the task as it was."""
    await bench.start(replace(QUICK, linger_seconds=3600))
    bench.live = True
    await until(lambda: bench.agent.protected, "protection")
    bench.live = False
    await asyncio.sleep(0.2)
    bench.live = True
    await asyncio.sleep(0.1)

    assert bench.agent.asked == [ON]


async def test_protection_is_renewed_while_somebody_is_live(bench: Bench) -> None:
    await bench.start(replace(QUICK, renew_seconds=0.05))
    bench.live = True
    await until(lambda: len(bench.agent.asked) >= 4, "renewals")
    bench.live = False
    await until(lambda: not bench.agent.protected, "release")
    asked = len(bench.agent.asked)
    await asyncio.sleep(0.2)

    assert bench.agent.asked[:-1] == [ON] * (asked - 1)
    assert bench.agent.asked[asked - 1 :] == [OFF]  # once, and then no more


def test_a_lease_outlasts_two_failed_renewals() -> None:
    timing = Timing()

    assert 1 <= timing.lease_minutes <= 2880
    assert 3 * timing.renew_seconds <= 60 * timing.lease_minutes
    assert timing.longest_retry_seconds + timing.request_seconds < timing.renew_seconds / 5


def failing(agent: EcsAgent, first: int, answer: Callable[[], web.Response]) -> None:
    """Let the first answers be this one, and the later ones right."""
    left = first

    async def reply(asked: dict[str, Any]) -> web.Response:
        nonlocal left
        left -= 1
        return answer() if left >= 0 else await agent.obey(asked)

    agent.answer = reply


MISBEHAVIOUR: dict[str, Callable[[EcsAgent], web.Response]] = {
    "failure": lambda agent: agent.failure("DEPLOYMENT_BLOCKED", "more protected tasks than desired"),
    "failure without detail": lambda agent: agent.failure("TASK_NOT_VALID"),
    "throttling": lambda agent: agent.error(400, "ThrottlingException", "Rate exceeded"),
    "no permission": lambda agent: agent.error(400, "AccessDeniedException", "User is not authorized"),
    "time-out of ECS": lambda agent: agent.error(504, "RequestCanceled", "Timed out calling ECS Task Protection API"),
    "garbage": lambda _: web.Response(body=b"\xff<html>"),
    "a list": lambda _: web.json_response([1]),
    "nothing": lambda _: web.Response(status=204),
    "too much": lambda _: web.Response(body=b"[" * 1_000_000),
    "a wrong shape": lambda _: web.json_response({"protection": {"ProtectionEnabled": "yes"}, "error": 3}),
    "the opposite": lambda _: web.json_response({"protection": {"ProtectionEnabled": False, "TaskArn": TASK_ARN}}),
    "a redirect": lambda _: web.Response(status=307, headers={"Location": "/elsewhere"}),
}


@pytest.mark.parametrize("misbehaviour", MISBEHAVIOUR)
async def test_failures_are_counted_logged_once_and_retried(
    bench: Bench, misbehaviour: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "origin")
    failing(bench.agent, 3, lambda: MISBEHAVIOUR[misbehaviour](bench.agent))
    protection = await bench.start()
    bench.live = True
    await until(lambda: protection.protected, "protection in spite of it")

    assert bench.agent.asked == [ON] * 4
    assert [line["ProtectionFailures"] for line in bench.counted] == [1, 1, 1]
    messages = [record.message for record in caplog.records if record.name == "origin.cluster.task_protection"]
    assert messages == ["task protection cannot be set", "task protection can be set again", "task protected"]


async def test_an_agent_that_is_down_is_asked_again_less_and_less_often(bench: Bench) -> None:
    protection = await bench.start(replace(QUICK, first_retry_seconds=0.02, longest_retry_seconds=1000))
    await bench.away()
    bench.live = True
    began = time.monotonic()
    await until(lambda: len(bench.counted) >= 6, "attempts")

    assert not protection.protected
    # Each pause is at least half of twice the one before: 10 + 20 + 40 + 80 + 160 ms.
    assert time.monotonic() - began > 0.3


async def test_an_agent_that_is_slow_holds_up_nothing(bench: Bench) -> None:
    asked = asyncio.Event()

    async def never(_: dict[str, Any]) -> web.Response:
        asked.set()
        await asyncio.sleep(3600)
        raise AssertionError

    bench.agent.answer = never
    protection = await bench.start(replace(QUICK, request_seconds=0.2))
    bench.live = True
    await asyncio.wait_for(asked.wait(), PATIENCE_SECONDS)
    bench.agent.answer = bench.agent.obey
    await until(lambda: protection.protected, "protection after the time-out")

    assert bench.counted


async def test_a_release_that_fails_is_tried_until_it_works(bench: Bench) -> None:
    await bench.start()
    bench.live = True
    await until(lambda: bench.agent.protected, "protection")
    failing(bench.agent, 2, lambda: bench.agent.error(400, "ThrottlingException", "Rate exceeded"))
    bench.live = False
    await until(lambda: not bench.agent.protected, "release")

    assert bench.agent.asked == [ON, OFF, OFF, OFF]
    assert len(bench.counted) == 2


async def test_a_broadcast_that_begins_during_a_release_is_protected(bench: Bench) -> None:
    """The release takes effect first; then protection is asked for again, at once."""
    protection = await bench.start()
    bench.live = True
    await until(lambda: protection.protected, "protection")
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def held(asked: dict[str, Any]) -> web.Response:
        reached.set()
        await go_on.wait()
        return await bench.agent.obey(asked)

    bench.agent.answer = held
    bench.live = False
    await asyncio.wait_for(reached.wait(), PATIENCE_SECONDS)
    bench.live = True
    bench.agent.answer = bench.agent.obey
    go_on.set()
    await until(lambda: bench.agent.asked == [ON, OFF, ON], "another request")
    await until(lambda: protection.protected, "protection")

    assert bench.agent.protected


async def test_a_release_that_takes_effect_late_does_not_win(bench: Bench) -> None:
    """Its answer never came, a broadcast began, and only then ECS did as it had been asked."""
    protection = await bench.start(replace(QUICK, request_seconds=0.2, settle_seconds=0.5))
    bench.live = True
    await until(lambda: protection.protected, "protection")
    late = asyncio.Event()

    async def lost(_: dict[str, Any]) -> web.Response:
        late.set()
        await asyncio.sleep(3600)
        raise AssertionError

    bench.agent.answer = lost
    bench.live = False
    await asyncio.wait_for(late.wait(), PATIENCE_SECONDS)
    bench.live = True
    bench.agent.answer = bench.agent.obey
    await until(lambda: bench.agent.asked[-1] == ON and bench.agent.protected, "protection again")
    await bench.agent.obey(OFF)
    await until(lambda: bench.agent.protected, "protection once more")


def test_a_success_is_a_success_only_with_status_200() -> None:
    answer = {"protection": {"ProtectionEnabled": True, "ExpirationDate": None, "TaskArn": TASK_ARN}}

    assert refusal(200, answer, enabled=True) is None
    assert refusal(500, answer, enabled=True) == "status 500, neither protection nor failure nor error"
    assert refusal(200, answer, enabled=False) == "ProtectionEnabled is True"


def test_what_the_agent_says_reaches_the_log_in_short() -> None:
    said = refusal(400, {"error": {"Code": "AccessDeniedException", "Message": "x" * 9999}}, enabled=True)

    assert said is not None
    assert said.startswith("status 400, AccessDeniedException: xxx")
    assert len(said) == 300


@pytest.mark.slow
async def test_a_real_broadcast_holds_its_task(backend: Backend) -> None:
    """From the moment it is let in until its playlists have ended."""
    agent = EcsAgent()
    async with TestServer(agent.application()) as server:
        url = str(server.make_url(API))
        origin = await asyncio.to_thread(Origin, backend.url, ECS_AGENT_URI=url, END_AFTER_SECONDS=6)
        try:
            key, playback_id = backend.new_key()
            assert agent.asked == []

            def broadcast() -> None:
                with Publisher(origin, key):
                    eventually(lambda: agent.protected, "protection")
                    eventually(lambda: origin.fetch(f"/hls/{playback_id}/master.m3u8").status == 200, "playlist")
                eventually(lambda: origin.stream(playback_id) is None, "the end of the session")
                assert agent.protected  # the streamer may come back
                eventually(lambda: not agent.protected, "release")
                playlist = origin.fetch(f"/hls/{playback_id}/720p/index.m3u8").text
                assert "#EXT-X-ENDLIST" in playlist

            await asyncio.to_thread(broadcast)
            assert agent.asked == [ON, OFF]
        finally:
            await asyncio.to_thread(origin.stop)
