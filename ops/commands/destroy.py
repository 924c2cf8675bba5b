"""Destroy a streaming stack, after telling what is live on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ops.aws.asking import UnansweredError
from ops.aws.broadcasts import live_broadcasts, table
from ops.aws.credentials import check_credentials
from ops.aws.log_bucket import look_at_log_bucket
from ops.aws.service import protected, tasks
from ops.environment import find_environment, with_account
from ops.errors import NotReadyError
from ops.terminal import confirm_by_name, say
from ops.terraform.core import find_terraform, plan_ask_apply
from ops.terraform.stack import check_state_bucket, streaming_terraform

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from config.environment import EnvironmentConfig

# How the resources of the stack call it.
_PROTECTED = ("deletion_protection_enabled", "enable_deletion_protection")


def destroy(name: str) -> None:
    """Show what would go, have the environment's name typed, destroy the streaming stack.

    Raises:
        FailedError: it did not work, or the name was not typed.
        NotReadyError: deletion is protected, or something is missing; nothing was begun.
    """
    config = with_account(find_environment(name))
    if config.protection.deletion_protection:
        raise NotReadyError(_how_to_unprotect(name, "set protection.deletion_protection = false there, "))
    command = find_terraform()
    check_credentials(config)
    check_state_bucket(config)
    terraform = streaming_terraform(config, command)

    def ask() -> None:
        plan = terraform.planned()
        refusing = protected_addresses(plan)
        if refusing:
            say("destroy: protected: " + ", ".join(refusing))
            raise NotReadyError(_how_to_unprotect(name, "the file says so, but it was not deployed yet: "))
        _say_what_is_lost(config, plan)
        confirm_by_name(name, f"destroy: this takes {name} off the air for good.")

    say("destroy: terraform plan -destroy ...")
    if not plan_ask_apply(terraform, ask, "-destroy"):
        say(f"destroy: nothing of {name} is there")
    else:
        say(
            f"destroy: {name} is gone. State bucket, key and images are left: they cost next to nothing "
            f"(make destroy-bootstrap ENV={name} takes them too)"
        )


def protected_addresses(plan: Mapping[str, Any]) -> list[str]:
    """What AWS would refuse to delete, half-way through a destroy."""
    return [
        change["address"]
        for change in plan.get("resource_changes", [])
        if "delete" in change["change"]["actions"]
        and any((change["change"]["before"] or {}).get(attribute) for attribute in _PROTECTED)
    ]


def _how_to_unprotect(name: str, first: str) -> str:
    return (
        f"{name} is protected from deletion (environments/{name}.toml); nothing was changed.\n"
        f"To destroy it: {first}make deploy ENV={name}, then make destroy ENV={name}"
    )


def _say_what_is_lost(config: EnvironmentConfig, plan: Mapping[str, Any]) -> None:
    looks: tuple[Callable[[], list[str]], ...] = (
        lambda: look_at_log_bucket(config, plan).notes,
        lambda: _live(config),
        lambda: _held_up_by(config),
    )
    for look in looks:
        try:
            lost = look()
        except UnansweredError as error:
            lost = [f"not looked at: {error}"]
        for text in lost:
            say(f"destroy: {text}")


def _live(config: EnvironmentConfig) -> list[str]:
    broadcasts = live_broadcasts(config)
    return [f"{len(broadcasts)} live now, and cut off by this:\n{table(broadcasts)}"] if broadcasts else []


def _held_up_by(config: EnvironmentConfig) -> list[str]:
    """Protected tasks keep the service draining, longer than Terraform waits for it."""
    arns = sorted(protected(config, [task["taskArn"] for task in tasks(config, "RUNNING")]))
    if not arns:
        return []
    text = (
        f"{len(arns)} tasks with broadcasts are protected: ECS lets them end first, and Terraform gives up after 20 "
        "minutes (then run this again). To take the protection away, after the question:\n"
        f"  aws ecs update-task-protection --region {config.aws.region} --cluster {config.cluster_name} "
        f"--no-protection-enabled --tasks {' '.join(arn.rpartition('/')[2] for arn in arns)}"
    )
    return [text]
