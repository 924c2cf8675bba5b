"""How load balancers treat tasks: draining, health checks, what becomes of running connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ops.plan_review.change import Action
from ops.plan_review.effect import Broadcasts, Effect, Verdict
from ops.plan_review.rule import Look, rule
from ops.plan_review.rules.parts import container, is_ingest_target_group, lowered, number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ops.plan_review.change import Change
    from ops.plan_review.plan import Plan

_UNHEALTHY = "target_health_state.0.enable_unhealthy_connection_termination"


def _settings(plan: Plan, *, ingest: bool) -> Iterator[Change]:
    """Groups whose settings change; what a replaced one does is another rule's, and its settings count all the same."""
    for change in plan.of_type("aws_lb_target_group"):
        stays = change.before is not None and change.after is not None
        if change.action is not Action.NO_OP and stays and is_ingest_target_group(change) is ingest:
            yield change


@rule(
    "connections-end-with-health-or-drain",
    Look(types=("aws_lb_target_group",), attributes=("connection_termination", "target_health_state")),
)
def connections_end(plan: Plan) -> Iterator[Effect]:
    """Both switches are off on purpose: a task that drains, or misses its health checks, keeps its broadcasts.

    Sources: Elastic Load Balancing, user guide for network load balancers, "Edit target group attributes"
    (deregistration delay, unhealthy connection termination).
    """
    for change in _settings(plan, ingest=True):
        drain = change.changed("connection_termination") and change.after_at("connection_termination") is not False
        health = change.changed("target_health_state") and change.after_at(_UNHEALTHY) is not False
        if drain or health:
            when = "misses its health checks for a minute" if health else "is taken out of the balancer"
            yield Effect(
                rule="connections-end-with-health-or-drain",
                changes=(change,),
                title="The balancer ends running broadcasts " + ("of unhealthy tasks" if health else "when it drains"),
                verdict=Verdict.NEEDS_APPROVAL,
                streamers=f"Nobody is cut by the apply. From then on a task that {when} loses all its broadcasts.",
                viewers="Such shows stall until their streamer is back.",
                safe_way="Leave both off: broadcasts outlive a slow health check, and end by themselves.",
                shows=tuple(
                    (path,) for path in ("connection_termination", "target_health_state") if change.changed(path)
                ),
            )


@rule("drain-shortened", Look(types=("aws_lb_target_group",), attributes=("deregistration_delay",)))
def drain_shortened(plan: Plan) -> Iterator[Effect]:
    """How long a task that goes may finish what it has."""
    for ingest in (True, False):
        for change in _settings(plan, ingest=ingest):
            if lowered(change, "deregistration_delay"):
                yield Effect(
                    rule="drain-shortened",
                    changes=(change,),
                    title=(
                        f"Tasks that go have {change.after_at('deregistration_delay')} s instead of "
                        f"{change.before_at('deregistration_delay')} s to drain"
                    ),
                    verdict=Verdict.NEEDS_APPROVAL,
                    streamers=(
                        "Nobody is cut by the apply. A task that is stopped lets go of its streamers sooner."
                        if ingest
                        else "Nothing changes."
                    ),
                    viewers=(
                        "Nothing changes."
                        if ingest
                        else "Requests that a stopping task holds, up to 18 s with segments of 2 s, may break off."
                    ),
                    safe_way="Keep 300 s for ingest, and for playback what a task may take to stop (120 s).",
                    shows=(("deregistration_delay",),),
                )


@rule(
    "client-addresses",
    Look(types=("aws_lb_target_group",), attributes=("preserve_client_ip", "proxy_protocol_v2", "stickiness")),
)
def client_addresses(plan: Plan) -> Iterator[Effect]:
    """nginx-rtmp sees the streamer's own address, and knows no proxy protocol."""
    for change in _settings(plan, ingest=True):
        proxy = change.changed("proxy_protocol_v2") and change.after_at("proxy_protocol_v2") is not False
        if proxy or change.changed("preserve_client_ip") or change.changed("stickiness"):
            yield Effect(
                rule="client-addresses",
                changes=(change,),
                title="Tasks see connections in another way" if not proxy else "Nobody can publish any more",
                verdict=Verdict.NEEDS_APPROVAL,
                streamers=(
                    "Each new connection is refused: nginx-rtmp does not know the proxy protocol."
                    if proxy
                    else "Nobody is cut. Without their addresses all count as one in logs and limits (8 connections "
                    "that have not published from one address); with stickiness they come back to a full task."
                ),
                safe_way="Keep preserve_client_ip on, the proxy protocol and stickiness off.",
            )


