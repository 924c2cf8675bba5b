"""A deployed stack from outside: Terraform made ready for it, and what its state says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ops.environment import synthesize
from ops.errors import FailedError, NotReadyError
from ops.terminal import say
from ops.terraform.core import Terraform
from ops.terraform.local_state import local_state, taking_down
from ops.terraform.remote_state import StateBucket

if TYPE_CHECKING:
    from config.environment import EnvironmentConfig


def check_state_bucket(config: EnvironmentConfig) -> None:
    """Look whether bootstrap has come to its end.

    Raises:
        NotReadyError: it has not, or its things are being taken down.
    """
    if taking_down(config).exists():
        raise NotReadyError(f"a destroy-bootstrap was cut off: run make destroy-bootstrap ENV={config.name} again")
    unfinished = local_state(config).read() is not None
    if unfinished or not StateBucket(config=config).exists():
        what = "bootstrap was cut off" if unfinished else f"there is no state bucket {config.state_bucket_name}"
        raise NotReadyError(f"{what}: run make bootstrap ENV={config.name} first")


def streaming_terraform(config: EnvironmentConfig, command: str) -> Terraform:
    """Terraform in the streaming stack's folder, synthesized and initialized.

    Raises:
        FailedError: it did not work.
    """
    terraform = Terraform(command=command, folder=synthesize(config.streaming_stack_name))
    say("terraform init ...")
    terraform.init("-reconfigure")
    return terraform


def stack_outputs(config: EnvironmentConfig) -> dict[str, Any]:
    """The streaming stack's outputs.

    Raises:
        FailedError: nothing is deployed.
        NotReadyError: the state cannot be read.
    """
    state = StateBucket(config=config).state_of(config.streaming_stack_name)
    if state is None:
        raise FailedError(f"nothing of {config.name} is deployed: make deploy ENV={config.name}")
    return state.outputs
