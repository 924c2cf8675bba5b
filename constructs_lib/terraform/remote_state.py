"""Where a stack's state lies: S3, encrypted, locked, and only in the account that it is meant for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdktf import S3Backend

from constructs_lib.terraform.escape_hatches import lock_state_in_s3

if TYPE_CHECKING:
    from constructs_lib.terraform.aws_stack import AwsStack


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoteStateProps:
    bucket: str
    key: str
    kms_key_alias: str


def define_remote_state(stack: AwsStack, props: RemoteStateProps) -> S3Backend:
    """Give `stack` its backend."""
    backend = S3Backend(
        stack,
        bucket=props.bucket,
        key=props.key,
        region=stack.region,
        encrypt=True,
        # By alias: the key's own id is known only after the bootstrap stack made it.
        kms_key_id=stack.arn("kms", props.kms_key_alias),
        allowed_account_ids=[stack.account],  # an apply into the wrong account is the worst accident
    )
    lock_state_in_s3(backend)
    return backend
