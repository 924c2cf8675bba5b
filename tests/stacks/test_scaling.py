"""Scaling in and deployments cut nobody: the synthesized policies at work on a model of ECS."""

from __future__ import annotations

import copy
import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from origin.cluster.task_protection import Timing

from stacks.document import StackDocument
from tests.stacks.scaling_world import SHOWS_PER_TASK, World, evaluate
from tests.template import Template

if TYPE_CHECKING:
    from collections.abc import Callable

HALF_AN_HOUR = Timing(lease_minutes=30, renew_seconds=600)


def eight_shows_on_four_tasks(world: World) -> None:
    """Two on each; then one of each pair ends, so that the average halves and every task is still busy."""
    world.scale_to(4)
    for task in world.tasks:
        task.shows = 2
    world.run(5)
    end_one_on_each(world)


def end_one_on_each(world: World) -> None:
    for task in world.tasks:
        if task.busy:
            world.end(task)


def unprotected(world: World) -> int:
    return sum(task.busy and not task.protected for task in world.tasks)


def test_shows_that_end_evenly_leave_the_other_shows_protected(prod: Template) -> None:
    """The average says two tasks, four are busy: four are kept, for hours."""
    world = World(prod)
    eight_shows_on_four_tasks(world)

    world.run(300)

    assert sum(task.busy for task in world.tasks) == 4
    assert (world.cut, unprotected(world), world.service.desired) == (0, 0, 4)


def test_the_model_cuts_shows_when_target_tracking_scales_in_and_leases_are_short(prod: Template) -> None:
    """What was deployed before: without this, the tests above and below could not fail."""
    document = copy.deepcopy(prod.document)
    policies = document["resource"]["aws_appautoscaling_policy"]
    document["resource"]["aws_appautoscaling_policy"] = {
        name: policy for name, policy in policies.items() if policy["policy_type"] == "TargetTrackingScaling"
    }
    for policy in document["resource"]["aws_appautoscaling_policy"].values():
        del policy["target_tracking_scaling_policy_configuration"]["disable_scale_in"]
    world = World(Template(StackDocument(name="", document=document)), HALF_AN_HOUR)
    eight_shows_on_four_tasks(world)

    world.run(60)

    assert world.cut > 0


def test_idle_tasks_go_until_the_minimum_is_left(prod: Template) -> None:
    """Night: every show has ended."""
    world = World(prod)
    eight_shows_on_four_tasks(world)
    end_one_on_each(world)

    world.run(60)

    assert (world.service.desired, len(world.tasks), world.cut) == (world.least, world.least, 0)


def test_no_task_goes_that_the_load_would_bring_back(prod: Template) -> None:
    """Nine shows on three of five tasks: two are idle, and four are what the target asks for."""
    world = World(prod)
    world.scale_to(5)
    for task in world.tasks[:3]:
        task.shows = SHOWS_PER_TASK
    world.run(1)
    seen = set()

    for _ in range(120):
        world.run(1)
        seen.add(world.service.desired)

    assert min(seen) >= 5
    assert len(seen) <= 2, f"it goes up and down: {sorted(seen)}"
    assert world.cut == 0


def test_an_idle_service_at_its_minimum_does_not_ring(prod: Template) -> None:
    """There is nothing to take away, so that no alarm of scaling is in alarm; one task more, and one is."""
    alarms = [
        alarm for name, alarm in prod.resources("aws_cloudwatch_metric_alarm").items() if name.startswith("Scaling_")
    ]
    idle = {"BusyTasks": 0, "StreamsPerTask": 0}
    least = World(prod).least

    def ringing(tasks: int) -> int:
        metrics = idle | {"DesiredTaskCount": tasks, "RunningTaskCount": tasks}
        return sum(evaluate(alarm, metrics) >= alarm["threshold"] for alarm in alarms)

    assert (ringing(least), ringing(least + 1)) == (0, 1)


@pytest.mark.parametrize("deployments", [1, 5])
def test_deployments_during_shows_cut_nobody(prod: Template, deployments: int) -> None:
    """Old tasks stay with their shows, new shows come to new tasks, and all of them get their protection."""
    world = World(prod)
    world.scale_to(3)
    for task in world.tasks:
        task.shows = 1
    world.run(5)

    for _ in range(deployments):
        assert world.deploy()
        world.run(1)
        world.begin()
        world.run(10)

    assert (world.cut, unprotected(world)) == (0, 0)
    assert sum(task.shows for task in world.tasks) == 3 + deployments


def test_busy_tasks_beyond_the_desired_ones_are_protected_within_minutes(prod: Template) -> None:
    """New shows on new tasks while the old ones are still busy, without anybody raising anything by hand."""
    world = World(prod)
    world.scale_to(3)
    for task in world.tasks:
        task.shows = 1
    world.run(1)
    world.revision += 1  # a deployment, as `make deploy` begins one
    world.run(1)
    for task in [task for task in world.tasks if task.revision == world.revision]:
        task.shows = 1

    world.run(5)

    assert (world.cut, unprotected(world)) == (0, 0)
    assert world.service.desired >= 6


def test_fails_when_a_deployment_begins_while_a_busy_task_is_unprotected(prod: Template) -> None:
    """At the most tasks that there may be, protection can be out of reach: the next deployment has to wait."""
    world = World(prod)
    world.scale_to(world.most)
    for task in world.tasks:
        task.shows = 1
    world.run(1)
    world.revision += 1
    world.run(1)
    next(task for task in world.tasks if task.revision == world.revision).shows = 1
    world.run(10)

    assert not world.deploy()
    assert world.cut == 0


STEPS: list[Callable[[World], object]] = [
    World.begin,
    World.begin,
    end_one_on_each,
    World.deploy,
    lambda world: world.run(1),
    lambda world: world.run(7),
    lambda world: world.run(45),
]


@settings(deadline=None, max_examples=40)
@given(steps=st.lists(st.sampled_from(STEPS), max_size=40), seed=st.integers(0, 2**16))
def test_no_course_of_shows_and_deployments_cuts_anybody(
    prod: Template, steps: list[Callable[[World], object]], seed: int
) -> None:
    """And when all is over, the service is back at its minimum."""
    world = World(prod, chance=random.Random(seed))
    for step in steps:
        step(world)
    assert world.cut == 0

    for task in world.tasks:
        task.shows = 0
    world.run(300)

    assert world.cut == 0
    assert world.service.desired == world.least
