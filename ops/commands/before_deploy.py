"""What an apply would run into half-way through, asked before anything is begun.

Before the plan, what the configuration alone decides; then, of the plan, what it adds. What would fail ends the deploy;
what cannot be looked at is told, and the deploy goes on: Terraform has the last word.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ops.aws.asking import Findings, UnansweredError
from ops.aws.image import look_at_image
from ops.aws.log_bucket import look_at_log_bucket
from ops.aws.quotas import look_at_quotas
from ops.aws.references import look_at_references
from ops.aws.room import look_at_unprotected_broadcasts
from ops.aws.service import look_at_deployments, look_at_retirement
from ops.aws.zones import look_at_zones
from ops.errors import NotReadyError
from ops.terminal import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from config.environment import EnvironmentConfig


def check_configuration(config: EnvironmentConfig) -> None:
    """Look at all that needs no plan.

    Raises:
        NotReadyError: the apply would fail, or nothing would run after it.
    """
    say("deploy: looking at zones, image and what the configuration points at ...")
    looks = (look_at_zones, look_at_image, look_at_references, look_at_retirement)
    _check([partial(look, config) for look in looks], f"{config.name} cannot be deployed like this")


def check_plan(config: EnvironmentConfig, plan: Mapping[str, Any]) -> None:
    """Look at what this plan would do.

    Raises:
        NotReadyError: AWS would refuse some of it.
    """
    looks = [partial(look_at_quotas, config, plan), partial(look_at_log_bucket, config, plan)]
    if updates_service(plan):
        looks += [partial(look_at_deployments, config), partial(look_at_unprotected_broadcasts, config)]
    _check(looks, "AWS would refuse this plan")


def updates_service(plan: Mapping[str, Any]) -> bool:
    """Whether it is a deployment to ECS."""
    return any(
        entry["type"] == "aws_ecs_service" and entry["change"]["actions"] == ["update"]
        for entry in plan.get("resource_changes", [])
    )


def _check(looks: Iterable[Callable[[], Findings]], what: str) -> None:
    found = [_look(look) for look in looks]
    for note in [note for findings in found for note in findings.notes]:
        say(f"deploy: note: {note}")
    problems = [problem for findings in found for problem in findings.problems]
    if problems:
        raise NotReadyError("\n".join([f"{what}; nothing was changed:", *(f"- {problem}" for problem in problems)]))


def _look(look: Callable[[], Findings]) -> Findings:
    try:
        return look()
    except UnansweredError as error:
        return Findings(notes=[f"not looked at: {error}"])
