"""The container of a task: what stops it, who it runs as, what secrets it gets. It counts for tasks that start anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ops.plan_review.effect import Effect, Verdict
from ops.plan_review.rule import Look, rule
from ops.plan_review.rules.parts import container, number, setting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ops.plan_review.change import Change
    from ops.plan_review.plan import Plan

_AT = "container_definitions.*."


def _changed_definitions(plan: Plan) -> list[Change]:
    """Definitions that follow an earlier one, and have another container."""
    return [
        change
        for change in plan.of_type("aws_ecs_task_definition")
        if change.before is not None and change.after is not None and change.changed("container_definitions")
    ]


def _shows(change: Change, *names: str) -> tuple[tuple[str, ...], ...]:
    """The places of the container definition that differ below these names."""
    paths = (difference.path for difference in change.differences)
    return tuple(path for path in paths if path[0] == "container_definitions" and {*path[2:]} & {*names})


@rule(
    "stop-shortened",
    Look(
        types=("aws_ecs_task_definition",),
        attributes=(_AT + "stopTimeout", _AT + "environment.STOP_TIMEOUT_SECONDS"),
    ),
)
def stop_shortened(plan: Plan) -> Iterator[Effect]:
    """How long a task may go on after SIGTERM: it lets broadcasts end, and playlists after them (docs/adr/0010).

    Source: Amazon ECS API reference, ContainerDefinition (120 s at most on Fargate, 30 s where nothing is said).
    """
    before, after = (
        min(
            number(container(plan, side).get("stopTimeout")) or 30,
            number(setting(plan, "STOP_TIMEOUT_SECONDS", side)) or 120,
        )
        for side in ("before", "after")
    )
    for change in _changed_definitions(plan):
        if after < before:
            yield Effect(
                rule="stop-shortened",
                changes=(change,),
                title=f"Tasks that are stopped have {after:g} s instead of {before:g} s to end their shows",
                verdict=Verdict.NEEDS_APPROVAL,
                streamers=(
                    "Nobody is cut by the apply. When AWS retires a task, its shows are cut that much sooner; OBS "
                    "reconnects to another task."
                ),
                viewers="They stall a moment earlier in that case.",
                safe_way="Keep 120 s, the most that Fargate gives.",
                shows=_shows(change, "stopTimeout", "STOP_TIMEOUT_SECONDS"),
            )


@rule("new-secret", Look(types=("aws_ecs_task_definition",), attributes=(_AT + "secrets",)))
def new_secret(plan: Plan) -> Iterator[Effect]:
    """The token that the origin shows to the backend. A backend that refuses it is a backend that refuses everybody."""
    for change in _changed_definitions(plan):
        if container(plan, "before").get("secrets") != container(plan, "after").get("secrets"):
            yield Effect(
                rule="new-secret",
                changes=(change,),
                title="New tasks show the backend another token",
                verdict=Verdict.NEEDS_APPROVAL,
                streamers=(
                    "Nobody is cut. If the backend does not take the new token, each new publisher on a new task is "
                    "refused ('unauthorized'); if the secret cannot be read, no new task starts."
                ),
                safe_way="Let the backend take both tokens, deploy, publish a test show, then take the old one back.",
                shows=_shows(change, "secrets"),
            )


# What holds an intruder or a runaway process; the value that does.
_CONFINED: dict[str, Any] = {
    "privileged": False,
    "readonlyRootFilesystem": True,
    "user": "10001:10001",
    "linuxParameters": {"initProcessEnabled": True, "capabilities": {"drop": ("ALL",)}},
}


@rule(
    "confinement-loosened",
    Look(types=("aws_ecs_task_definition",), attributes=(*(_AT + name for name in _CONFINED), _AT + "ulimits")),
)
def confinement_loosened(plan: Plan) -> Iterator[Effect]:
    """What streamers send is parsed by nginx and FFmpeg: whoever takes one over must not get far (docs/security.md)."""
    before, after = container(plan, "before"), container(plan, "after")
    looser = [name for name, value in _CONFINED.items() if before.get(name) == value != after.get(name)]
    if before.get("ulimits") != after.get("ulimits"):
        looser.append("ulimits")
    for change in _changed_definitions(plan):
        if looser:
            yield Effect(
                rule="confinement-loosened",
                changes=(change,),
                title=f"New tasks run with other limits: {', '.join(looser)}",
                verdict=Verdict.NEEDS_APPROVAL,
                streamers="Nobody is cut. Somebody who takes over a process by what they publish gets further.",
                safe_way="Keep the container without root, without capabilities, and its file system read-only.",
                shows=_shows(change, *looser),
            )


@rule(
    "container-changed",
    Look(
        types=("aws_ecs_task_definition",),
        attributes=(
            *(_AT + name for name in ("name", "essential", "portMappings", "command", "entryPoint", "dependsOn")),
            "network_mode",
            "requires_compatibilities",
            _AT + "healthCheck",
            "pid_mode",
            "ipc_mode",
        ),
    ),
)
def container_changed(plan: Plan) -> Iterator[Effect]:
    """Names, ports and start: load balancers and the service refer to them, and a wrong one starts nothing."""
    before, after = container(plan, "before"), container(plan, "after")
    names = ("name", "essential", "portMappings", "command", "entryPoint", "dependsOn")
    for change in _changed_definitions(plan):
        found = [name for name in names if before.get(name) != after.get(name)]
        if before.get("healthCheck") and not after.get("healthCheck"):
            found.append("healthCheck")
        if found:
            yield Effect(
                rule="container-changed",
                changes=(change,),
                title=f"The container starts or answers differently: {', '.join(found)}",
                verdict=Verdict.NEEDS_APPROVAL,
                streamers=(
                    "Nobody is cut: old tasks stay while new ones do not get healthy. If they do and answer elsewhere, "
                    "new shows do not begin. Without a health check a task that hangs is never replaced."
                ),
                safe_way="Try it in dev with a show; ports 1935 and 8080 and the name RTMPContainer are contracts.",
                shows=_shows(change, *found),
            )


@rule(
    "logs-block",
    Look(
        types=("aws_ecs_task_definition",),
        attributes=tuple(
            _AT + f"logConfiguration.{name}"
            for name in ("logDriver", "options.mode", "options.max-buffer-size", "options.awslogs-stream-prefix")
        ),
    ),
)
def logs_block(plan: Plan) -> Iterator[Effect]:
    """In blocking mode a slow CloudWatch Logs stops the origin's event loop, and with it everybody on the task.

    Source: Amazon ECS API reference, LogConfiguration (mode, max-buffer-size).
    """
    before, after = (container(plan, side).get("logConfiguration") or {} for side in ("before", "after"))
    mode = [(each.get("options") or {}).get("mode") for each in (before, after)]
    for change in _changed_definitions(plan):
        if before.get("logDriver") != after.get("logDriver") or (mode[0] == "non-blocking" != mode[1]):
            yield Effect(
                rule="logs-block",
                changes=(change,),
                title="New tasks write their logs in another way",
                verdict=Verdict.NEEDS_APPROVAL,
                streamers=(
                    "Nobody is cut by the apply. Where logs block, a slow log service holds up all shows of a task."
                ),
                viewers="They stall while logs are held up.",
                safe_way="Keep awslogs with mode non-blocking and its buffer of 8 MB.",
                shows=_shows(change, "logConfiguration"),
            )


RULES = (stop_shortened, new_secret, confinement_loosened, container_changed, logs_block)
