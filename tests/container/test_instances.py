"""Several nginx: what dies takes nobody else along, and what is left takes newcomers in."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.container.support import CONTAINER, Backend, Follower, Origin, Publisher, eventually
from tests.container.test_ingest import live
from tests.ports import free_ports


def instances(origin: Origin) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = origin.status()["ingest"]
    return found


def until_all_run(origin: Origin, number: int) -> list[dict[str, Any]]:
    def running() -> list[dict[str, Any]] | None:
        found = instances(origin)
        return found if len(found) == number and all(each["worker_pid"] for each in found) else None

    found: list[dict[str, Any]] = eventually(running, f"{number} nginx with a worker each")
    return found


def test_a_worker_that_crashes_ends_its_own_broadcast_only(backend: Backend, key: tuple[str, str]) -> None:
    """The other one's viewer sees every picture; the streamer who was cut is back at once; a log line and a metric."""
    other = backend.new_key()
    with Origin(backend.url) as origin, Publisher(origin, other[0]) as well:
        live(origin, other[1])
        with Publisher(origin, key[0]) as cut:
            session = live(origin, key[1])["session"]
            assert live(origin, key[1])["instance"] != live(origin, other[1])["instance"]
            eventually(lambda: origin.fetch(f"/hls/{other[1]}/master.m3u8").status == 200, "playlist")
            viewer = Follower(origin, other[1], "720p")
            eventually(lambda: viewer.complete, "a segment")
            before = max(viewer.complete)

            os.kill(origin.worker(key[1]), signal.SIGSEGV)

            eventually(lambda: cut.process.poll() is not None, "the streamer to notice")
        with Publisher(origin, key[0]):
            eventually(lambda: (now := origin.stream(key[1])) and now["session"] != session, "being back on air")
            eventually(lambda: max(viewer.complete) >= before + 2, "the other to go on")
            eventually(lambda: len(origin.status()["streams"]) == 2, "nobody counted twice")
            assert well.process.poll() is None
        viewer.stop()
        numbers = viewer.numbers()
        assert numbers[0] is not None
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert not [msn for msn, segment in viewer.segments.items() if segment.discontinuity and msn > before]
        eventually(lambda: origin.metrics("IngestCrashes"), "the metric")
        assert [line["how"] for line in origin.metrics("IngestCrashes")] == ["signal 11"]
        assert origin.messages("nginx worker died")
        assert not [line for line in origin.logs if "exception" in line]


def test_newcomers_come_to_the_nginx_with_the_fewest_broadcasts(backend: Backend) -> None:
    """As many as there are nginx, and each has its own."""
    with Origin(backend.url, NGINX_INSTANCES=3) as origin:
        until_all_run(origin, 3)
        publishers = []
        try:
            for taken in range(3):
                stream_key, playback_id = backend.new_key()
                publishers.append(Publisher(origin, stream_key))
                live(origin, playback_id)
                assert sorted(each["broadcasts"] for each in instances(origin)) == [0] * (2 - taken) + [1] * (taken + 1)
        finally:
            for publisher in publishers:
                publisher.stop()


def test_a_ghost_is_hung_up_on_where_it_is(backend: Backend, key: tuple[str, str]) -> None:
    """Its successor comes to another nginx; the one that has the ghost is told to drop it."""
    with Origin(backend.url) as origin, Publisher(origin, key[0]) as ghost:
        before = live(origin, key[1])
        ghost.freeze()
        with Publisher(origin, key[0]):
            after = eventually(
                lambda: (now := origin.stream(key[1])) and now["session"] != before["session"] and now, "the successor"
            )
            assert after["instance"] != before["instance"]
            ghost.signal(signal.SIGCONT)
            eventually(lambda: ghost.process.poll() is not None, "the ghost to be hung up on")
            assert live(origin, key[1])["session"] == after["session"]


def test_a_master_that_dies_is_started_again(backend: Backend, key: tuple[str, str]) -> None:
    """Its worker goes with it; who waited at its door is let in by the next."""
    with Origin(backend.url, NGINX_INSTANCES=1) as origin:
        (first,) = until_all_run(origin, 1)
        os.kill(first["worker_pid"], signal.SIGSTOP)
        with Publisher(origin, key[0]):
            os.kill(first["master_pid"], signal.SIGKILL)
            live(origin, key[1])
        (second,) = until_all_run(origin, 1)
        assert second["instance"] != first["instance"]
        eventually(lambda: not os.path.exists(f"/proc/{first['worker_pid']}"), "the end of the old worker")  # noqa: PTH110 # a process
        assert [line["how"] for line in origin.metrics("IngestCrashes")] == ["signal 9"]


