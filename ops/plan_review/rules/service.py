"""What runs the broadcasts: the ECS service, its task definition and its scaling."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ops.plan_review.change import Action
from ops.plan_review.effect import Broadcasts, Effect, Verdict
from ops.plan_review.rule import REPLACED, Look, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ops.plan_review.plan import Plan


@rule(
    "new-task-definition",
    Look(
        types=("aws_ecs_task_definition",),
        actions=(Action.CREATE, *REPLACED),
        attributes=("container_definitions.*.image",),
    ),
    Look(types=("aws_ecs_service",), actions=(Action.CREATE,), attributes=("task_definition",)),
)
def new_task_definition(plan: Plan) -> Iterator[Effect]:
    """Tasks with broadcasts are protected from the deployment; it stays open until the last show has ended."""
    for change in plan.of_type("aws_ecs_task_definition"):
        if not change.replaced:
            continue
        services = tuple(service for service in plan.of_type("aws_ecs_service") if service.changed("task_definition"))
        yield Effect(
            rule="new-task-definition",
            changes=(change, *services),
            title="New tasks take over, one by one, as shows end",
            verdict=Verdict.SAFE_NOW,
            broadcasts=Broadcasts.NONE,
            streamers="Nobody is cut. A running show stays on its old task; the next show starts on a new one.",
            viewers="Nothing changes.",
            safe_way="Now. The deployment stays open until the last show that runs now has ended.",
        )


RULES = (new_task_definition,)
