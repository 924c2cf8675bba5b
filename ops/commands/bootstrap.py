"""Bootstrap: state bucket, key and image repository, whose own state ends in the bucket that they make.

The first apply cannot keep its state in a bucket that does not exist yet. It keeps it in `.bootstrap/<bucket>/`, which
git ignores and `make clean` leaves alone; then Terraform copies it into the bucket, and only when it is there is the
file set aside. Each run looks at what there is, file and bucket, and does what is missing: so it may be cut off
anywhere and run again, and when there is nothing left to do it changes nothing.
"""

from __future__ import annotations

import fcntl
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ops.aws.credentials import check_credentials
from ops.environment import ROOT, find_environment, synthesize, with_account
from ops.errors import FailedError, NotReadyError
from ops.terminal import confirm, say
from ops.terraform.core import Terraform, find_terraform, plan_ask_apply
from ops.terraform.local_state import local_state, taking_down
from ops.terraform.remote_state import State, StateBucket
from stacks.document import StackDocument

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from config.environment import EnvironmentConfig

OVERRIDE = "backend_override.tf.json"  # Terraform reads it over the stack's own backend


def bootstrap(name: str, *, yes: bool) -> None:
    """Make what is missing of the environment's bootstrap stack.

    Raises:
        FailedError: it did not work, or the operator said no; run again to go on.
        NotReadyError: nothing was begun.
    """
    config = with_account(find_environment(name))
    command = find_terraform()
    check_credentials(config)
    with alone(config):
        if taking_down(config).exists():
            raise NotReadyError(
                f"a destroy-bootstrap was cut off: run make destroy-bootstrap ENV={name} again, to its end"
            )
        bucket = StateBucket(config=config)
        local, stored = states(config, bucket)
        folder = synthesize(config.bootstrap_stack_name)
        terraform = Terraform(command=command, folder=folder, meanwhile=local_state(config).keep)
        if stored is not None and local is None:
            say(f"bootstrap: the state is in s3://{config.state_bucket_name} already")
            (terraform.folder / OVERRIDE).unlink(missing_ok=True)
            terraform.init("-reconfigure")
            _apply(terraform, name, yes=yes)
        else:
            _make(config, terraform, local, bucket, yes=yes)
            _move(config, terraform, bucket)
        _began_without_bucket(config).unlink(missing_ok=True)
    say(
        f"bootstrap: {name} is ready. Next: push an image to {config.repository_url}, name it in "
        f"environments/{name}.toml, then make deploy ENV={name}"
    )


def _began_without_bucket(config: EnvironmentConfig) -> Path:
    """A file that says: when a run here began, there was no bucket of this name. One that is there since is ours."""
    return local_state(config).path.with_name("began-without-bucket")


@contextmanager
def alone(config: EnvironmentConfig) -> Iterator[None]:
    """One bootstrap of an environment at a time; the lock goes with the process, however that ends."""
    folder = local_state(config).path.parent
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NotReadyError(f"another bootstrap of {config.name} is running on this machine") from None
        yield


def states(config: EnvironmentConfig, bucket: StateBucket) -> tuple[State | None, State | None]:
    """The state in the file and the one in the bucket. A file that is in the bucket already is set aside."""
    file = local_state(config)
    local, stored = file.read(), bucket.state_of(config.bootstrap_stack_name)
    if local is None or stored is None:
        return local, stored
    if not stored.continues(local):
        raise NotReadyError(
            f"two states of {config.bootstrap_stack_name}, each about things of its own: "
            f"{file.path.relative_to(ROOT)} and s3://{config.state_bucket_name}. "
            "Keep the right one: move the file away, or delete the object"
        )
    say("bootstrap: an earlier run was cut off after it had moved the state")
    file.set_aside()
    return None, stored


def _make(
    config: EnvironmentConfig, terraform: Terraform, local: State | None, bucket: StateBucket, *, yes: bool
) -> None:
    path = local_state(config).path
    if local is not None:
        say(f"bootstrap: going on from {path.relative_to(ROOT)}, which an earlier run left")
    write_local_backend(config, terraform)
    say("bootstrap: terraform init, with state in a file for now ...")
    terraform.init("-reconfigure")
    _adopt(config, terraform, local, exists=bucket.exists())
    _apply(terraform, config.name, yes=yes)


def write_local_backend(config: EnvironmentConfig, terraform: Terraform) -> None:
    """Have the next init keep the state in the file."""
    override = {"terraform": {"backend": {"local": {"path": str(local_state(config).path)}}}}
    (terraform.folder / OVERRIDE).write_text(json.dumps(override), encoding="utf-8")


def _adopt(config: EnvironmentConfig, terraform: Terraform, local: State | None, *, exists: bool) -> None:
    """Take a bucket into the state that a run of this folder made and did not live to write down.

    Raises:
        FailedError: it was there before we began: whose it is, the operator has to say.
    """
    name, address = config.state_bucket_name, _only_address(terraform.folder, "aws_s3_bucket")
    if not exists:
        _began_without_bucket(config).touch()
    elif local is None or address not in local.identities():
        if not _began_without_bucket(config).exists():
            raise FailedError(
                f"{name} exists, and no state here knows of it: a run on another machine was cut off (go on there), or "
                "somebody made it by hand. To adopt it, and then run this again:\n"
                f"  terraform -chdir={terraform.folder.relative_to(ROOT)} import {address} {name}"
            )
        say(f"bootstrap: an earlier run was cut off when it had just made {name}; adopting it")
        terraform.adopt(address, name)


def _only_address(folder: Path, type_: str) -> str:
    (address,) = StackDocument.read(folder).resources(type_)
    return address


def _apply(terraform: Terraform, name: str, *, yes: bool) -> None:
    say("bootstrap: terraform plan ...")
    if not plan_ask_apply(terraform, lambda: None if yes else confirm(f"bootstrap: apply this to {name}?")):
        say("bootstrap: nothing to change")


def _move(config: EnvironmentConfig, terraform: Terraform, bucket: StateBucket) -> None:
    file = local_state(config)
    say(f"bootstrap: moving the state to s3://{config.state_bucket_name} ...")
    (terraform.folder / OVERRIDE).unlink()
    # Without the lock in S3: we hold our own, nobody else can know the bucket yet, and a run that was cut off here
    # would leave a lock behind that the next one could not get past.
    terraform.init("-migrate-state", "-force-copy", "-lock=false")
    local, stored = file.read(), bucket.state_of(config.bootstrap_stack_name)
    if local is None or stored is None or stored.resources != local.resources:
        raise FailedError(
            f"the state did not arrive whole in s3://{config.state_bucket_name}; "
            f"it is still in {file.path.relative_to(ROOT)}"
        )
    file.set_aside()
