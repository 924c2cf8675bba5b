"""ECS and its autoscaling. Source: the provider's documentation of each type, and its ForceNew flags."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

from offline_terraform.values import collect, is_unknown

from .checks import arn, between, json_document, matches
from .model import Making, Problem, ResourceType, in_use

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_NAME = matches("name", r"[A-Za-z0-9_-]{1,255}", "1 to 255 letters, digits, hyphens and underscores")


def _containers(config: Mapping[str, Any]) -> Iterator[Problem]:
    """The provider decodes the container definitions at plan, and AWS wants a name and an image in each."""
    text = config["container_definitions"]
    if is_unknown(text) or list(json_document("container_definitions")(config)):
        return
    containers = json.loads(text)
    if not isinstance(containers, list) or not all(isinstance(each, dict) for each in containers):
        yield Problem(
            summary="ECS Task Definition container_definitions is invalid: not a list of objects",
            path=("container_definitions",),
        )
        return
    for index, container in enumerate(containers):
        for field in ("name", "image"):
            if not container.get(field):
                yield Problem(
                    summary=f"ECS Task Definition container_definitions is invalid: container {index} has no {field}",
                    path=("container_definitions",),
                )


def _fargate(config: Mapping[str, Any]) -> Iterator[Problem]:
    """What AWS demands of a Fargate task when it registers it."""
    compatibilities = config.get("requires_compatibilities")
    if not isinstance(compatibilities, list) or "FARGATE" not in compatibilities:
        return
    if config.get("network_mode") != "awsvpc" and not is_unknown(config.get("network_mode")):
        yield Problem(summary="ClientException: Fargate only supports network mode 'awsvpc'.", path=("network_mode",))
    for name in ("cpu", "memory"):
        if config.get(name) is None:
            yield Problem(summary=f"ClientException: Fargate requires that '{name}' be defined at the task level.")


def _capacity_limits(config: Mapping[str, Any]) -> Iterator[Problem]:
    low, high = config["min_capacity"], config["max_capacity"]
    if not (is_unknown(low) or is_unknown(high)) and float(low) > float(high):
        yield Problem(
            summary="ValidationException: Maximum capacity cannot be less than minimum capacity", path=("max_capacity",)
        )


def _capacity_providers(prior: Mapping[str, Any], planned: Mapping[str, Any]) -> Iterator[str]:
    """From none to some or back; changes among them are made in place, with a new deployment."""
    if bool(prior["capacity_provider_strategy"]) != bool(planned["capacity_provider_strategy"]):
        yield "capacity_provider_strategy"


def _deployment_controller(prior: Mapping[str, Any], planned: Mapping[str, Any]) -> Iterator[str]:
    """The kind cannot change; an absent block is the kind ECS."""
    before, after = (collect(service, "deployment_controller.type") or ["ECS"] for service in (prior, planned))
    if before != after:
        yield "deployment_controller.type"


def _revision(_making: Making) -> int:
    """Any number that the revision before it did not have, since nothing here counts for a family."""
    return secrets.randbelow(1_000_000) + 1


def _service_arn(making: Making) -> str:
    cluster = str(making["cluster"]).rpartition("/")[2]
    return making.fill_in(f"arn:aws:ecs:{{region}}:{{account}}:service/{cluster}/{{name}}")


_SCALED = ("resource_id", "scalable_dimension", "service_namespace")

RESOURCES = {
    "aws_ecs_cluster": ResourceType(
        force_new=("name",),
        allowed={
            "setting.name": ("containerInsights",),
            "configuration.execute_command_configuration.logging": ("NONE", "DEFAULT", "OVERRIDE"),
        },
        checks=(_NAME,),
        refused_while_used=in_use(
            "deleting ECS Cluster ({name}): ClusterContainsServicesException: The Cluster cannot be deleted while "
            "Services are active."
        ),
        values={"arn": "arn:aws:ecs:{region}:{account}:cluster/{name}", "id": "{arn}"},
    ),
    "aws_ecs_task_definition": ResourceType(
        # A revision never changes: every argument but tags and the provider's own switches makes a new one.
        force_new=(
            "container_definitions",
            "cpu",
            "enable_fault_injection",
            "ephemeral_storage",
            "execution_role_arn",
            "family",
            "ipc_mode",
            "memory",
            "network_mode",
            "pid_mode",
            "placement_constraints",
            "proxy_configuration",
            "requires_compatibilities",
            "runtime_platform",
            "task_role_arn",
            "volume",
        ),
        computed=("enable_fault_injection", "network_mode"),
        defaults={"skip_destroy": False, "track_latest": False},
        allowed={
            "ipc_mode": ("host", "task", "none"),
            "network_mode": ("bridge", "host", "awsvpc", "none"),
            "pid_mode": ("host", "task"),
            "requires_compatibilities": ("EC2", "FARGATE", "EXTERNAL", "MANAGED_INSTANCES"),
            "runtime_platform.cpu_architecture": ("X86_64", "ARM64"),
        },
        checks=(
            json_document("container_definitions"),
            _containers,
            _fargate,
            arn("execution_role_arn"),
            arn("task_role_arn"),
            matches("family", r"[A-Za-z0-9_-]{1,255}", "1 to 255 letters, digits, hyphens and underscores"),
            between("ephemeral_storage.size_in_gib", 21, 200),
        ),
        json_documents=("container_definitions",),
        values={
            "id": "{family}",
            "revision": _revision,
            "arn_without_revision": "arn:aws:ecs:{region}:{account}:task-definition/{family}",
            "arn": "{arn_without_revision}:{revision}",
            "enable_fault_injection": False,
            "network_mode": "bridge",
        },
    ),
    "aws_ecs_service": ResourceType(
        force_new=(
            "cluster",
            "iam_role",
            "launch_type",
            "name",
            "scheduling_strategy",
        ),
        replace_rules=(_capacity_providers, _deployment_controller),
        computed=(
            "availability_zone_rebalancing",
            "cluster",
            "iam_role",
            "launch_type",
            "platform_version",
            "triggers",
        ),
        defaults={
            "deployment_controller.type": "ECS",
            "deployment_maximum_percent": 200,
            "deployment_minimum_healthy_percent": 100,
            "enable_ecs_managed_tags": False,
            "enable_execute_command": False,
            "network_configuration.assign_public_ip": False,
            "scheduling_strategy": "REPLICA",
            "sigint_rollback": False,
            "wait_for_steady_state": False,
        },
        allowed={
            "availability_zone_rebalancing": ("ENABLED", "DISABLED"),
            "deployment_controller.type": ("ECS", "CODE_DEPLOY", "EXTERNAL"),
            "launch_type": ("EC2", "FARGATE", "EXTERNAL", "MANAGED_INSTANCES"),
            "propagate_tags": ("SERVICE", "TASK_DEFINITION", "NONE"),
            "scheduling_strategy": ("REPLICA", "DAEMON"),
        },
        checks=(
            _NAME,
            between("load_balancer.container_port", 0, 65_536),
            between("health_check_grace_period_seconds", 0, 2_147_483_647),
            arn("load_balancer.target_group_arn"),
        ),
        uses={"cluster": "aws_ecs_cluster"},
        values={
            "availability_zone_rebalancing": "ENABLED",
            "cluster": "arn:aws:ecs:{region}:{account}:cluster/default",
            "arn": _service_arn,
            "id": "{arn}",
            "iam_role": "/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS",
            "launch_type": lambda making: "" if making["capacity_provider_strategy"] else "EC2",
            "platform_version": lambda making: "LATEST" if making["launch_type"] == "FARGATE" else "",
            "triggers": {},
        },
    ),
    "aws_appautoscaling_target": ResourceType(
        force_new=_SCALED,
        computed=("role_arn",),
        checks=(_capacity_limits,),
        values={
            "id": "{resource_id}",
            "arn": "arn:aws:application-autoscaling:{region}:{account}:scalable-target/{hex32}",
            "role_arn": (
                "arn:aws:iam::{account}:role/aws-service-role/ecs.application-autoscaling.amazonaws.com/"
                "AWSServiceRoleForApplicationAutoScaling_ECSService"
            ),
        },
    ),
    "aws_appautoscaling_policy": ResourceType(
        force_new=("name", *_SCALED),
        defaults={
            "policy_type": "StepScaling",
            "target_tracking_scaling_policy_configuration.disable_scale_in": False,
        },
        allowed={"policy_type": ("StepScaling", "TargetTrackingScaling", "PredictiveScaling")},
        values={
            "id": "{name}",
            "alarm_arns": [],
            "arn": (
                "arn:aws:autoscaling:{region}:{account}:scalingPolicy:{uuid}:"
                "resource/{service_namespace}/{resource_id}:policyName/{name}"
            ),
        },
    ),
}
