"""What strangers cost who ask one task for ids that are nobody's: its CPU, its renewals, its viewers, DynamoDB's bill.

DynamoDB is the stand-in of the tests, in a process of its own, with AWS's usual delay: moto takes longer for a request
than DynamoDB, and would be what is measured. The task renews the leases of some broadcasts, and has viewers of one.
"""

import asyncio
import itertools
import multiprocessing
import os
import re
import statistics
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import aiohttp
import uvloop
from origin.cluster.dynamodb_table import DynamoDbTable
from origin.cluster.leases import RENEW_SECONDS, LeaseRegistry
from origin.cluster.registry import Answer, Holder, RegistryUnavailableError
from origin.delivery.peers import Peers
from origin.delivery.routing import Router
from origin.delivery.web import server
from origin.packaging.position import Position

from tests.container.dynamodb_stand_in import dynamodb
from tests.container.tasks import Broadcast, WatchedDelivery, listening

PER_SECOND = 5000
SECONDS = 20
CONNECTIONS = 300  # of which each has one request in hand
VIEWERS = 5
BROADCASTS = 4
ENDED = 60  # leases of broadcasts that are over, which are in the table as well
ANSWER_SECONDS = 0.005
DOLLARS_PER_MILLION_UNITS = 0.1355  # reads on demand in Seoul
RENDITION = "/hls/show-0/720p"
_NEXT = re.compile(rb'PRELOAD-HINT:TYPE=PART,URI="([^".]+\.(\d+)\.(\d+)\.m4s)"')


class State(NamedTuple):
    """Of the task, since the last time it was asked."""

    cpu_seconds: float
    late: list[float]  # seconds after it was due, by which each renewal was answered
    failed: int


async def table(pipe: Connection) -> None:
    """DynamoDB; says what it was asked and what it cost, whenever it is told anything."""
    async with dynamodb() as stand_in:
        stand_in.seconds.update(dict.fromkeys(("GetItem", "PutItem", "Scan"), ANSWER_SECONDS))

        def say() -> None:
            pipe.recv()
            pipe.send((Counter(stand_in.asked), Counter(stand_in.units)))
            stand_in.asked.clear()
            stand_in.units.clear()

        asyncio.get_running_loop().add_reader(pipe.fileno(), say)
        pipe.send(stand_in.endpoint)
        await asyncio.Future()


