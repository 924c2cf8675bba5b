"""The bed itself, with one task: what the scenarios build on."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.cluster.network import LOCKS, NAMESPACES, Network, namespaces
from tests.cluster.services import table
from tests.cluster.task import HTTP_PORT
from tests.container.support import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cluster.bed import Bed


@pytest.fixture
def bed(whole_bed: Bed) -> Iterator[Bed]:
    whole_bed.restore(1)
    yield whole_bed
    for task in list(whole_bed.tasks.values()):
        whole_bed.remove(task)


def test_a_broadcast_goes_through_both_balancers(bed: Bed) -> None:
    (task,) = bed.tasks.values()
    with bed.broadcast() as broadcast:
        bed.wait_until_playable([broadcast])
        assert bed.balancers.flows(task.name) == 1
        with bed.audience([broadcast], 4) as audience:
            began = time.time()
            eventually(lambda: audience.watching(began + 6), "six seconds of pictures")
            figures = audience.stop()
    assert audience.problems == []
    assert figures.failures == {}
    assert figures.longest_gap > 0
    assert broadcast.cuts == 0


def test_a_task_is_protected_for_as_long_as_anyone_is_live(bed: Bed) -> None:
    (task,) = bed.tasks.values()
    assert task.agent.asked == []
    with bed.broadcast() as broadcast:
        bed.wait_until_playable([broadcast])
        eventually(lambda: task.protected, "protection")
    eventually(lambda: not task.protected, "release")
    assert task.metrics("ProtectionFailures") == []


def test_a_task_told_to_stop_keeps_its_broadcast_and_its_protection(bed: Bed) -> None:
    """SIGTERM: deregistered, no new publisher, the live one to its end; then exit code 0."""
    (task,) = bed.tasks.values()
    with bed.broadcast() as broadcast:
        bed.wait_until_playable([broadcast])
        with bed.audience([broadcast], 2) as audience:
            task.terminate()
            eventually(lambda: task.logged("draining"), "draining")
            with bed.broadcast() as late:
                eventually(lambda: late.cuts, "refusal")
            assert next(line["reason"] for line in task.logged("publisher refused")) == "draining"
            bed.balancers.deregister(task.name)  # flows that are there already live on
            told = time.time()
            eventually(lambda: time.time() > told + 5, "five seconds")
            assert task.protected
            assert broadcast.cuts == 0
            assert task.get(HTTP_PORT, f"/hls/{broadcast.playback_id}/master.m3u8")[0] == 200
            # Through the balancer there is no target left: what fails, fails there.
            assert {failure.what for failure in audience.failures(told - 5)} <= {"503 playlist", "503 media"}
    assert task.wait() == 0


def test_a_killed_task_takes_its_connections_along_and_streamers_come_back(bed: Bed) -> None:
    (task,) = bed.tasks.values()
    with bed.broadcast() as broadcast:
        bed.wait_until_playable([broadcast])
        task.kill()
        eventually(lambda: broadcast.cuts, "the connection to break")
        bed.restore(1)
        (successor,) = bed.tasks.values()
        eventually(lambda: successor.has(broadcast.playback_id), "the broadcast on the next task")
    assert successor.id != task.id


def test_a_frozen_task_says_nothing_and_wakes_up(bed: Bed) -> None:
    (task,) = bed.tasks.values()
    task.freeze()
    try:
        with pytest.raises(TimeoutError):
            task.get(HTTP_PORT, "/health", seconds=5)
    finally:
        task.thaw()
    assert task.get(HTTP_PORT, "/health")[0] == 200


def test_a_partition_is_silent_and_heals(bed: Bed) -> None:
    """Packets vanish: no refusal, no reset. Others are not touched."""
    (task,) = bed.tasks.values()

    def connect() -> None:
        socket.create_connection((task.host.address, HTTP_PORT), timeout=1).close()

    with bed.network.partition((task.host, bed.aws)):
        with pytest.raises(TimeoutError):
            bed.aws.call(connect)
        bed.viewers.call(connect)
    bed.aws.call(connect)


def test_the_table_of_leases_is_there(bed: Bed) -> None:
    """Reached from a task's host."""
    (task,) = bed.tasks.values()
    leases = table(bed.dynamodb)

    assert task.host.call(lambda: leases.key_schema) == [{"AttributeName": "stream_id", "KeyType": "HASH"}]


def test_two_runs_do_not_meet_and_leave_nothing() -> None:
    """The same addresses in both, and neither reaches the other's."""
    with Network() as one, Network() as other:
        here, there = one.host("a"), other.host("a")
        assert here.address == there.address
        assert here.namespace != there.namespace
        lost = subprocess.run(
            ["nsenter", f"--net={NAMESPACES / here.namespace}", "ip", "-o", "-4", "address"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert here.address in lost
        machine = subprocess.run(["ip", "-o", "-4", "address"], capture_output=True, text=True, check=True).stdout
        assert here.address not in machine
        made = [*namespaces(one.run), *namespaces(other.run)]
    assert len(made) == 4
    assert [*namespaces(one.run), *namespaces(other.run)] == []
    assert {one.run, other.run} & {path.name for path in LOCKS.iterdir()} == set()


def test_a_run_that_died_is_removed_by_the_next(tmp_path: Path) -> None:
    told = tmp_path / "run"
    child = os.fork()
    if child == 0:
        try:
            network = Network().__enter__()
            network.host("orphan").popen(["sleep", "1000"], log=tmp_path / "log")
            told.write_text(f"{network.run} {len(namespaces(network.run))}")
        finally:
            os._exit(0)  # as a killed run: nothing of this process cleans up
    os.waitpid(child, 0)
    run, count = told.read_text().split()
    assert int(count) == 2
    with Network():
        assert namespaces(run) == []
