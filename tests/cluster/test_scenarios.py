"""Three tasks as one service: broadcasts and viewers on all of them while tasks die, freeze, part and are replaced.

Each scenario adds a row to the table at the end of the run: requests, failures, longest time without new media.
"""

from __future__ import annotations

import contextlib
import time
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from tests.cluster.bed import END_AFTER_SECONDS, RENDITIONS, TASKS
from tests.cluster.browsers import browser
from tests.cluster.task import HTTP_PORT
from tests.cluster.viewers import PATIENCE_SECONDS
from tests.container.player.conftest import page_folder
from tests.container.support import eventually
from tests.stacks.scaling_world import evaluate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cluster.bed import Bed
    from tests.cluster.publishers import Broadcast
    from tests.cluster.task import Task
    from tests.cluster.viewers import Audience
    from tests.template import Template

    Figures = Callable[[object], None]

__all__ = ["page_folder"]

# What is asserted about times is meant to hold on a machine that does other things as well; the table has the figures.
PATIENT_SECONDS = 120
# A playlist through another task is as old as its max-age of a second allows, and on a busy machine it takes a while to
# get there. What a task had before it slept is twenty seconds older.
OLD_SECONDS = 8


@pytest.fixture
def bed(whole_bed: Bed) -> Iterator[Bed]:
    """Three healthy tasks with nobody on them."""
    whole_bed.restore()
    yield whole_bed
    for task in list(whole_bed.tasks.values()):
        whole_bed.remove(task)


@contextlib.contextmanager
def on_air(bed: Bed, count: int) -> Iterator[list[Broadcast]]:
    with contextlib.ExitStack() as stack:
        broadcasts = [stack.enter_context(bed.broadcast()) for _ in range(count)]
        bed.wait_until_playable(broadcasts)
        for broadcast in broadcasts:
            broadcast.cuts = 0  # who was refused at one door before being let in at another was not cut off
        yield broadcasts


def steady(audience: Audience, seconds: float) -> None:
    """Return when every viewer has got new media for this long and a little more."""
    since = time.time()
    eventually(lambda: audience.watching(since + seconds), f"{seconds} s of media", seconds + PATIENT_SECONDS)


def others(bed: Bed, task: Task) -> list[Task]:
    return [each for each in bed.tasks.values() if each is not task]


def handed_over(audience: Audience, broadcast: Broadcast, broken: float) -> list[float]:
    """Seconds from the publisher's first attempt after the break to the next segment, by viewer, quickest first."""
    connected = next(at for at in broadcast.connected if at > broken)
    times = []
    for viewer in audience.of(broadcast.playback_id):
        before = max(seen.discontinuity_sequence for seen in viewer.segments if seen.at < connected)
        later = [seen.at for seen in viewer.segments if seen.discontinuity_sequence > before]
        times.append(min(later, default=float("inf")) - connected)
    return sorted(times)


def wait_until_current(task: Task, audience: Audience, playback_id: str, rendition: str) -> None:
    """Return when a task answers with what the owner has; fail when it ever answers with old media of its own.

    Viewers may know of a segment more: the task answers from its cache for a second (`FOR_A_SECOND`, seen in
    test_routing.py), and one rendition has a segment before another has it.
    """
    viewers = [viewer for viewer in audience.of(playback_id) if viewer.base.endswith(f"/{rendition}")]

    def look() -> bool:
        asked = time.time()
        edge = max(seen.msn for viewer in viewers for seen in viewer.segments if seen.at < asked - OLD_SECONDS)
        status, body = task.get(HTTP_PORT, f"/hls/{playback_id}/{rendition}/index.m3u8")
        if status != 200:
            return False
        first = int(body.decode().split("#EXT-X-MEDIA-SEQUENCE:")[1].split("\n")[0])
        assert first + body.count(b"#EXTINF") > edge, "a stale playlist"
        return True

    eventually(look, f"{rendition} of {playback_id} through {task.name}")


