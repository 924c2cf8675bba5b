"""One ECS service, minute by minute: shows, deployments, and the scaling policies as they were synthesized.

A model, since no AWS is here: of ECS (keeps as many tasks of the newest revision as it wants, stops whatever is not
protected beyond that, refuses protection by its rule), of Application Auto Scaling (target tracking with its three
minutes to add and fifteen to take away, step policies with their cooldown), and of CloudWatch's alarms. What the stack
decides is not modelled: policies, alarms and their expressions are read from its Terraform.
"""

from __future__ import annotations

import functools
import math
import random
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from origin.cluster.task_protection import Timing

from tests.container.ecs_agent import EcsService

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import CodeType

    from tests.template import Template

CPU_PER_SHOW = 35  # percent of a task
SHOWS_PER_TASK = 3
_OUT_MINUTES, _IN_MINUTES = 3, 15  # target tracking's own alarms
_IN_SHARE = 0.9  # of the target, below which it takes away
_FUNCTIONS = {"IF": lambda condition, yes, no: yes if condition else no, "MAX": max, "CEIL": math.ceil}


@dataclass(eq=False)
class Task:
    """A running task."""

    world: World
    revision: int
    shows: int = 0
    protected_until: float = -math.inf
    renew_at: float = math.inf

    @property
    def busy(self) -> bool:
        return self.shows > 0

    @property
    def protected(self) -> bool:
        return self.world.minute < self.protected_until

    def look(self) -> None:
        """What the origin does, as origin/cluster/task_protection.py has it."""
        now, timing = self.world.minute, self.world.timing
        if not self.busy:
            self.protected_until = -math.inf
        elif (not self.protected or now >= self.renew_at) and self.world.service.may_protect(self):
            self.protected_until = now + timing.lease_minutes
            self.renew_at = now + timing.renew_seconds / 60


@dataclass
class World:
    """The service and its time."""

    template: Template
    timing: Timing = field(default_factory=Timing)
    chance: random.Random = field(default_factory=lambda: random.Random(1))
    minute: int = 0
    cut: int = 0  # shows whose task was stopped
    revision: int = 1

    def __post_init__(self) -> None:
        (target,) = self.template.resources("aws_appautoscaling_target").values()
        self.least, self.most = target["min_capacity"], target["max_capacity"]
        self.service = EcsService(self.least)
        self.tasks = [Task(self, self.revision) for _ in range(self.least)]
        self.service.tasks.extend(self.tasks)
        self._history: deque[dict[str, float]] = deque(maxlen=_IN_MINUTES)  # no alarm looks further back
        self._quiet_until: dict[str, int] = {}

    # --- what people do ---

    def begin(self) -> None:
        """A streamer is put on any task with room, as the load balancer does when full ones refuse."""
        free = [task for task in self.tasks if task.shows < SHOWS_PER_TASK]
        if free:
            task = self.chance.choice(free)
            task.shows += 1
            task.look()

    def end(self, task: Task) -> None:
        """One of its shows."""
        task.shows -= 1
        task.look()

    def deploy(self) -> bool:
        """As `make deploy` (ops/aws/room.py): not while a busy task is unprotected, and with enough desired for all."""
        if any(task.busy and not task.protected for task in self.tasks):
            return False
        self._want(self.service.desired + sum(task.protected for task in self.tasks))
        self.revision += 1
        return True

    def scale_to(self, desired: int) -> None:
        """Where a scenario begins."""
        self._want(desired)
        self._schedule()

    # --- what happens by itself ---

    def run(self, minutes: int) -> None:
        for _ in range(minutes):
            self.minute += 1
            for task in self.tasks:
                task.look()
            self._history.append(self._metrics())
            self._scale()
            self._schedule()

    def _metrics(self) -> dict[str, float]:
        running = len(self.tasks)
        shows = sum(task.shows for task in self.tasks)
        return {
            "BusyTasks": sum(task.busy for task in self.tasks),
            "DesiredTaskCount": self.service.desired,
            "RunningTaskCount": running,
            "StreamsPerTask": shows / running,
            "ECSServiceAverageCPUUtilization": CPU_PER_SHOW * shows / running,
        }

    def _scale(self) -> None:
        policies = self.template.resources("aws_appautoscaling_policy")
        for policy in policies.values():
            if "target_tracking_scaling_policy_configuration" in policy:
                self._track(policy["target_tracking_scaling_policy_configuration"])
        for alarm in self.template.resources("aws_cloudwatch_metric_alarm").values():
            for address, policy in policies.items():
                if alarm.get("alarm_actions") == [f"${{aws_appautoscaling_policy.{address}.arn}}"]:
                    self._step(policy["step_scaling_policy_configuration"], alarm)

    def _track(self, configuration: dict[str, Any]) -> None:
        specification = configuration.get("customized_metric_specification", {})
        predefined = configuration.get("predefined_metric_specification", {})
        name = specification.get("metric_name") or predefined["predefined_metric_type"]
        target = configuration["target_value"]
        seen = [metrics[name] for metrics in self._history]
        wanted = math.ceil(len(self.tasks) * seen[-1] / target)
        if len(seen) >= _OUT_MINUTES and min(seen[-_OUT_MINUTES:]) > target:
            self._want(max(self.service.desired, wanted))
        if configuration.get("disable_scale_in"):
            return
        if len(seen) >= _IN_MINUTES and max(seen[-_IN_MINUTES:]) < _IN_SHARE * target:
            self._want(min(self.service.desired, wanted))

    def _step(self, configuration: dict[str, Any], alarm: dict[str, Any]) -> None:
        minutes = alarm["evaluation_periods"]
        values = [evaluate(alarm, metrics) for metrics in list(self._history)[-minutes:]]
        if len(values) < minutes or min(values) < alarm["threshold"]:
            return
        name = alarm["alarm_name"]
        if self.minute < self._quiet_until.get(name, 0):
            return
        over = values[-1] - alarm["threshold"]
        for step in configuration["step_adjustment"]:
            upper = float(step.get("metric_interval_upper_bound", math.inf))
            if float(step["metric_interval_lower_bound"]) <= over < upper:
                self._want(self.service.desired + step["scaling_adjustment"])
                self._quiet_until[name] = self.minute + math.ceil(configuration["cooldown"] / 60)

    def _want(self, desired: int) -> None:
        self.service.desired = max(self.least, min(self.most, desired))

    def _schedule(self) -> None:
        newest = [task for task in self.tasks if task.revision == self.revision]
        for _ in range(self.service.desired - len(newest)):
            task = Task(self, self.revision)
            self.tasks.append(task)
            self.service.tasks.append(task)
        spare = [task for task in newest if not task.protected][: max(0, len(newest) - self.service.desired)]
        old = [task for task in self.tasks if task.revision != self.revision and not task.protected]
        for task in [*spare, *old]:
            self.cut += task.shows
            self.tasks.remove(task)
            self.service.tasks.remove(task)


def evaluate(alarm: dict[str, Any], metrics: Mapping[str, float]) -> float:
    """The value of an alarm's expression, with the functions of CloudWatch's metric math that the stack uses."""
    queries = alarm["metric_query"]
    names: dict[str, Any] = {
        query["id"]: metrics[query["metric"]["metric_name"]] for query in queries if "metric" in query
    }
    (expression,) = [query["expression"] for query in queries if "expression" in query]
    return float(eval(_compiled(expression), {"__builtins__": {}}, names | _FUNCTIONS))  # noqa: S307 # our own stack's


@functools.cache
def _compiled(expression: str) -> CodeType:
    return compile(expression, "<alarm>", "eval")
