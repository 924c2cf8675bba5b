"""What is what in the streaming stack, as far as a plan tells: which balancer is whose, which group guards what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ops.plan_review.change import Action
from ops.plan_review.rule import REPLACED
from ops.plan_review.values import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ops.plan_review.change import Change
    from ops.plan_review.plan import Plan

RTMP_PORT = 1935
COMES_OR_GOES = (Action.CREATE, Action.DELETE, *REPLACED)

BETWEEN_SHOWS = "Apply it when nobody is live: make broadcasts ENV=<env> lists who is."


def either(change: Change, path: str) -> Any:
    """The value before; where there is none, the value after."""
    value = change.before_at(path)
    return change.after_at(path) if value is None else value


def number(value: Any) -> float | None:
    """A number of the plan, which Terraform writes as text in places; None where there is none to be had."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def lowered(change: Change, path: str) -> bool:
    """Whether a number falls, both sides being known."""
    before, after = number(change.before_at(path)), number(change.after_at(path))
    return before is not None and after is not None and after < before


def raised(change: Change, path: str) -> bool:
    """Whether a number rises, both sides being known."""
    before, after = number(change.before_at(path)), number(change.after_at(path))
    return before is not None and after is not None and after > before


def members(value: Any) -> tuple[Any, ...]:
    """A list of the plan; nothing where it has none, or is not known yet."""
    return value if isinstance(value, tuple) else ()


def vpc_goes(plan: Plan) -> bool:
    """With it goes all that is in it, whatever else the plan says of that."""
    return any(change.goes for change in plan.of_type("aws_vpc"))


def is_ingest_balancer(change: Change) -> bool:
    return bool(either(change, "load_balancer_type") == "network")


def ingest_balancers(plan: Plan) -> Iterator[Change]:
    return (change for change in plan.of_type("aws_lb") if is_ingest_balancer(change))


def playback_balancers(plan: Plan) -> Iterator[Change]:
    return (change for change in plan.of_type("aws_lb") if not is_ingest_balancer(change))


def balancer_goes(plan: Plan, *, ingest: bool) -> bool:
    balancers = ingest_balancers(plan) if ingest else playback_balancers(plan)
    return any(change.goes for change in balancers)


def is_ingest_target_group(change: Change) -> bool:
    """A group that carries RTMP; the other one speaks HTTP. By the protocol before, which a replacement may change."""
    return either(change, "protocol") not in ("HTTP", "HTTPS")


def is_ingest_listener(change: Change) -> bool:
    return either(change, "protocol") in ("TCP", "TLS", "UDP", "TCP_UDP")


def guards(plan: Plan, group_id: object) -> str:
    """Whose security group it is: "ingest", "playback", "task", or "" for none that is in use."""
    for change in plan.of_type("aws_lb"):
        if group_id in members(change.before_at("security_groups")):
            return "ingest" if is_ingest_balancer(change) else "playback"
    for change in plan.of_type("aws_ecs_service"):
        if group_id in members(change.before_at("network_configuration.0.security_groups")):
            return "task"
    return ""


def output_stays(plan: Plan, name: str) -> bool:
    """Whether an output keeps its value: a domain name of one's own outlives what it points to."""
    found = [output for output in plan.output_changes if output.name == name]
    return bool(found) and all(
        output.action is Action.NO_OP or (output.after is not UNKNOWN and output.before == output.after)
        for output in found
    )


def container(plan: Plan, side: str) -> dict[str, Any]:
    """The one container of the tasks, as a view, before or after; empty where there is none."""
    for change in plan.of_type("aws_ecs_task_definition"):
        containers = (change.before_at if side == "before" else change.after_at)("container_definitions")
        if isinstance(containers, dict):
            for definition in containers.values():
                if isinstance(definition, dict):
                    return definition
    return {}


def setting(plan: Plan, name: str, side: str = "after") -> Any:
    """A variable of the container's environment."""
    environment = container(plan, side).get("environment")
    return environment.get(name) if isinstance(environment, dict) else None


def named(changes: Iterable[Change]) -> str:
    """The constructs, for a sentence."""
    paths = [change.construct_path for change in changes]
    return ", ".join(paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")
