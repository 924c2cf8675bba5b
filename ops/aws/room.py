"""Room for protection: ECS protects no more tasks than the service wants, those of all its deployments together.

So a deployment during shows begins with a larger desired count, or its first broadcasts on new tasks would be
unprotected until scaling has noticed; and with none that is live on an unprotected task, which ECS would stop. Nobody
has to lower the count afterwards: scaling takes idle tasks away (constructs_lib/compute/autoscaling.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ops.aws.asking import Findings, UnansweredError, ask, client
from ops.aws.broadcasts import live_broadcasts
from ops.aws.service import describe_service, protected, tasks
from ops.terminal import say

if TYPE_CHECKING:
    from config.environment import EnvironmentConfig


def look_at_unprotected_broadcasts(config: EnvironmentConfig) -> Findings:
    """Would a deployment stop a task that has broadcasts?

    Raises:
        UnansweredError: AWS did not tell.
    """
    live = live_broadcasts(config)
    busy = {arn for arn in _running(config) if any(each.task_id == arn.rpartition("/")[2] for each in live)}
    exposed = busy - protected(config, busy) if busy else set()
    return Findings(
        problems=[
            f"task {arn.rpartition('/')[2]} has broadcasts and no protection, and ECS would stop it: wait some "
            f"minutes, in which scaling makes room, or raise scaling.max_tasks ({config.scaling.max_tasks}); "
            "docs/runbook.md, TaskProtectionFails"
            for arn in sorted(exposed)
        ]
    )


def make_room(config: EnvironmentConfig) -> None:
    """Have the service want as many tasks more as are protected, up to `max_tasks`. Tells when it cannot."""
    try:
        service = describe_service(config)
        if service is None:
            return
        keep, desired = len(protected(config, _running(config))), int(service["desiredCount"])
        wanted = min(config.scaling.max_tasks, desired + keep)
        if wanted <= desired:
            return
        ecs = client(config, "ecs")
        ask(
            lambda: ecs.update_service(cluster=config.cluster_name, service=config.service_name, desiredCount=wanted),
            "a larger desired count (ecs:UpdateService)",
        )
    except UnansweredError as error:
        say(f"deploy: note: no room was made for the protection of new tasks, scaling does so in some minutes: {error}")
    else:
        say(f"deploy: {keep} have broadcasts: {wanted} tasks are wanted in place of {desired} until these end")


def _running(config: EnvironmentConfig) -> list[str]:
    return [str(task["taskArn"]) for task in tasks(config, "RUNNING")]