async def task(pipe: Connection, endpoint: str) -> None:
    """A task with its public port, broadcasts and their leases; says its State, whenever it is told anything."""
    os.environ.update(AWS_ENDPOINT_URL=endpoint, AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="b")  # noqa: S106 # of the stand-in
    registry = LeaseRegistry(Holder("task", "http://127.0.0.1:1"), DynamoDbTable("leases", "ap-northeast-2"), nobody)
    for number in range(ENDED):
        await registry.acquire(f"ended-{number}", "session")
        await registry.release(f"ended-{number}", "session", Position(1, 0))
    show = Broadcast("show-0", picture_bytes=2_500_000 // 8 // 30)
    router = Router(WatchedDelivery({"show-0": show.feed(3).stream}), registry, Peers(), cache_bytes=64 << 20)
    runner = await listening(server(router, refuse, ""))
    late: list[float] = []
    failures: list[str] = []
    keeping = [asyncio.create_task(keep(registry, f"show-{number}", late, failures)) for number in range(BROADCASTS)]
    spent = time.process_time()

    def say() -> None:
        nonlocal spent
        pipe.recv()
        pipe.send(State(time.process_time() - spent, late.copy(), len(failures)))
        spent = time.process_time()
        late.clear()
        failures.clear()

    asyncio.get_running_loop().add_reader(pipe.fileno(), say)
    pipe.send(runner.addresses[0][1])
    began, fed = time.monotonic(), 0
    while not any(each.done() for each in keeping):
        await asyncio.sleep(1 / 60)
        while fed < (time.monotonic() - began) * 30:
            show.feed(1 / 30)
            fed += 1


async def keep(registry: LeaseRegistry, playback_id: str, late: list[float], failures: list[str]) -> None:
    await registry.acquire(playback_id, "session")
    for number in itertools.count():
        due = time.monotonic() + RENEW_SECONDS
        await asyncio.sleep(RENEW_SECONDS)
        try:
            await registry.renew(playback_id, "session", Position(number, 0))
        except RegistryUnavailableError as error:
            failures.append(str(error))
        late.append(time.monotonic() - due)


async def nobody(_: Holder, __: str) -> Answer:
    return Answer.SILENT


async def refuse(_: str) -> Answer:
    return Answer.ABSENT


async def strangers(pipe: Connection, port: int) -> None:
    """So many different ids a second as the machine can generate, over connections that stay; answers by status."""
    statuses: Counter[int] = Counter()
    numbers = itertools.count()
    end = time.monotonic() + SECONDS

    async def ask() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.monotonic() < end:
            # Pipelined by ten: what asks must not cost more than what answers.
            for _ in range(10):
                writer.write(f"GET /hls/nobody-{next(numbers)}/master.m3u8 HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            for _ in range(10):
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"Content-Length: (\d+)", head)
                assert length
                await reader.readexactly(int(length[1]))
                statuses[int(head[9:12])] += 1
            ahead = statuses.total() / PER_SECOND - (time.monotonic() - end + SECONDS)
            await asyncio.sleep(max(0.0, ahead))
        writer.close()

    await asyncio.gather(*(ask() for _ in range(CONNECTIONS)))
    pipe.send(statuses)


async def watch(http: aiohttp.ClientSession, base: str, end: float, waits: list[float], missed: list[str]) -> None:
    """A low-latency viewer: how long each part took from being asked for, and which did not come."""
    while time.monotonic() < end:
        try:
            async with http.get(f"{base}/index.m3u8") as response:
                body = await response.read()
            while time.monotonic() < end:
                hint = _NEXT.search(body)
                if hint is None:
                    missed.append("no hint")
                    break
                asked = time.monotonic()
                part, next_playlist = await asyncio.gather(
                    get(http, f"{base}/{hint[1].decode()}"),
                    get(http, f"{base}/index.m3u8?_HLS_msn={int(hint[2])}&_HLS_part={int(hint[3])}"),
                )
                waits.append(time.monotonic() - asked)
                if part is None or next_playlist is None:
                    missed.append(hint[1].decode())
                    break
                body = next_playlist
        except aiohttp.ClientError as error:
            missed.append(repr(error))


async def get(http: aiohttp.ClientSession, url: str) -> bytes | None:
    async with http.get(url) as response:
        body = await response.read()
        return body if response.status == 200 else None


def child(role: Callable[..., Coroutine[Any, Any, None]], *arguments: object) -> None:
    uvloop.run(role(*arguments))


async def viewers(port: int) -> tuple[list[float], list[str]]:
    waits: list[float] = []
    missed: list[str] = []
    base, end = f"http://127.0.0.1:{port}{RENDITION}", time.monotonic() + SECONDS
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        await asyncio.gather(*(watch(http, base, end, waits, missed) for _ in range(VIEWERS)))
    return waits, missed


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def told(pipe: Connection) -> Any:
    pipe.send(None)
    return pipe.recv()


def report(what: str, state: State, waits: list[float], missed: list[str]) -> None:
    late = [1000 * seconds for seconds in state.late]
    print(
        f"{what}: renewals late by p50 {statistics.median(late):.0f} ms, p99 {percentile(late, 0.99):.0f} ms, "
        f"max {max(late):.0f} ms ({len(late)}, {state.failed} failed); "
        f"{len(waits)} parts for {VIEWERS} viewers, {len(missed)} missed, "
        f"waited for p50 {1000 * statistics.median(waits):.0f} ms, max {1000 * max(waits):.0f} ms"
    )


def main() -> None:
    processes: list[multiprocessing.Process] = []

    def start(role: Callable[..., Coroutine[Any, Any, None]], *arguments: object) -> Connection:
        ours, theirs = multiprocessing.Pipe()
        processes.append(multiprocessing.Process(target=child, args=(role, theirs, *arguments), daemon=True))
        processes[-1].start()
        return ours

    try:
        aws = start(table)
        origin = start(task, aws.recv())
        port = origin.recv()
        time.sleep(2)
        told(aws), told(origin)
        quiet = uvloop.run(viewers(port))
        before: State = told(origin)
        report("without strangers", before, *quiet)
        told(aws)
        asking = start(strangers, port)
        flooded = uvloop.run(viewers(port))
        statuses: Counter[int] = asking.recv()
        during: State = told(origin)
        report("with strangers", during, *flooded)
        asked, units = told(aws)
        cost = 1000 * (during.cpu_seconds - before.cpu_seconds) / statuses.total()
        print(
            f"strangers: {statuses.total() / SECONDS:.0f} different ids a second of {PER_SECOND} wanted, "
            f"answered {dict(statuses)}, {cost:.3f} ms of the task's CPU for each"
        )
        reads = units["GetItem"] + units["Scan"]
        dollars = 3600 * reads / SECONDS * DOLLARS_PER_MILLION_UNITS / 1e6
        print(
            f"DynamoDB: {asked['GetItem']} GetItem and {asked['Scan']} Scan in {SECONDS} s, {reads} read units: "
            f"{dollars:.5f} dollars an hour"
        )
    finally:
        for process in processes:
            process.kill()
            process.join()


if __name__ == "__main__":
    main()
