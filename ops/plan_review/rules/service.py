"""What runs broadcasts: cluster, service, task definition, and how a deployment treats those who are live."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ops.plan_review.change import Action
from ops.plan_review.effect import Broadcasts, Effect, Verdict
from ops.plan_review.rule import Look, rule
from ops.plan_review.rules.parts import (
    BETWEEN_SHOWS,
    COMES_OR_GOES,
    balancer_goes,
    container,
    lowered,
    number,
    vpc_goes,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ops.plan_review.change import Change
    from ops.plan_review.plan import Plan

# What makes ECS start new tasks. Source: Amazon ECS API reference, UpdateService.
_DEPLOYS = (
    "task_definition",
    "network_configuration",
    "load_balancer",
    "platform_version",
    "enable_execute_command",
    "enable_ecs_managed_tags",
    "propagate_tags",
    "force_new_deployment",
    "triggers",
)
_TASK = (
    "cpu",
    "memory",
    "family",
    "runtime_platform",
    "execution_role_arn",
    "task_role_arn",
    "volume",
    "ephemeral_storage",
    "region",
    "container_definitions.*.image",
    "container_definitions.*.mountPoints",
    "container_definitions.*.logConfiguration.options.awslogs-group",
    "container_definitions.*.logConfiguration.options.awslogs-region",
)


def _what_is_new(plan: Plan, changes: tuple[Change, ...]) -> str:
    before, after = container(plan, "before"), container(plan, "after")
    words = []
    if before.get("image") != after.get("image"):
        words.append("another image")
    if before.get("environment") != after.get("environment"):
        words.append("other settings")
    words += [
        text
        for path, text in (
            ("cpu", "another size"),
            ("memory", "another size"),
            ("runtime_platform", "another architecture"),
            ("network_configuration", "other subnets or security groups"),
            ("load_balancer", "other target groups"),
        )
        if any(change.changed(path) for change in changes)
    ]
    return ", ".join(dict.fromkeys(words))


@rule(
    "new-task-definition",
    Look(types=("aws_ecs_task_definition",), actions=COMES_OR_GOES, attributes=_TASK),
    Look(types=("aws_ecs_service",), actions=(Action.CREATE,), attributes=_DEPLOYS),
)
def new_task_definition(plan: Plan) -> Iterator[Effect]:
    """A task definition and the service that is told of it are one deployment; so is whatever else starts new tasks.

    Tasks with broadcasts hold task protection, so ECS leaves them alone until these have ended (docs/adr/0010, 0020).
    Sources: Amazon ECS developer guide, "Protect your Amazon ECS tasks from being terminated by scale-in events";
    UpdateService; ECS service quotas (five active deployments).
    """
    services = tuple(
        change
        for change in plan.of_type("aws_ecs_service")
        if change.action is Action.UPDATE and any(change.changed(path) for path in _DEPLOYS)
    )
    definitions = tuple(change for change in plan.of_type("aws_ecs_task_definition") if change.replaced)
    if not services or vpc_goes(plan) or balancer_goes(plan, ingest=False):
        return
    changes = (*definitions, *services)
    new = _what_is_new(plan, changes)
    image = (
        " The image has to be there for the new architecture: make deploy looks before it begins."
        if any(change.changed("runtime_platform") for change in definitions)
        else ""
    )
    yield Effect(
        rule="new-task-definition",
        changes=changes,
        title="New tasks take over, one by one, as shows end" + (f" ({new})" if new else ""),
        verdict=Verdict.SAFE_NOW,
        streamers=(
            "Nobody is cut: a running show stays on its old task, which is protected until 70 s after its end; the "
            "next show starts on a new task."
        ),
        viewers="Nothing changes.",
        safe_way=(
            "Now. The deployment stays open until the longest show that runs now has ended (protection lasts 48 hours "
            "and is prolonged); ECS takes no sixth while five are open. What does not start healthy is rolled back by "
            f"itself.{image}"
        ),
        shows=tuple(dict.fromkeys(difference.path for difference in changes[0].differences))[:12],
    )


@rule("task-definition-unused", Look(types=("aws_ecs_task_definition",), attributes=("skip_destroy", "track_latest")))
def rollback_lost(plan: Plan) -> Iterator[Effect]:
    """A rollback needs the revision before, and AWS starts no task of a revision that is deregistered."""
    for change in plan.of_type("aws_ecs_task_definition"):
        if change.before_at("skip_destroy") is True and change.after_at("skip_destroy") is not True:
            yield Effect(
                rule="task-definition-unused",
                changes=(change,),
                title="Old revisions of the tasks are deregistered",
                verdict=Verdict.NEEDS_APPROVAL,
                streamers=(
                    "Nobody is cut. A deployment that fails cannot be rolled back, and an old task is not replaced."
                ),
                safe_way="Keep skip_destroy on.",
                shows=(("skip_destroy",),),
            )


@rule(
    "service-goes",
    Look(
        types=("aws_ecs_service",),
        actions=COMES_OR_GOES,
        attributes=("name", "cluster", "launch_type", "scheduling_strategy", "deployment_controller", "region"),
    ),
    Look(types=("aws_ecs_cluster",), actions=COMES_OR_GOES, attributes=("name", "region")),
)
def service_goes(plan: Plan) -> Iterator[Effect]:
    """A service that is deleted stops its tasks, the protected ones last, and gives them to no balancer any more.

    Terraform gives up after 20 minutes when a show lasts longer (docs/deploy.md); the new one cannot be made meanwhile.
    """
    found = [change for change in (*plan.of_type("aws_ecs_service"), *plan.of_type("aws_ecs_cluster")) if change.goes]
    if found and not vpc_goes(plan):
        kind = "service" if found[0].type == "aws_ecs_service" else "cluster"
        yield Effect(
            rule="service-goes",
            changes=tuple(found),
            title=f"The ECS {kind} is {'replaced' if found[0].replaced else 'deleted'}",
            verdict=Verdict.NEEDS_APPROVAL,
            broadcasts=Broadcasts.ALL_CUT,
            streamers="Nobody can begin until the new service has tasks. Those who are live are drained, then cut.",
            viewers="All lose their shows as soon as the tasks leave the balancer.",
            safe_way=f"Take back what forces it. If it has to be: {BETWEEN_SHOWS}",
            shows=found[0].replace_paths,
        )


_SHIELD = (
    ("deployment_minimum_healthy_percent", 100, "ECS may stop tasks before new ones run"),
    ("deployment_maximum_percent", 200, "new tasks have no room beside protected ones, and a deployment is stuck"),
    ("health_check_grace_period_seconds", 60, "new tasks are killed before they have started"),
)


@rule(
    "deployment-shield",
    Look(
        types=("aws_ecs_service",),
        attributes=(
            *(path for path, _, _ in _SHIELD),
            "deployment_circuit_breaker",
            "availability_zone_rebalancing",
            "wait_for_steady_state",
            "alarms",
        ),
    ),
)
def deployment_shield(plan: Plan) -> Iterator[Effect]:
    """What keeps a deployment from taking capacity, or from going on when it fails.

    Source: Amazon ECS developer guide, "Amazon ECS service deployment parameters", "deployment circuit breaker".
    """
    for change in plan.of_type("aws_ecs_service"):
        if change.action is not Action.UPDATE:
            continue
        why = [
            (path, text)
            for path, least, text in _SHIELD
            if lowered(change, path) and (number(change.after_at(path)) or 0) < least
        ]
        for name in ("enable", "rollback"):
            path = f"deployment_circuit_breaker.0.{name}"
            if change.before_at(path) is True and change.after_at(path) is not True:
                why.append(("deployment_circuit_breaker", "a deployment that fails is not rolled back"))
        if why:
            yield Effect(
                rule="deployment-shield",
                changes=(change,),
                title="Deployments lose a shield: " + "; ".join(dict.fromkeys(text for _, text in why)),
                verdict=Verdict.NEEDS_APPROVAL,
                streamers="Nobody is cut by the apply. The next deployment may leave too few tasks for those who come.",
                viewers="A task that goes early takes its viewers' requests along: they are asked again elsewhere.",
                safe_way="Keep 100 % and 200 %, 120 s of grace, and the circuit breaker with rollback.",
                shows=tuple(dict.fromkeys((path,) for path, _ in why)),
            )


@rule("cluster-settings", Look(types=("aws_ecs_cluster",), attributes=("setting", "configuration")))
def cluster_settings(plan: Plan) -> Iterator[Effect]:
    """Scaling in reads the desired count from Container Insights, and so does the alarm on running tasks."""
    for change in plan.of_type("aws_ecs_cluster"):
        was, stays = (at("setting.containerInsights.value") != "disabled" for at in (change.before_at, change.after_at))
        if change.action is Action.UPDATE and change.changed("setting") and was and not stays:
            yield Effect(
                rule="cluster-settings",
                changes=(change,),
                title="Container Insights is turned off",
                verdict=Verdict.NEEDS_APPROVAL,
                streamers=(
                    "Nobody is cut. The number of tasks no longer follows the busy ones: new shows stay unprotected."
                ),
                safe_way="Keep Container Insights on: autoscaling and the alarm TasksBelowMinimum read it.",
                shows=(("setting",),),
            )


RULES = (new_task_definition, rollback_lost, service_goes, deployment_shield, cluster_settings)
