"""Deploy and destroy a streaming stack, and tell what people need to know of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ops.bootstrap import local_state
from ops.credentials import check_credentials
from ops.environment import complete, find_environment, synthesize, with_account
from ops.errors import FailedError, NotReadyError
from ops.remote_state import StateBucket
from ops.terminal import confirm, confirm_by_name, result, say
from ops.terraform import Terraform, find_terraform, plan_ask_apply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from config.environment import EnvironmentConfig

# How the resources of the stack call it.
_PROTECTED = ("deletion_protection_enabled", "enable_deletion_protection")


def deploy(name: str, *, yes: bool) -> None:
    """Show the plan of the streaming stack, ask, apply it, and print the outputs.

    Raises:
        FailedError: it did not work, or the operator said no.
        NotReadyError: nothing was begun.
    """
    config = complete(find_environment(name))
    terraform = _ready(config)
    say("deploy: terraform plan ...")
    if not plan_ask_apply(terraform, lambda: None if yes else confirm(f"deploy: apply this to {name}?")):
        say("deploy: nothing to change")
    outputs = _outputs(config)
    width = max(map(len, outputs))
    for output, value in sorted(outputs.items()):
        result(f"{output:<{width}}  {value}")
    result(
        f"\nStreamer, in OBS (Settings, Stream, Server):  {outputs['RTMPSServerURL'] or outputs['RTMPServerURL']}\n"
        f"Viewers:  {outputs['CloudFrontURL']}/hls/<id>/master.m3u8"
    )


def destroy(name: str) -> None:
    """Show what would go, have the environment's name typed, destroy the streaming stack.

    Raises:
        FailedError: it did not work, or the name was not typed.
        NotReadyError: deletion is protected, or something is missing; nothing was begun.
    """
    config = with_account(find_environment(name))
    if config.protection.deletion_protection:
        raise NotReadyError(_how_to_unprotect(name, "set protection.deletion_protection = false there, "))
    terraform = _ready(config)

    def ask() -> None:
        protected = protected_addresses(terraform.planned())
        if protected:
            say("destroy: protected: " + ", ".join(protected))
            raise NotReadyError(_how_to_unprotect(name, "the file says so, but it was not deployed yet: "))
        confirm_by_name(name, f"destroy: this takes {name} off the air for good.")

    say("destroy: terraform plan -destroy ...")
    if not plan_ask_apply(terraform, ask, "-destroy"):
        say(f"destroy: nothing of {name} is there")
    else:
        say(f"destroy: {name} is gone. State bucket, key and images are left: they cost next to nothing")


def print_backend_settings(name: str) -> None:
    """Print the lines for the backend's `.env`, and nothing else.

    Raises:
        FailedError: nothing is deployed.
        NotReadyError: the state cannot be read.
    """
    config = with_account(find_environment(name))
    check_credentials(config)
    _check_state_bucket(config)
    outputs = _outputs(config)
    result(f"RTMP_SERVER_URL={outputs['RTMPServerURL']}\nHLS_SERVER_URL={outputs['CloudFrontURL']}")


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


def _ready(config: EnvironmentConfig) -> Terraform:
    """Terraform in the streaming stack's folder, when all that it needs has been looked at."""
    command = find_terraform()
    check_credentials(config)
    _check_state_bucket(config)
    terraform = Terraform(command=command, folder=synthesize(config.streaming_stack_name))
    say("terraform init ...")
    terraform.init("-reconfigure")
    return terraform


def _check_state_bucket(config: EnvironmentConfig) -> None:
    unfinished = local_state(config).read() is not None
    if unfinished or not StateBucket(config=config).exists():
        what = "bootstrap was cut off" if unfinished else f"there is no state bucket {config.state_bucket_name}"
        raise NotReadyError(f"{what}: run make bootstrap ENV={config.name} first")


def _outputs(config: EnvironmentConfig) -> dict[str, Any]:
    state = StateBucket(config=config).state_of(config.streaming_stack_name)
    if state is None:
        raise FailedError(f"nothing of {config.name} is deployed: make deploy ENV={config.name}")
    return state.outputs
