"""Nobody owns what another owns, whatever the network, the clocks and the processes do."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule
from origin.cluster.leases import LEASE_SECONDS, LOOK_SECONDS
from origin.cluster.registry import RegistryUnavailableError, StreamTakenError

from tests.container.lease_world import STEP_SECONDS, Task, World, run

IDS = st.sampled_from(["one", "two"])
FAULTS = st.sampled_from(["fails", "answer lost", "arrives later", "answers slowly"])


class Leases(RuleBasedStateMachine):
    """Three tasks, whose clocks show other times and run at other speeds, two streams, and everything that can fail."""

    tasks = Bundle("tasks")

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.started = 0
        for rate, offset in ((1.0, 0.0), (1.05, 3600.0), (0.95, -7.5)):
            self._start(rate, offset)

    def _start(self, rate: float, offset: float) -> None:
        self.started += 1
        self.world.start(f"task-{self.started}", rate, offset)

    def _awake(self, which: int) -> Task:
        return self.world.tasks[which % len(self.world.tasks)]

    def _publish(self, task: Task, playback_id: str) -> bool:
        with contextlib.suppress(StreamTakenError, RegistryUnavailableError):
            return bool(run(task.publish(playback_id)))
        return False

    @rule(which=st.integers(0, 2), playback_id=IDS)
    def a_publisher_comes(self, which: int, playback_id: str) -> None:
        task = self._awake(which)
        if not (task.paused or playback_id in task.live):
            self._publish(task, playback_id)

    @rule(which=st.integers(0, 2), playback_id=IDS)
    def a_publisher_leaves(self, which: int, playback_id: str) -> None:
        task = self._awake(which)
        if not task.paused and playback_id in task.live:
            run(task.leave(playback_id))

    @rule(which=st.integers(0, 2), playback_id=IDS)
    def a_publisher_falls_silent(self, which: int, playback_id: str) -> None:
        self._awake(which).ghosts.add(playback_id)

    @rule(seconds=st.sampled_from([STEP_SECONDS, 1.0, 4.0, LEASE_SECONDS, 60.0]))
    def time_passes(self, seconds: float) -> None:
        run(self.world.pass_time(seconds))

    @rule(which=st.integers(0, 2))
    def a_process_stops_or_goes_on(self, which: int) -> None:
        task = self._awake(which)
        task.paused = not task.paused

    @rule(which=st.integers(0, 2))
    def a_task_dies_and_another_starts(self, which: int) -> None:
        task = self._awake(which)
        task.crashed = True
        self.world.tasks.remove(task)
        self._start(task.rate, task.offset)

    @rule(which=st.integers(0, 2))
    def peers_are_cut_off_or_not(self, which: int) -> None:
        task = self._awake(which)
        task.cut_off = not task.cut_off

    @rule(which=st.integers(0, 2))
    def the_table_is_cut_off_or_not(self, which: int) -> None:
        task = self._awake(which)
        task.without_table = not task.without_table

    @rule(which=st.integers(0, 2), other=st.integers(0, 2), playback_id=IDS, table=st.booleans())
    def a_task_is_isolated_and_its_publisher_comes_elsewhere(
        self,
        which: int,
        other: int,
        playback_id: str,
        table: bool,  # noqa: FBT001 # hypothesis passes what the strategies make
    ) -> None:
        """It cannot be asked, it cannot renew (or sleeps), and believes that all is well for as long as it may."""
        task = self._awake(which)
        task.cut_off, task.without_table, task.paused = True, table, not table
        self.a_publisher_comes(other, playback_id)

    @rule(which=st.integers(0, 2), faults=st.lists(FAULTS, min_size=1, max_size=3))
    def calls_fail(self, which: int, faults: list[str]) -> None:
        self._awake(which).faults[:] = faults  # type: ignore[assignment] # the strategy's texts are the literals

    @rule()
    def late_writes_arrive(self) -> None:
        run(self.world.deliver())

    @rule(which=st.integers(0, 2), playback_id=IDS)
    def somebody_asks_who_has_it(self, which: int, playback_id: str) -> None:
        task = self._awake(which)
        if not task.paused:
            run(task.registry.holder(playback_id))

    @rule(which=st.integers(0, 2), playback_id=IDS)
    def all_is_well_again_and_a_publisher_finds_a_task(self, which: int, playback_id: str) -> None:
        """Liveness: however it got there, once nothing is broken and no publisher is left, the next one is let in."""
        for task in self.world.tasks:
            task.paused = task.cut_off = task.without_table = False
            task.faults.clear()
            task.ghosts.add(playback_id)
        run(self.world.deliver())
        task = self._awake(which)
        if playback_id not in task.live:
            assert self._publish(task, playback_id)
        # An answer from before is a second old at most; after an outage nobody waits for a new one, for a lease's time.
        run(self.world.pass_time(LEASE_SECONDS + 2 * LOOK_SECONDS))
        holders = {run(each.registry.holder(playback_id)) for each in self.world.tasks if playback_id not in each.live}
        assert playback_id not in task.live or holders <= {task.registry.me}

    @invariant()
    def one_owner_at_most(self) -> None:
        self.world.check()


def _examples(number: int) -> settings:
    checks = [HealthCheck.too_slow]
    return settings(max_examples=number, stateful_step_count=40, deadline=None, suppress_health_check=checks)


class TestLeases(Leases.TestCase):  # type: ignore[misc, valid-type] # hypothesis makes the class when it is asked for it
    settings = _examples(30)


@pytest.mark.slow
class TestLeasesAtLength(Leases.TestCase):  # type: ignore[misc, valid-type] # as above
    settings = _examples(200)