def test_six_broadcasts_and_sixty_viewers_without_a_failed_request(bed: Bed, figures: Figures) -> None:
    with on_air(bed, 6) as broadcasts, bed.audience(broadcasts, 60) as audience:
        owners = {bed.owner(each.playback_id).name for each in broadcasts}
        steady(audience, 30)
        measured = audience.stop()
        figures(f"{measured}, {len(owners)} owners")
        assert [each.cuts for each in broadcasts] == [0] * 6
        warnings = [line for task in bed.tasks.values() for line in task.warnings()]
    assert len(owners) == TASKS
    assert audience.problems == []
    assert measured.failures == {}
    assert measured.discontinuities == 0, warnings


def test_killed_owner_is_followed_by_another_task(bed: Bed, figures: Figures) -> None:
    """The same playback URL goes on, with a discontinuity and rising sequence numbers."""
    with on_air(bed, 3) as broadcasts, bed.audience(broadcasts, 24) as audience:
        victim = bed.owner(broadcasts[0].playback_id)
        lost = [each for each in broadcasts if victim.has(each.playback_id)]
        steady(audience, 5)
        killed = time.time()
        victim.kill()
        bed.balancers.deregister(victim.name)  # ECS sees a stopped task at once
        for each in lost:
            eventually(lambda: each.cuts, "the connection to break")  # noqa: B023 - called within this turn
            owner = bed.owner(each.playback_id)
            assert owner is not victim
        steady(audience, 10)
        took = max(handed_over(audience, each, killed)[-1] for each in lost)
        measured = audience.stop()
        late = audience.failures(killed + PATIENCE_SECONDS + took)
        figures(f"{measured}; publisher's reconnect to next segment {took:.1f} s")
        assert [each.cuts for each in broadcasts if each not in lost] == [0] * (3 - len(lost))
    assert audience.problems == []
    assert late == []
    assert measured.discontinuities == 1
    assert took < PATIENT_SECONDS


@pytest.mark.usefixtures("page_folder")
def test_chromium_plays_on_when_the_owner_is_killed(bed: Bed, figures: Figures, tmp_path: Path) -> None:
    """hls.js on the player page: no reload, new pictures after the discontinuity."""
    with contextlib.ExitStack() as stack:
        broadcast = stack.enter_context(bed.broadcast(clock=True))
        bed.wait_until_playable([broadcast])
        viewer = stack.enter_context(browser(bed.viewers, bed.balancers.http, tmp_path))
        opened = viewer.open(broadcast.playback_id)
        viewer.wait_for_picture()
        eventually(lambda: len(viewer.shown()) > 50, "a steady start", PATIENT_SECONDS)
        viewer.ask("window.sameDocument = true")
        victim = bed.owner(broadcast.playback_id)
        victim.kill()
        bed.balancers.deregister(victim.name)
        eventually(lambda: broadcast.cuts, "the connection to break")
        owner = bed.owner(broadcast.playback_id)
        connected = broadcast.connected[-1]

        def pictures() -> list[float]:
            """When pictures made after the reconnect were on screen: their number is the time they were made."""
            return [
                at / 1000
                for at, latency, _ in viewer.shown()
                if latency is not None and at - latency > connected * 1000
            ]

        eventually(lambda: len(pictures()) > 50, "pictures of the next task", PATIENT_SECONDS)
        shown = [at / 1000 for at, _, _ in viewer.shown()]
        freeze = max(after - before for before, after in pairwise(shown))
        figures(f"publisher's reconnect to next picture {pictures()[0] - connected:.1f} s, freeze {freeze:.1f} s")
        assert viewer.ask("window.sameDocument") is True
        assert owner is not victim
        assert shown[0] > opened


def test_partition_between_two_tasks_hangs_nobody_and_heals(bed: Bed, figures: Figures) -> None:
    """Broadcasts go on; a viewer whose request reached the wrong side is told so quickly, and later served again."""
    with on_air(bed, 3) as broadcasts, bed.audience(broadcasts, 24) as audience:
        owner = bed.owner(broadcasts[0].playback_id)
        steady(audience, 5)
        with bed.network.partition((owner.host, others(bed, owner)[0].host)):
            parted = time.time()
            eventually(lambda: time.time() > parted + 15, "fifteen seconds apart")
        healed = time.time()
        # TCP tries again less and less often, so that connections need a while to notice.
        eventually(lambda: time.time() > healed + 5, "a while together")
        calm = time.time()
        steady(audience, 10)
        measured = audience.stop()
        figures(measured)
        assert [each.cuts for each in broadcasts] == [0] * 3
    assert audience.problems == []
    assert audience.failures(calm) == []
    assert measured.slowest_failure < PATIENCE_SECONDS
    assert measured.discontinuities == 0


