"""Where a stack's state lies: S3, encrypted, locked, and only in the account that it is meant for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdktf import S3Backend

from constructs_lib.escape_hatches import lock_state_in_s3

if TYPE_CHECKING:
    from cdktf import TerraformStack


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoteStateProps:
    bucket: str
    key: str
    region: str
    account: str
    kms_key_alias: str


def define_remote_state(stack: TerraformStack, props: RemoteStateProps) -> S3Backend:
    """Give `stack` its backend."""
    backend = S3Backend(
        stack,
        bucket=props.bucket,
        key=props.key,
        region=props.region,
        encrypt=True,
        # By alias: the key's own id is known only after the bootstrap stack made it.
        kms_key_id=f"arn:aws:kms:{props.region}:{props.account}:{props.kms_key_alias}",
        allowed_account_ids=[props.account],  # an apply into the wrong account is the worst accident
    )
    lock_state_in_s3(backend)
    return backend
