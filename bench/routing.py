"""What the hop costs: the same requests to the task that has a stream and to one that has not, in one run.

Each task is a process of its own, as are the viewers; parts are those of 2.5 Mbit/s, and pass in real time.
"""

import asyncio
import multiprocessing
import re
import statistics
import time
from collections.abc import Callable, Coroutine
from multiprocessing.connection import Connection
from typing import Any

import aiohttp
import uvloop
from origin.cluster.registry import Holder

from tests.container.tasks import Broadcast, Task

SECONDS = 8
CONNECTIONS = 20
VIEWERS = 200
PICTURE_BYTES = 2_500_000 // 8 // 30
RENDITION = "/hls/show/720p"
_NEXT = re.compile(rb'PRELOAD-HINT:TYPE=PART,URI="([^".]+\.(\d+)\.(\d+)\.m4s)"')

Latencies = list[tuple[float, float]]  # direct and over the hop, seconds


async def own(pipe: Connection) -> None:
    """The task with the broadcast; says how often it was asked, whenever it is told anything."""
    task, show = await Task("owner").start(), Broadcast("show", picture_bytes=PICTURE_BYTES)
    task.own(show.feed(3))

    def say() -> None:
        pipe.recv()
        pipe.send(len(task.delivery.asked))

    asyncio.get_running_loop().add_reader(pipe.fileno(), say)
    pipe.send(task.port)
    began, fed = time.monotonic(), 0
    while True:
        await asyncio.sleep(1 / 60)
        while fed < (time.monotonic() - began) * 30:
            show.feed(1 / 30)
            fed += 1


async def pass_on(pipe: Connection, port: int) -> None:
    task = await Task("other").start(cache_bytes=64 << 20)
    task.registry.holders["show"] = Holder("owner", f"http://127.0.0.1:{port}")
    pipe.send(task.port)
    await asyncio.Future()


def child(role: Callable[..., Coroutine[Any, Any, None]], *arguments: object) -> None:
    uvloop.run(role(*arguments))


async def fetch(http: aiohttp.ClientSession, url: str) -> bytes:
    async with http.get(url) as response:
        body = await response.read()
        assert response.status == 200, f"{response.status} for {url}"
        return body


async def timed(http: aiohttp.ClientSession, url: str) -> tuple[float, bytes]:
    body = await fetch(http, url)
    return time.monotonic(), body


async def follow(http: aiohttp.ClientSession, direct: str, hop: str) -> tuple[Latencies, Latencies]:
    """New parts and the playlists that announce them, each asked of both tasks; none is in any cache."""
    parts: Latencies = []
    playlists: Latencies = []
    body, end = await fetch(http, f"{direct}/index.m3u8"), time.monotonic() + SECONDS
    while time.monotonic() < end:
        hint = _NEXT.search(body)
        assert hint
        name, query = hint[1].decode(), f"_HLS_msn={int(hint[2])}&_HLS_part={int(hint[3])}"
        asked = time.monotonic()
        (here, body), (there, _) = await asyncio.gather(
            *(timed(http, f"{base}/index.m3u8?{query}") for base in (direct, hop))
        )
        playlists.append((here - asked, there - asked))
        asked = time.monotonic()
        here, _ = await timed(http, f"{direct}/{name}")
        there, _ = await timed(http, f"{hop}/{name}")
        parts.append((here - asked, there - here))
    return parts, playlists


async def rate(http: aiohttp.ClientSession, url: str) -> float:
    """Requests per second of the same thing over some connections."""
    end, count = time.monotonic() + SECONDS / 2, 0

    async def ask() -> None:
        nonlocal count
        while time.monotonic() < end:
            await fetch(http, url)
            count += 1

    await asyncio.gather(*(ask() for _ in range(CONNECTIONS)))
    return count / (SECONDS / 2)


async def watch(http: aiohttp.ClientSession, base: str, end: float) -> int:
    """A low-latency viewer: how many requests it made."""
    body, count = await fetch(http, f"{base}/index.m3u8"), 1
    while time.monotonic() < end:
        hint = _NEXT.search(body)
        assert hint
        query = f"_HLS_msn={int(hint[2])}&_HLS_part={int(hint[3])}"
        body = await fetch(http, f"{base}/index.m3u8?{query}")
        await fetch(http, f"{base}/{hint[1].decode()}")
        count += 2
    return count


def show(what: str, latencies: Latencies) -> None:
    added = sorted((there - here) * 1000 for here, there in latencies)
    print(
        f"{what}: direct p50 {1000 * statistics.median(here for here, _ in latencies):.1f} ms, "
        f"the hop adds p50 {statistics.median(added):.1f} ms, p95 {added[int(len(added) * 0.95)]:.1f} ms "
        f"({len(added)} of them)"
    )


async def measure(ports: tuple[int, int], asked: Callable[[], int]) -> None:
    direct, hop = (f"http://127.0.0.1:{port}{RENDITION}" for port in ports)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        parts, playlists = await follow(http, direct, hop)
        show("a new part", parts)
        show("a blocking playlist", playlists)
        hint = _NEXT.search(await fetch(http, f"{direct}/index.m3u8"))
        assert hint
        for what, name in (("a part", f"s.{int(hint[2]) - 1}.0.m4s"), ("a playlist", "index.m3u8")):
            here, there = await rate(http, f"{direct}/{name}"), await rate(http, f"{hop}/{name}")
            print(f"{what}: {here:.0f} requests/s direct, {there:.0f} over the hop: {there / here:.2f} times as many")
        before, end = asked(), time.monotonic() + SECONDS
        made = sum(await asyncio.gather(*(watch(http, hop, end) for _ in range(VIEWERS))))
        upstream = asked() - before
        print(f"{VIEWERS} viewers: {made} requests, {upstream} of them upstream: {made / upstream:.0f} to one")


def main() -> None:
    processes = []
    try:
        owner, owner_end = multiprocessing.Pipe()
        processes.append(multiprocessing.Process(target=child, args=(own, owner_end), daemon=True))
        processes[-1].start()
        owner_port = owner.recv()
        other, other_end = multiprocessing.Pipe()
        processes.append(multiprocessing.Process(target=child, args=(pass_on, other_end, owner_port), daemon=True))
        processes[-1].start()

        def asked() -> int:
            owner.send(None)
            count: int = owner.recv()
            return count

        uvloop.run(measure((owner_port, other.recv()), asked))
    finally:
        for process in processes:
            process.kill()
            process.join()


if __name__ == "__main__":
    main()