def test_partition_from_dynamodb_ends_no_broadcast_and_lets_nobody_new_in(bed: Bed, figures: Figures) -> None:
    """For all tasks, and for longer than a lease; recovery is by itself."""
    with on_air(bed, 3) as broadcasts, bed.audience(broadcasts, 24) as audience:
        steady(audience, 5)
        tasks = list(bed.tasks.values())
        with bed.network.partition(*((task.host, bed.aws) for task in tasks)), bed.broadcast() as late:
            parted = time.time()
            eventually(lambda: late.cuts, "a refusal", PATIENT_SECONDS)
            eventually(lambda: time.time() > parted + 20, "twenty seconds without DynamoDB")
            reasons = {line["reason"] for task in tasks for line in task.logged("publisher refused")}
            assert reasons == {"registry_unavailable"}
            eventually(lambda: any(task.metrics("LeaseFailures") for task in tasks), "the metric")
            during = audience.failures(parted)
            # Still there: the streamer goes on trying, and gets in when the table is back.
        with bed.broadcast() as next_one:
            bed.owner(next_one.playback_id)
            steady(audience, 10)
            measured = audience.stop()
            figures(f"{measured}, {len(during)} failed during it")
        assert [each.cuts for each in broadcasts] == [0] * 3
    assert audience.problems == []
    assert measured.discontinuities == 0


def test_frozen_owner_wakes_up_and_finds_its_stream_gone(bed: Bed, figures: Figures) -> None:
    """SIGSTOP for two leases: the streamer reconnects to another task; the sleeper serves its old media to nobody."""
    with on_air(bed, 3) as broadcasts, bed.audience(broadcasts, 24) as audience:
        frozen = bed.owner(broadcasts[0].playback_id)
        moved = [each for each in broadcasts if frozen.has(each.playback_id)]
        steady(audience, 5)
        began = time.time()
        frozen.freeze()
        try:
            eventually(lambda: time.time() > began + 5, "five seconds")
            for each in moved:
                each.reconnect()
                successor = bed.owner(each.playback_id)
                assert successor is not frozen
            eventually(lambda: time.time() > began + 20, "twenty seconds")
        finally:
            frozen.thaw()
        thawed = time.time()
        for each in moved:
            eventually(lambda: not frozen.has(each.playback_id), "the sleeper to notice")  # noqa: B023 - called within this turn
            assert bed.owner(each.playback_id) is not frozen
            for name in RENDITIONS:
                wait_until_current(frozen, audience, each.playback_id, name)
        noticed = time.time() - thawed
        steady(audience, 10)
        measured = audience.stop()
        took = sorted(seconds for each in moved for seconds in handed_over(audience, each, began))
        figures(
            f"{measured}; publisher's reconnect to next segment {took[0]:.1f} to {took[-1]:.1f} s, "
            f"stale stream gone {noticed:.1f} s after waking up"
        )
        assert [each.cuts for each in broadcasts if each not in moved] == [0] * (3 - len(moved))
    assert audience.problems == []
    assert measured.discontinuities >= 1