def test_a_worker_that_hangs_is_replaced(backend: Backend, key: tuple[str, str]) -> None:
    """Alive and deaf: for its streamers that is worse than dead, for they would never come back."""
    with Origin(backend.url, NGINX_INSTANCES=2) as origin, Publisher(origin, key[0]) as publisher:
        live(origin, key[1])
        os.kill(origin.worker(key[1]), signal.SIGSTOP)
        eventually(lambda: origin.metrics("IngestCrashes"), "noticing", 40)
        eventually(lambda: publisher.process.poll() is not None, "the streamer to notice")
        assert [line["how"] for line in origin.metrics("IngestCrashes")] == ["hangs"]


@pytest.mark.parametrize("part", ["worker_pid", "master_pid"])
def test_what_dies_again_and_again_is_left_alone_and_the_others_go_on(
    backend: Backend, key: tuple[str, str], part: str
) -> None:
    """The process ends, loudly, when not one nginx is left: then there is no broadcast that it could cut."""
    with Origin(backend.url, NGINX_INSTANCES=2) as origin:
        until_all_run(origin, 2)
        kill_until(origin, lambda: in_slot(origin, 0)[part], lambda: bool(origin.messages("leaving it alone")))
        eventually(lambda: [each["slot"] for each in instances(origin)] == [1], "the one alone")
        with Publisher(origin, key[0]) as publisher:
            live(origin, key[1])
            assert publisher.process.poll() is None
        kill_until(origin, lambda: in_slot(origin, 1)[part], lambda: origin.process.poll() is not None)
        assert origin.wait() == 1
        assert origin.messages("nginx ended again and again")


def in_slot(origin: Origin, index: int) -> dict[str, Any]:
    """The nginx that runs in a slot now; IndexError while there is none."""
    return [each for each in instances(origin) if each["slot"] == index][0]  # noqa: RUF015 # it says what is missing


def kill_until(origin: Origin, victim: Callable[[], int | None], over: Callable[[], bool]) -> None:
    """Kill one process after the other."""

    def step() -> bool:
        with suppress(OSError, IndexError, ProcessLookupError):
            if over():
                return True
            if pid := victim():
                os.kill(pid, signal.SIGKILL)
        return origin.process.poll() is not None

    eventually(step, "having enough of it", 40)


@pytest.mark.parametrize(
    "script", ["#!/bin/sh\necho 'nginx: [emerg] broken' >&2\nexit 1\n", None], ids=["broken", "missing"]
)
def test_fails_when_nginx_does_not_start(backend: Backend, tmp_path: Path, script: str | None) -> None:
    """A few attempts, and then the end, with what it said."""
    if script:
        (tmp_path / "nginx").write_text(script)
        (tmp_path / "nginx").chmod(0o755)
    with Origin(backend.url, PATH=f"{tmp_path}:/bin" if script else tmp_path) as origin:
        assert origin.wait(30) == 1
        assert origin.messages("nginx: broken" if script else "nginx died")
        assert origin.messages("nginx ended again and again")


def test_fails_when_the_port_is_taken_by_one_that_shares_it(tmp_path: Path) -> None:
    """Another origin's sockets would share theirs with us. One line, no traceback."""
    http, hooks = free_ports(2)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        settings: dict[str, object] = {
            "BACKEND_URL": "http://127.0.0.1:9",
            "RTMP_HOST": "127.0.0.1",
            "RTMP_PORT": other.getsockname()[1],
            "HTTP_PORT": http,
            "HOOKS_PORT": hooks,
            "RUNTIME_DIR": tmp_path,
            "PYTHONPATH": CONTAINER,
        }
        done = subprocess.run(
            [sys.executable, "-m", "origin"],
            env=os.environ | {name: str(value) for name, value in settings.items()},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr.startswith("origin: RTMP_PORT: 127.0.0.1:")
    assert "Traceback" not in done.stderr
