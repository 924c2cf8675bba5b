"""The ECS service and its tasks, as ECS describes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ops.aws.asking import Findings, ask, client, error_code

if TYPE_CHECKING:
    from collections.abc import Iterable

    from config.environment import EnvironmentConfig

MOST_DEPLOYMENTS = 5  # active ones: ECS refuses a sixth, and those with protected tasks stay active
RETIREMENT_SETTING = "fargateTaskRetirementWaitPeriod"
LONGEST_RETIREMENT_DAYS = 14
_TASKS_A_CALL = 100  # of DescribeTasks and GetTaskProtection


def describe_service(config: EnvironmentConfig) -> dict[str, Any] | None:
    """The service; None when there is none (yet, or any more).

    Raises:
        UnansweredError: AWS did not tell.
    """
    ecs = client(config, "ecs")

    def describe() -> list[dict[str, Any]]:
        try:
            services: list[dict[str, Any]] = ecs.describe_services(
                cluster=config.cluster_name, services=[config.service_name]
            )["services"]
        except ClientError as error:
            if error_code(error) in ("ClusterNotFoundException", "ServiceNotFoundException"):
                return []
            raise
        return services

    services = ask(describe, "the service (ecs:DescribeServices)")
    return next((service for service in services if service.get("status") != "INACTIVE"), None)


def active_deployments(service: dict[str, Any]) -> list[dict[str, Any]]:
    """Those that still have tasks or start some, the newest (PRIMARY) among them."""
    return [each for each in service.get("deployments", []) if each["status"] in ("PRIMARY", "ACTIVE")]


def tasks(config: EnvironmentConfig, status: str) -> list[dict[str, Any]]:
    """The service's tasks that are meant to be RUNNING, or the STOPPED ones of the last hour.

    Raises:
        UnansweredError: AWS did not tell.
    """
    ecs = client(config, "ecs")

    def describe() -> list[dict[str, Any]]:
        pages = ecs.get_paginator("list_tasks").paginate(
            cluster=config.cluster_name, serviceName=config.service_name, desiredStatus=status
        )
        arns = [arn for page in pages for arn in page["taskArns"]]
        return [
            task
            for some in _in_calls(arns)
            for task in ecs.describe_tasks(cluster=config.cluster_name, tasks=some)["tasks"]
        ]

    return ask(describe, "the tasks (ecs:ListTasks, DescribeTasks)")


def protected(config: EnvironmentConfig, arns: Iterable[str]) -> set[str]:
    """Those of the tasks that ECS was asked to leave alone: they have broadcasts.

    Raises:
        UnansweredError: AWS did not tell.
    """
    ecs = client(config, "ecs")
    answers = ask(
        lambda: [
            each
            for some in _in_calls(arns)
            for each in ecs.get_task_protection(cluster=config.cluster_name, tasks=some)["protectedTasks"]
        ],
        "which tasks are protected (ecs:GetTaskProtection)",
    )
    return {each["taskArn"] for each in answers if each["protectionEnabled"]}


def _in_calls(arns: Iterable[str]) -> list[list[str]]:
    every = list(arns)
    return [every[start : start + _TASKS_A_CALL] for start in range(0, len(every), _TASKS_A_CALL)]


def look_at_retirement(config: EnvironmentConfig) -> Findings:
    """How many days before Fargate retires tasks for a patch of its platform does it say so?

    Raises:
        UnansweredError: AWS did not tell.
    """
    ecs = client(config, "ecs")
    settings = ask(
        lambda: ecs.list_account_settings(name=RETIREMENT_SETTING, effectiveSettings=True)["settings"],
        "how early Fargate tells that it retires tasks (ecs:ListAccountSettings)",
    )
    days = settings[0]["value"] if settings else "7"
    if days == str(LONGEST_RETIREMENT_DAYS):
        return Findings()
    note = (
        f"Fargate tells {days} days before it retires tasks, with whatever is live on them; "
        f"{LONGEST_RETIREMENT_DAYS} is the most:\n"
        f"  aws ecs put-account-setting-default --region {config.aws.region} --name {RETIREMENT_SETTING} "
        f"--value {LONGEST_RETIREMENT_DAYS}"
    )
    return Findings(notes=[note])


def look_at_deployments(config: EnvironmentConfig) -> Findings:
    """Is there room for one more deployment of the service, and what is live meanwhile?

    Raises:
        UnansweredError: AWS did not tell.
    """
    service = describe_service(config)
    if service is None:
        return Findings()
    findings, count = Findings(), len(active_deployments(service))
    if count >= MOST_DEPLOYMENTS:
        findings.problems.append(
            f"{count} deployments of {config.service_name} are active, and ECS takes no more: each stays until the "
            f"broadcasts on its tasks end (python -m ops broadcasts {config.name} lists them)"
        )
    elif count == MOST_DEPLOYMENTS - 1:
        findings.notes.append(
            f"this is the last of {MOST_DEPLOYMENTS} deployments that ECS keeps: the next one has to wait until "
            f"broadcasts of an earlier one end (python -m ops broadcasts {config.name})"
        )
    busy = len(protected(config, [task["taskArn"] for task in tasks(config, "RUNNING")]))
    if busy:
        findings.notes.append(f"{_count(busy, 'task')} with broadcasts stay as they are until these end")
    return findings


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("s" if number != 1 else "")
