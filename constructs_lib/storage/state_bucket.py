"""The bucket for Terraform's state, with its key."""

from __future__ import annotations

from dataclasses import dataclass

from constructs import Construct

from constructs_lib.security.encryption_key import EncryptionKey, EncryptionKeyProps
from constructs_lib.storage.private_bucket import PrivateBucket, PrivateBucketProps


@dataclass(frozen=True, kw_only=True, slots=True)
class StateBucketProps:
    bucket_name: str
    key_alias: str
    prevent_destroy: bool
    noncurrent_version_days: int = 365  # how far back a state can be had


class StateBucket(Construct):
    """Defines a KMS key and a private, versioned bucket encrypted with it."""

    def __init__(self, scope: Construct, id_: str, props: StateBucketProps) -> None:
        super().__init__(scope, id_)
        self.encryption = EncryptionKey(
            self,
            "Key",
            EncryptionKeyProps(
                alias=props.key_alias,
                description=f"Terraform state in {props.bucket_name}, and the images",
            ),
        )
        self.bucket = PrivateBucket(
            self,
            "Bucket",
            PrivateBucketProps(
                name=props.bucket_name,
                encryption_key=self.encryption.key,
                noncurrent_version_days=props.noncurrent_version_days,
                prevent_destroy=props.prevent_destroy,
            ),
        ).bucket