def test_rolling_replacement_cuts_no_broadcast(bed: Bed, figures: Figures) -> None:
    """As ECS deploys: new tasks first, then the old ones leave the balancers, and stop when they are not protected."""
    old = list(bed.tasks.values())
    with on_air(bed, 3) as broadcasts, bed.audience(broadcasts, 24) as audience:
        eventually(lambda: all(task.protected for task in old if task.status()["streams"]), "protection")
        steady(audience, 5)
        bed.restore(2 * TASKS)
        for task in old:
            bed.balancers.deregister(task.name)
        replaced = time.time()
        stopped = {task.name: task for task in old if not task.protected}
        for task in stopped.values():
            task.terminate()
        steady(audience, 15)
        with on_air(bed, 1) as (newcomer,):
            assert bed.owner(newcomer.playback_id) not in old
        assert [each.cuts for each in broadcasts] == [0] * 3
        cut_short = audience.failures()
        for each in broadcasts:
            each.stop()  # the end of the show
        eventually(lambda: all(viewer.ended for viewer in audience.viewers), "the end, at every viewer")
        measured = audience.stop()
        for task in old:
            eventually(lambda: not task.protected, f"{task.name} free", END_AFTER_SECONDS + 60)  # noqa: B023 - called within this turn
            if task.name not in stopped:
                task.terminate()
            assert task.wait() == 0
        figures(f"{measured}, {time.time() - replaced:.0f} s until all were replaced")
        assert [each.cuts for each in broadcasts] == [0] * 3
    assert audience.problems == []
    assert cut_short == []
    # Until it is certain that no streamer comes back, a blocking reload runs out of time (RFC 8216bis 6.2.5.2).
    assert measured.failures.keys() <= {"503 playlist"}
    assert measured.discontinuities == 0


def test_five_deployments_during_shows_cut_nobody(bed: Bed, figures: Figures) -> None:
    """ECS refuses to protect more tasks than it wants, over all deployments: everyone who is live is protected."""
    for task in list(bed.tasks.values())[1:]:
        bed.remove(task)
    with on_air(bed, 1) as (first,), bed.audience([first], 6) as audience:
        oldest = bed.owner(first.playback_id)
        eventually(lambda: oldest.protected, "protection of the first show's task")
        for _ in range(4):
            bed.deploy()
        with on_air(bed, 1) as (second,):
            newer = bed.owner(second.playback_id)
            assert newer is not oldest
            eventually(lambda: newer.protected, "protection of the second show's task")
            bed.deploy()
            steady(audience, 5)
            assert set(bed.tasks.values()) >= {oldest, newer}
            assert len(bed.tasks) == 3, "the tasks of the two shows, and the newest"
            assert (first.cuts, second.cuts) == (0, 0)
        measured = audience.stop()
        figures(measured)
    assert audience.problems == []
    assert measured.discontinuities == 0


def test_shows_that_end_evenly_leave_the_others_protected(bed: Bed, prod: Template) -> None:
    """The average halves and says fewer tasks; all of them are busy, and the policies as synthesized take none away.

    Even if ECS wants fewer, what was granted stays; a later show is protected when it wants enough again.
    """
    with on_air(bed, 6) as broadcasts:
        shows: dict[Task, list[Broadcast]] = {}
        for each in broadcasts:
            shows.setdefault(bed.owner(each.playback_id), []).append(each)
        eventually(lambda: all(task.protected for task in shows), "protection")
        ending = [mine[0] for mine in shows.values() if len(mine) > 1]
        for each in ending:
            each.stop()
        going_on = [each for mine in shows.values() for each in mine[-1:]]
        eventually(
            lambda: sum(len(task.status()["streams"]) for task in shows) == len(broadcasts) - len(ending),
            "the end of some",
        )
        assert scaling_alarms(bed, prod) == []
        bed.service.desired = 1
        with on_air(bed, 1) as (late,):
            assert all(task.protected for task in shows)
            bed.service.desired = TASKS
            last = bed.owner(late.playback_id)
            eventually(lambda: last.protected, "protection of the late show's task")
        assert [each.cuts for each in going_on] == [0] * len(shows)


def scaling_alarms(bed: Bed, stack: Template) -> list[str]:
    """Which alarms of autoscaling ring, by what the tasks are like at this moment."""
    tasks = list(bed.tasks.values())
    metrics = {
        "BusyTasks": sum(task.protected for task in tasks),
        "DesiredTaskCount": bed.service.desired,
        "RunningTaskCount": len(tasks),
        "StreamsPerTask": sum(task.status()["used"] for task in tasks) / len(tasks),
    }
    alarms = stack.resources("aws_cloudwatch_metric_alarm")
    return [
        name
        for name, alarm in alarms.items()
        if name.startswith("Scaling_") and evaluate(alarm, metrics) >= alarm["threshold"]
    ]
