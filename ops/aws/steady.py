"""After the apply: are the new tasks running and healthy, or why not? Terraform's success says nothing of it.

Steady means that the newest deployment has all its tasks, and these are healthy by their own check and at both load
balancers. Tasks of earlier deployments may go on for hours, protected, until their broadcasts end: they are told of,
and not waited for.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from ops.aws.asking import SignedOutError, UnansweredError, ask, client
from ops.aws.service import active_deployments, describe_service, protected, tasks
from ops.errors import FailedError
from ops.terminal import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from config.environment import EnvironmentConfig

WAIT_MINUTES = 20.0  # image pull, start, health checks, and the circuit breaker's three attempts at all that
MOST_WAIT_MINUTES = 1440.0
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 10.0
_REMIND_SECONDS = 60.0  # a line even when nothing changes
_MOST_UNANSWERED = 5  # in a row
_TEXT_CHARACTERS = 300  # of a reason or an event
_MOST_REASONS = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """The service at one moment."""

    deployment: str  # id of the newest
    running: int
    desired: int
    rollout: str  # of the newest deployment: IN_PROGRESS, COMPLETED or FAILED
    why: str  # ECS's reason for that
    failed: frozenset[str]  # ids of the deployments that ECS gave up
    healthy: int  # tasks of the newest deployment that may serve
    older: int  # tasks of earlier deployments
    older_protected: int
    event: str  # the service's last one
    unseen: frozenset[str] = frozenset()  # what these credentials may not look at

    @property
    def steady(self) -> bool:
        return 0 < self.desired <= min(self.running, self.healthy) and self.rollout != "FAILED"

    def line(self) -> str:
        older = f", {self.older} older ({self.older_protected} with broadcasts)" if self.older else ""
        return (
            f"{self.running} of {self.desired} new tasks running, {self.healthy} healthy{older}; "
            f"rollout {self.rollout}; last event: {self.event or 'none'}"
        )


def wait_until_steady(config: EnvironmentConfig, wait_minutes: float = WAIT_MINUTES) -> None:
    """Watch the service, with a line for each change, until it is steady.

    Raises:
        FailedError: it is not, or cannot be seen; the text says why as far as ECS tells. Nothing is undone by that.
    """
    say(f"deploy: waiting until the tasks are steady (at most {wait_minutes:g} minutes; Ctrl-C leaves them to it) ...")
    try:
        _watch(config, wait_minutes * 60)
    except KeyboardInterrupt:
        say("\ndeploy: not watched any more; what was applied stays applied, and ECS goes on with it by itself")
        raise
    except SignedOutError as error:
        raise FailedError(f"applied, but not watched to the end: {error}") from None


def _watch(config: EnvironmentConfig, seconds: float) -> None:
    began = shown_at = time.monotonic()
    first, shown, pause, unanswered, told = "", "", _FIRST_PAUSE_SECONDS, 0, set[str]()
    while True:
        try:
            look = _look(config)
            unanswered = 0
        except UnansweredError as error:
            unanswered += 1
            if unanswered == _MOST_UNANSWERED:
                raise FailedError(f"applied, but whether the tasks run cannot be seen: {error}") from None
            look = None
        now = time.monotonic()
        if look is not None:
            for unseen in look.unseen - told:
                say(f"deploy: not looked at: {unseen}")
            told |= look.unseen
            if look.line() != shown or now - shown_at > _REMIND_SECONDS:
                say(f"deploy: {now - began:3.0f} s: {look.line()}")
                shown, shown_at = look.line(), now
            first = first or look.deployment
            if first in look.failed or look.deployment != first:
                raise FailedError(_given_up(config, look, first))
            if look.steady:
                _say_steady(config, look)
                return
            _say_new_reasons(config, first, told)
        if now - began > seconds:
            raise FailedError(_not_in_time(config, look, first, seconds))
        time.sleep(min(pause, max(0.0, seconds - (now - began)) + 0.01))
        pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)


def _look(config: EnvironmentConfig) -> Look:
    service = describe_service(config)
    if service is None:
        raise UnansweredError(f"the service {config.service_name} (ECS knows none of that name)")
    deployments = active_deployments(service)
    newest = next(each for each in deployments if each["status"] == "PRIMARY")
    running = tasks(config, "RUNNING")
    older = [task["taskArn"] for task in running if task.get("startedBy") != newest["id"]]
    events = service.get("events", [])
    healthy = [
        task for task in running if task.get("startedBy") == newest["id"] and task.get("healthStatus") == "HEALTHY"
    ]
    unseen: set[str] = set()
    for group in service.get("loadBalancers", []):
        targets = _unless_denied(partial(_healthy_targets, config, group["targetGroupArn"]), unseen)
        healthy = [task for task in healthy if targets is None or _address(task) in targets]
    busy = _unless_denied(partial(protected, config, older), unseen) if older else None
    return Look(
        deployment=newest["id"],
        running=newest["runningCount"],
        desired=newest["desiredCount"],
        rollout=newest.get("rolloutState", "unknown"),
        why=newest.get("rolloutStateReason", ""),
        failed=frozenset(each["id"] for each in service["deployments"] if each.get("rolloutState") == "FAILED"),
        healthy=len(healthy),
        older=len(older),
        older_protected=len(busy or ()),
        event=_short(events[0]["message"]) if events else "",
        unseen=frozenset(unseen),
    )


def _unless_denied(question: Callable[[], set[str]], unseen: set[str]) -> set[str] | None:
    """The answer; None, and a word in `unseen`, when these credentials may not have it."""
    try:
        return question()
    except UnansweredError as error:
        if not error.denied:
            raise
        unseen.add(str(error))
        return None


def _healthy_targets(config: EnvironmentConfig, target_group_arn: str) -> set[str]:
    """Addresses."""
    elb = client(config, "elbv2")
    answer = ask(
        lambda: elb.describe_target_health(TargetGroupArn=target_group_arn),
        "health at the load balancers (elasticloadbalancing:DescribeTargetHealth)",
    )
    states = answer["TargetHealthDescriptions"]
    return {each["Target"]["Id"] for each in states if each["TargetHealth"]["State"] == "healthy"}


def _address(task: dict[str, Any]) -> str:
    """The address under which the load balancers know it."""
    return next(
        (
            detail["value"]
            for attachment in task.get("attachments", [])
            for detail in attachment.get("details", [])
            if detail["name"] == "privateIPv4Address"
        ),
        "",
    )


def _say_steady(config: EnvironmentConfig, look: Look) -> None:
    say(f"deploy: steady: {look.running} of {look.desired} tasks run and are healthy")
    if look.older_protected:
        say(
            f"deploy: {look.older_protected} earlier tasks with broadcasts stay until these end "
            f"(python -m ops broadcasts {config.name})"
        )


def _say_new_reasons(config: EnvironmentConfig, deployment: str, told: set[str]) -> None:
    try:
        reasons = _reasons(config, deployment)
    except UnansweredError:
        return  # the last word (`_and_why`) says so
    for reason in reasons:
        if reason not in told and len(told) < _MOST_REASONS:
            say(f"deploy: a task stopped: {reason}")
        told.add(reason)


def _given_up(config: EnvironmentConfig, look: Look, deployment: str) -> str:
    if look.deployment != deployment:
        what = "ECS gave the deployment up and rolled back: the tasks from before serve on"
    else:
        what = "ECS gave the deployment up, and there was none before to roll back to"
    return f"{config.service_name} is not steady: {what}. {_and_why(config, look, deployment)}"


def _not_in_time(config: EnvironmentConfig, look: Look | None, deployment: str, seconds: float) -> str:
    text = f"{config.service_name} is not steady after {seconds / 60:g} minutes; ECS goes on trying"
    if look is not None and look.older_protected >= look.desired:
        text += (
            f". {look.older_protected} earlier tasks have broadcasts, and ECS runs twice as many as it wants "
            f"({look.desired}) at most: new ones start when these end, or with a higher scaling.min_tasks"
        )
    return f"{text}. {_and_why(config, look, deployment)}"


def _and_why(config: EnvironmentConfig, look: Look | None, deployment: str) -> str:
    try:
        counted = _reasons(config, deployment)
    except UnansweredError as error:
        counted = Counter([f"not seen: {error}"])
    lines = [f"  {number} x {reason}" for reason, number in counted.most_common(_MOST_REASONS)]
    if not lines and look is not None:
        lines = [f"  {look.why or look.event or 'ECS gives no reason'}"]
    return "\n".join(
        [
            "Why tasks stopped:" if counted else "Last heard:",
            *lines,
            f"  More: aws logs tail {config.log_group_name} --region {config.aws.region} --since 30m",
        ]
    )


def _reasons(config: EnvironmentConfig, deployment: str) -> Counter[str]:
    """Why tasks of a deployment stopped, the same ones together."""
    stopped = [task for task in tasks(config, "STOPPED") if task.get("startedBy") == deployment]
    return Counter(_reason(task) for task in stopped)


def _reason(task: dict[str, Any]) -> str:
    """What ECS says of the task and of its container, without what differs from task to task."""
    parts = [task.get("stoppedReason", "no reason given"), *_container_reasons(task.get("containers", []))]
    return _short(re.sub(r"\b(port \d+|[0-9a-f]{32}|\d+(\.\d+){3})\b", "...", "; ".join(parts)))


def _container_reasons(containers: Iterable[dict[str, Any]]) -> list[str]:
    reasons = []
    for container in containers:
        if container.get("reason"):
            reasons.append(container["reason"])
        if container.get("exitCode"):
            reasons.append(f"exit status {container['exitCode']}")
    return reasons


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _TEXT_CHARACTERS else line[: _TEXT_CHARACTERS - 3] + "..."
