"""Attacks at the door while somebody is live and watched: the viewer sees no gap, and the streamer is not cut off."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
import pytest

from tests.container.scripted_backend import ScriptedBackend, answer, publish
from tests.container.support import Follower, Origin, Publisher, Web, eventually
from tests.container.test_ingest import hook, live, refusals

SHOW, LATE = "the-show-that-goes-on", "the-right-key-that-comes-late"
SLOW_SECONDS = 2.5
AT_ONCE = 300  # questions of the strangers: more than there are places for one address, as fast as this machine answers
DOCKERS_LINE = 16 * 1024
NOT_AS_AGREED = {
    "says-no": answer(b'{"allowed": false}'),
    "empty": answer(b""),
    "html": answer(b"<html>Welcome</html>"),
    "nested": answer(b'{"data": {"playbackId": "p"}}'),
    "deep": answer(b"[" * 60_000),
    "list": answer(b"[true]"),
    "nothing": b"",
}
SCRIPT = {
    SHOW: [answer(b'{"playbackId": "show"}')],
    LATE: [answer(b'{"playbackId": "late"}')],
    "in-two-segments": [b"HTTP/1.1 201 Created\r\nContent-Length: 24\r\n\r\n", b'{"playbackId": ', b'"pieces"}'],
    **{name: [raw] for name, raw in NOT_AS_AGREED.items()},
}


@pytest.fixture(scope="module")
def backend() -> Iterator[ScriptedBackend]:
    with ScriptedBackend(SCRIPT) as backend:
        yield backend


@pytest.fixture(scope="module")
def watched(backend: ScriptedBackend) -> Iterator[tuple[Origin, Publisher, list[Follower]]]:
    """One broadcast for all attacks, with a viewer of the copied picture and one of an encoded one."""
    origin = Origin(backend.url)
    try:
        with Publisher(origin, SHOW) as publisher:
            eventually(lambda: origin.fetch("/hls/show/master.m3u8").status == 200, "playlist", 60)
            followers = [Follower(origin, "show", name) for name in ("720p", "360p")]
            eventually(lambda: all(follower.complete for follower in followers), "a segment", 60)
            yield origin, publisher, followers
            for follower in followers:
                numbers = follower.stop().numbers()
                assert numbers[0] is not None
                assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), follower.rendition
    finally:
        origin.stop()


@pytest.fixture
def origin(watched: tuple[Origin, Publisher, list[Follower]]) -> Iterator[Origin]:
    """The origin under attack. After the attack the broadcast has gone on without a gap, and no log line is odd."""
    origin, publisher, followers = watched
    lines = len(origin.lines)
    yield origin
    before = max(followers[0].complete)
    eventually(lambda: all(max(follower.complete) >= before + 2 for follower in followers), "two more segments", 60)
    for follower in followers:
        assert follower.problem is None
        assert not any(segment.discontinuity or segment.gap for segment in follower.segments.values())
    assert publisher.process.poll() is None
    for line in origin.lines[lines:]:
        assert len(line) < DOCKERS_LINE
        assert "Traceback" not in line
        json.loads(line)


@contextmanager
def flood(origin: Origin) -> Iterator[None]:
    """Wrong keys, each another one, as nginx would ask about them: always as many as there may be at once."""
    halt = threading.Event()

    async def ask(http: aiohttp.ClientSession, number: int) -> None:
        form = {"app": "live", "name": f"wrong-{number}", "addr": "127.0.0.1"}
        try:
            async with http.post(f"http://127.0.0.1:{origin.hooks_port}/hooks/publish", data=form) as response:
                assert response.status == 403
        except aiohttp.ClientError:
            pass

    async def run() -> None:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
            asking, number = set[asyncio.Task[None]](), 0
            while not halt.is_set():
                for _ in range(min(10, AT_ONCE - len(asking))):
                    number += 1
                    task = asyncio.create_task(ask(http, number))
                    asking.add(task)
                    task.add_done_callback(asking.discard)
                await asyncio.sleep(0.05)
            for task in asking:
                task.cancel()

    thread = threading.Thread(target=asyncio.run, args=(run(),), daemon=True)
    thread.start()
    try:
        yield
    finally:
        halt.set()
        thread.join(20)


def test_right_key_gets_in_while_wrong_keys_flood_a_slow_backend(origin: Origin, backend: ScriptedBackend) -> None:
    """From the streamer's own address, 2.5 s for each; OBS tries again, and so does this publisher.

    Many addresses are test_authorization.py's: what they cost leaves no processor to the broadcast here.
    """
    backend.seconds_for_others, backend.most_at_once = SLOW_SECONDS, 0
    before = backend.asked.total()
    with flood(origin):
        eventually(lambda: backend.asked.total() > before + 300, "the flood")
        attempts: list[Publisher] = []
        try:

            def on_air() -> dict[str, Any] | None:
                if not attempts or attempts[-1].process.poll() is not None:
                    attempts.append(Publisher(origin, LATE))
                return origin.stream("late")

            eventually(on_air, "the right key on air")
        finally:
            for attempt in attempts:
                attempt.stop()
        assert len(attempts) <= 5
    backend.seconds_for_others = 0
    assert backend.most_at_once <= 512 + 64
    eventually(lambda: origin.stream("late") is None, "the end of the late one", 30)
    eventually(lambda: not backend.at_once, "the end of the questions", 30)
    refused = [line["reason"] for line in origin.messages("publisher refused")]
    assert refused.count("unauthorized") < 300, "each refusal has a line of its own"


def test_names_of_strangers_do_not_make_lines_longer(origin: Origin) -> None:
    """One letter each, and hundreds of others: `/health` answers, and a key in use is still concealed."""
    for name in "abcdefghijklmnopqrstuvwxyz0123456789_-":
        assert hook(origin, name=name, app="live", addr="192.0.2.1").status == 403
    for number in range(300):
        assert hook(origin, name=f"n{number}", app="live", addr="192.0.2.1").status == 403
    eventually(lambda: origin.messages("more publishers refused"), "a sum of refusals")
    began = time.monotonic()
    assert origin.fetch("/health").status == 200
    assert time.monotonic() - began < 5
    assert not any(SHOW in line for line in origin.lines)


@pytest.mark.parametrize(
    "name",
    [
        b"abc?\xff",
        b"\xff\xfe",
        b"abc\0def",
        b"abc'def\"",
        b"line\nbreak",
        b"2026/11/26 00:00:00 [error] 1#1: x",
        b"a" * 600,
        b"",
    ],
    ids=repr,
)
def test_name_of_any_bytes_is_refused_in_one_line(origin: Origin, name: bytes) -> None:
    """Through nginx, which writes some of them into the hook as they are."""
    before = len(origin.messages("publisher refused"))
    publish(origin.rtmp_port, name)
    publish(origin.rtmp_port, name, app="no-such-app")
    if len(name) < 256:  # a longer one nginx refuses by itself
        eventually(lambda: len(origin.messages("publisher refused")) > before, "refusal")
    assert not any("hook failed" in line for line in origin.lines)


@pytest.mark.parametrize("content_type", ["text/plain; charset=klingon", "multipart/form-data", "x"])
def test_hook_of_any_type_is_answered(origin: Origin, content_type: str) -> None:
    with Web(origin.hooks_port) as web:
        web._connection.request("POST", "/hooks/publish", b"\xff" * 100_000, {"Content-Type": content_type})
        assert web._connection.getresponse().status == 403


@pytest.mark.parametrize("key", NOT_AS_AGREED)
def test_fails_when_the_backends_answer_is_not_as_agreed(origin: Origin, key: str) -> None:
    reason = "unauthorized" if key == "says-no" else "backend_unavailable"
    before = len(refusals(origin, reason))
    assert hook(origin, name=key, app="live", addr="192.0.2.1").status == 403
    eventually(lambda: len(refusals(origin, reason)) > before, "refusal")


def test_answer_in_pieces_keeps_the_key_secret(origin: Origin) -> None:
    """Viewers get the id that comes with the last piece."""
    with Publisher(origin, "in-two-segments"):
        live(origin, "pieces")
        eventually(lambda: origin.fetch("/hls/pieces/master.m3u8").status == 200, "playlist", 60)
        assert origin.fetch("/hls/in-two-segments/master.m3u8").status == 404
    assert not any("in-two-segments" in line for line in origin.lines)
