"""The container definition of a task, as plain data (ECS API reference, ContainerDefinition)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from config.environment import ECS_STOP_TIMEOUT_SECONDS
from constructs_lib.network.ports import HLS_PORT, RTMP_PORT

if TYPE_CHECKING:
    from collections.abc import Mapping

CONTAINER_NAME = "RTMPContainer"
CONTAINER_USER = "10001:10001"
RUNTIME_VOLUME = "runtime"
# ECS Exec's agent writes here. AWS calls it unsupported beside a read-only root; with these three it works, as others
# report (aws/containers-roadmap, issue 1359), and if it does not, a shell is what is missing and no broadcast.
ECS_EXEC_VOLUMES = {
    "ssm-agents": "/managed-agents",
    "ssm-lib": "/var/lib/amazon/ssm",
    "ssm-log": "/var/log/amazon/ssm",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class ContainerProps:
    image: str
    log_group_name: str
    environment: Mapping[str, str]
    secrets: Mapping[str, str]  # variable to the ARN of its secret
    ecs_exec: bool
    stop_timeout_seconds: int = ECS_STOP_TIMEOUT_SECONDS


def volume_names(*, ecs_exec: bool) -> list[str]:
    """The task's writable volumes: everything else is read-only."""
    return [RUNTIME_VOLUME, *(ECS_EXEC_VOLUMES if ecs_exec else ())]


def container_definition(props: ContainerProps, region: str) -> dict[str, Any]:
    """Return the definition of the one container."""
    mounts = {RUNTIME_VOLUME: "/tmp", **(ECS_EXEC_VOLUMES if props.ecs_exec else {})}  # noqa: S108 - in the container
    return {
        "name": CONTAINER_NAME,
        "image": props.image,
        "essential": True,
        "user": CONTAINER_USER,
        "privileged": False,
        "readonlyRootFilesystem": True,
        "linuxParameters": {
            "initProcessEnabled": True,  # reaps what ECS Exec leaves behind, forwards SIGTERM
            "capabilities": {"add": [], "drop": ["ALL"]},
        },
        "ulimits": [{"name": "nofile", "softLimit": 8192, "hardLimit": 8192}],
        "portMappings": [
            {"containerPort": port, "hostPort": port, "protocol": "tcp"} for port in (RTMP_PORT, HLS_PORT)
        ],
        "mountPoints": [
            {"sourceVolume": volume, "containerPath": path, "readOnly": False} for volume, path in mounts.items()
        ],
        "volumesFrom": [],
        "systemControls": [],
        "environment": [{"name": name, "value": value} for name, value in sorted(props.environment.items())],
        "secrets": [{"name": name, "valueFrom": arn} for name, arn in sorted(props.secrets.items())],
        "healthCheck": {
            "command": ["CMD", "healthcheck"],  # of the image: container/healthcheck
            "interval": 15,
            "timeout": 10,
            "retries": 6,  # tolerant: ECS kills an unhealthy task in spite of its protection
            "startPeriod": 30,
        },
        "stopTimeout": props.stop_timeout_seconds,
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": props.log_group_name,
                "awslogs-region": region,
                "awslogs-stream-prefix": "rtmp",
                # Blocking (the default) would stop the origin's event loop when CloudWatch Logs is slow.
                "mode": "non-blocking",
                "max-buffer-size": "8m",
            },
        },
    }


def container_definitions_json(props: ContainerProps, region: str) -> str:
    """Return the task definition's container list as JSON, the same for the same input."""
    return json.dumps([container_definition(props, region)], sort_keys=True)
