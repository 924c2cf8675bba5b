"""A plan of what is deployed, to be reviewed: with credentials that only read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ops.aws.credentials import check_credentials
from ops.environment import complete, find_environment
from ops.errors import NotReadyError
from ops.plan_review.fingerprint import fingerprint
from ops.terminal import result, say
from ops.terraform.core import find_terraform
from ops.terraform.stack import check_state_bucket, streaming_terraform

if TYPE_CHECKING:
    from pathlib import Path


def write_plan(name: str, file: Path | None) -> None:
    """Show the plan of the streaming stack, write it as JSON for `plan-review`, and print its fingerprint.

    The state is not locked: who only reads cannot (its lock is a file beside it), and nothing is written.

    Raises:
        FailedError: Terraform failed.
        NotReadyError: nothing was begun, or the file cannot be written.
    """
    config = complete(find_environment(name))
    command = find_terraform()
    check_credentials(config)
    check_state_bucket(config)
    terraform = streaming_terraform(config, command)
    say("plan: terraform plan ...")
    try:
        terraform.plan("-lock=false")
        document = terraform.planned()
    finally:
        terraform.forget_plan()
    if file is not None:
        try:
            file.write_text(json.dumps(document), encoding="utf-8")
            file.chmod(0o600)  # it holds values of the state
        except OSError as error:
            raise NotReadyError(f"{file}: cannot be written: {error.strerror}") from None
    result(fingerprint(document))