def _patience(check: dict[str, Any]) -> float | None:
    interval, count = number(check.get("interval")), number(check.get("unhealthy_threshold"))
    return interval * count if interval is not None and count is not None else None


def _worse(before: dict[str, Any], after: dict[str, Any], patience: Callable[[dict[str, Any]], float | None]) -> str:
    """Why a health check is more likely to fail than it was, or nothing."""
    asked = [name for name in ("path", "port", "protocol", "matcher", "command") if before.get(name) != after.get(name)]
    if asked:
        return f"it asks something else ({', '.join(asked)})"
    old, new = patience(before), patience(after)
    if old is not None and new is not None and new < old:
        return f"{new:g} s of silence are enough, which were {old:g} s"
    old, new = number(before.get("timeout")), number(after.get("timeout"))
    if old is not None and new is not None and new < old:
        return f"an answer may take {new:g} s, which were {old:g} s"
    old, new = number(before.get("startPeriod")), number(after.get("startPeriod"))
    return f"a task has {new:g} s to start, which were {old:g} s" if (new or 0) < (old or 0) else ""


def _stricter(change: Change, plan: Plan) -> str:
    if change.type == "aws_ecs_task_definition":
        before, after = (container(plan, side).get("healthCheck") or {} for side in ("before", "after"))
        if not before or not after:
            return ""
        return _worse(before, after, lambda check: _product(check.get("interval"), check.get("retries")))
    before, after = (at("health_check.0") for at in (change.before_at, change.after_at))
    return _worse(before, after, _patience) if isinstance(before, dict) and isinstance(after, dict) else ""


def _product(one: Any, other: Any) -> float | None:
    left, right = number(one), number(other)
    return left * right if left is not None and right is not None else None


@rule(
    "health-check-stricter",
    Look(types=("aws_lb_target_group",), attributes=("health_check", "slow_start")),
    Look(types=("aws_ecs_task_definition",), attributes=("container_definitions.*.healthCheck",)),
)
def health_check_stricter(plan: Plan) -> Iterator[Effect]:
    """ECS replaces an unhealthy task in spite of its protection, with all its broadcasts.

    Source: Amazon ECS developer guide, "Task scale-in protection" (only scaling in and deployments spare a task).
    """
    for change in (*plan.of_type("aws_lb_target_group"), *plan.of_type("aws_ecs_task_definition")):
        if change.before is None or change.after is None or change.action is Action.NO_OP:
            continue
        why = _stricter(change, plan)
        if why:
            of_tasks = change.type == "aws_ecs_task_definition"
            yield Effect(
                rule="health-check-stricter",
                changes=(change,),
                title=f"Tasks are found unhealthy sooner: {why}",
                verdict=Verdict.NEEDS_APPROVAL,
                broadcasts=Broadcasts.NONE if of_tasks else Broadcasts.CUT_ONCE,
                streamers=(
                    "ECS kills what is unhealthy, protected or not. "
                    + (
                        "This holds for tasks that start from now on."
                        if of_tasks
                        else "Tasks with shows are tested at once."
                    )
                ),
                viewers="A show on a task that is killed stalls until its streamer is back.",
                safe_way=(
                    "Keep it tolerant: a busy encoder is slow to answer. Apply between shows, and see that tasks stay "
                    "healthy under load."
                ),
                shows=(("container_definitions",),) if of_tasks else (("health_check",),),
            )


RULES = (connections_end, drain_shortened, client_addresses, health_check_stricter)
