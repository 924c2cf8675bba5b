"""An S3 bucket that nobody outside sees: what the state bucket and the log bucket have in common."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cdktf_cdktf_provider_aws.s3_bucket import S3Bucket
from cdktf_cdktf_provider_aws.s3_bucket_lifecycle_configuration import (
    S3BucketLifecycleConfiguration,
    S3BucketLifecycleConfigurationRule,
    S3BucketLifecycleConfigurationRuleAbortIncompleteMultipartUpload,
    S3BucketLifecycleConfigurationRuleExpiration,
    S3BucketLifecycleConfigurationRuleFilter,
    S3BucketLifecycleConfigurationRuleNoncurrentVersionExpiration,
)
from cdktf_cdktf_provider_aws.s3_bucket_ownership_controls import (
    S3BucketOwnershipControls,
    S3BucketOwnershipControlsRule,
)
from cdktf_cdktf_provider_aws.s3_bucket_policy import S3BucketPolicy
from cdktf_cdktf_provider_aws.s3_bucket_public_access_block import S3BucketPublicAccessBlock
from cdktf_cdktf_provider_aws.s3_bucket_server_side_encryption_configuration import (
    S3BucketServerSideEncryptionConfigurationA,
    S3BucketServerSideEncryptionConfigurationRuleA,
    S3BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultA,
)
from cdktf_cdktf_provider_aws.s3_bucket_versioning import (
    S3BucketVersioningA,
    S3BucketVersioningVersioningConfiguration,
)
from constructs import Construct

from constructs_lib.security.policy_documents import Statement, policy_document
from constructs_lib.terraform.prevent_destroy import prevent_destroy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cdktf_cdktf_provider_aws.kms_key import KmsKey


@dataclass(frozen=True, kw_only=True, slots=True)
class PrivateBucketProps:
    name: str
    noncurrent_version_days: int  # how long a replaced or deleted object can be had back
    prevent_destroy: bool
    force_destroy: bool = False  # True: what is in it goes with it; AWS deletes no bucket that holds anything
    expiration_days: int | None = None  # None keeps objects for ever
    encryption_key: KmsKey | None = None  # None: S3's own key
    statements: Sequence[Statement] = field(default=())  # of the bucket policy, beside TLS only


class PrivateBucket(Construct):
    """Defines a versioned, encrypted bucket with no public access, no ACLs, TLS only."""

    def __init__(self, scope: Construct, id_: str, props: PrivateBucketProps) -> None:
        super().__init__(scope, id_)
        self.bucket = S3Bucket(
            self,
            "Resource",
            bucket=props.name,
            force_destroy=props.force_destroy or None,
            lifecycle=prevent_destroy(props.prevent_destroy),
        )
        self.versioning = S3BucketVersioningA(
            self,
            "Versioning",
            bucket=self.bucket.id,
            versioning_configuration=S3BucketVersioningVersioningConfiguration(status="Enabled"),
        )
        key = props.encryption_key
        S3BucketServerSideEncryptionConfigurationA(
            self,
            "Encryption",
            bucket=self.bucket.id,
            rule=[
                S3BucketServerSideEncryptionConfigurationRuleA(
                    apply_server_side_encryption_by_default=S3BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultA(
                        sse_algorithm="aws:kms" if key is not None else "AES256",
                        kms_master_key_id=key.arn if key is not None else None,
                    ),
                    bucket_key_enabled=key is not None,
                )
            ],
        )
        S3BucketOwnershipControls(
            self,
            "Ownership",
            bucket=self.bucket.id,
            rule=S3BucketOwnershipControlsRule(object_ownership="BucketOwnerEnforced"),  # ACLs off
        )
        public_access_block = S3BucketPublicAccessBlock(
            self,
            "PublicAccessBlock",
            bucket=self.bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
        )
        S3BucketLifecycleConfiguration(
            self, "Lifecycle", bucket=self.bucket.id, rule=[self._rule(props)], depends_on=[self.versioning]
        )
        tls_only = Statement(
            sid="TlsOnly",
            effect="Deny",
            actions=["s3:*"],
            resources=[self.bucket.arn, f"{self.bucket.arn}/*"],
            principals={"*": ["*"]},
            conditions=[("Bool", "aws:SecureTransport", ["false"])],
        )
        document = policy_document(self, "PolicyDocument", [tls_only, *props.statements])
        self.policy = S3BucketPolicy(
            self,
            "Policy",
            bucket=self.bucket.id,
            policy=document.json,
            depends_on=[public_access_block],  # S3 refuses two changes to one bucket's access at the same time
        )

    @staticmethod
    def _rule(props: PrivateBucketProps) -> S3BucketLifecycleConfigurationRule:
        # Where objects stay for ever, so does the mark of a deletion, when the last version behind it has gone: one for
        # each lock of the state. Where objects expire, S3 clears the marks away by itself, and takes not both.
        expiration = S3BucketLifecycleConfigurationRuleExpiration(
            days=props.expiration_days, expired_object_delete_marker=True if props.expiration_days is None else None
        )
        return S3BucketLifecycleConfigurationRule(
            id="expire",
            status="Enabled",
            filter=[S3BucketLifecycleConfigurationRuleFilter(prefix="")],
            expiration=[expiration],
            noncurrent_version_expiration=[
                S3BucketLifecycleConfigurationRuleNoncurrentVersionExpiration(
                    noncurrent_days=props.noncurrent_version_days
                )
            ],
            abort_incomplete_multipart_upload=[
                S3BucketLifecycleConfigurationRuleAbortIncompleteMultipartUpload(days_after_initiation=7)
            ],
        )
