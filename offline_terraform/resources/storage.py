"""DynamoDB, ECR, KMS and S3. Source: the provider's documentation of each type, and its ForceNew flags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from offline_terraform.values import collect, contains_unknown, is_unknown

from .checks import arn, at_most_one_of, between, json_document, matches
from .model import Check, Emptiness, Making, Problem, ResourceType, Value, generated_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_KEYS = ("hash_key", "range_key")
_INDEXES = ("global_secondary_index", "local_secondary_index")


def _indexed_attributes(config: Mapping[str, Any]) -> Iterator[Problem]:
    """The provider compares the declared attributes with those that the table's keys and its indexes' keys use."""
    declared = set(collect(config, "attribute.name"))
    paths = (*_KEYS, *(f"{index}.{key}" for index in _INDEXES for key in _KEYS))
    used = {name for path in paths for name in collect(config, path) if name is not None}
    if contains_unknown([*declared, *used]) or any(is_unknown(config.get(name)) for name in ("attribute", *_INDEXES)):
        return
    if used - declared:
        yield Problem(
            summary=f"all indexes must match a defined attribute. Unmatched indexes: {sorted(used - declared)}"
        )
    if declared - used:
        yield Problem(summary=f"all attributes must be indexed. Unused attributes: {sorted(declared - used)}")


def _protected(table: Mapping[str, Any]) -> Iterator[Problem]:
    if table["deletion_protection_enabled"]:
        yield Problem(
            summary=(
                f"deleting Amazon DynamoDB Table ({table['name']}): ValidationException: Resource cannot be deleted as "
                "it is currently protected against deletion. Disable deletion protection first."
            )
        )


def _stream_arn(making: Making) -> str:
    return making.fill_in("{arn}/stream/2026-01-01T00:00:00.000") if making["stream_enabled"] else ""


def _bucket_name(making: Making) -> str:
    return (making.given("bucket_prefix") or "terraform-") + making.fill_in("{hex26}")


def _of_bucket(
    *checks: Check,
    force_new: tuple[str, ...] = (),
    computed: tuple[str, ...] = (),
    json_documents: tuple[str, ...] = (),
    allowed: Mapping[str, tuple[str, ...]] | None = None,
    defaults: Mapping[str, Any] | None = None,
    values: Mapping[str, Value] | None = None,
) -> ResourceType:
    """One aspect of a bucket, which Terraform has as a resource of its own."""
    return ResourceType(
        force_new=("bucket", *force_new),
        computed=computed,
        json_documents=json_documents,
        allowed=allowed or {},
        defaults=defaults or {},
        checks=checks,
        values={"id": "{bucket}", **(values or {})},
    )


_OWNER = ("expected_bucket_owner",)

RESOURCES = {
    "aws_dynamodb_table": ResourceType(
        force_new=(
            "hash_key",
            "import_table",
            "local_secondary_index",
            "name",
            "range_key",
            "restore_date_time",
            "restore_source_name",
            "restore_source_table_arn",
            "restore_to_latest_time",
        ),
        computed=(
            "global_secondary_index.read_capacity",
            "global_secondary_index.write_capacity",
            "hash_key",
            "point_in_time_recovery.recovery_period_in_days",
            "read_capacity",
            "server_side_encryption.kms_key_arn",
            "stream_view_type",
            "write_capacity",
        ),
        defaults={"billing_mode": "PROVISIONED", "deletion_protection_enabled": False, "ttl.enabled": False},
        allowed={
            "attribute.type": ("B", "N", "S"),
            "billing_mode": ("PAY_PER_REQUEST", "PROVISIONED"),
            "stream_view_type": ("KEYS_ONLY", "NEW_AND_OLD_IMAGES", "NEW_IMAGE", "OLD_IMAGE"),
            "table_class": ("STANDARD", "STANDARD_INFREQUENT_ACCESS"),
        },
        checks=(
            _indexed_attributes,
            matches("name", r"[A-Za-z0-9_.-]{3,255}", "3 to 255 letters, digits and _.-"),
            between("point_in_time_recovery.recovery_period_in_days", 1, 35),
        ),
        values={
            "id": "{name}",
            "arn": "arn:aws:dynamodb:{region}:{account}:table/{name}",
            "global_secondary_index.read_capacity": 0,
            "global_secondary_index.write_capacity": 0,
            "hash_key": "",
            "point_in_time_recovery.recovery_period_in_days": 35,
            "replica.arn": "{arn}",
            "replica.stream_arn": "",
            "replica.stream_label": "",
            "read_capacity": 0,
            "server_side_encryption.kms_key_arn": "arn:aws:kms:{region}:{account}:key/{uuid}",
            "stream_arn": _stream_arn,
            "stream_label": lambda making: "2026-01-01T00:00:00.000" if making["stream_enabled"] else "",
            "stream_view_type": "",
            "write_capacity": 0,
        },
        delete_guard=_protected,
    ),
    "aws_ecr_repository": ResourceType(
        force_new=("encryption_configuration", "name"),
        computed=("encryption_configuration.kms_key",),
        defaults={"encryption_configuration.encryption_type": "AES256", "image_tag_mutability": "MUTABLE"},
        allowed={
            "encryption_configuration.encryption_type": ("AES256", "KMS", "KMS_DSSE"),
            "image_tag_mutability": (
                "IMMUTABLE",
                "IMMUTABLE_WITH_EXCLUSION",
                "MUTABLE",
                "MUTABLE_WITH_EXCLUSION",
            ),
        },
        checks=(
            matches(
                "name",
                r"(?=.{2,256}$)[a-z0-9]+(?:[._/-][a-z0-9]+|__[a-z0-9]+)*",
                "2 to 256 lower-case letters and digits, with single ._-/ between them",
            ),
        ),
        values={
            "id": "{name}",
            "arn": "arn:aws:ecr:{region}:{account}:repository/{name}",
            "encryption_configuration.kms_key": "",
            "registry_id": "{account}",
            "repository_url": "{account}.dkr.ecr.{region}.amazonaws.com/{name}",
        },
        emptiness=Emptiness(
            name="name",
            force="force_delete",
            error="ECR Repository ({name}) not empty, consider using force_delete: RepositoryNotEmptyException: The "
            "repository with name '{name}' cannot be deleted because it still contains images",
        ),
    ),
    "aws_ecr_lifecycle_policy": ResourceType(
        force_new=("policy", "repository"),
        checks=(json_document("policy"),),
        json_documents=("policy",),
        values={"id": "{repository}", "registry_id": "{account}"},
    ),
    "aws_kms_key": ResourceType(
        force_new=("custom_key_store_id", "customer_master_key_spec", "key_usage", "multi_region", "xks_key_id"),
        computed=("description", "multi_region", "policy", "rotation_period_in_days"),
        defaults={
            "bypass_policy_lockout_safety_check": False,
            "customer_master_key_spec": "SYMMETRIC_DEFAULT",
            "enable_key_rotation": False,
            "is_enabled": True,
            "key_usage": "ENCRYPT_DECRYPT",
        },
        allowed={"key_usage": ("ENCRYPT_DECRYPT", "GENERATE_VERIFY_MAC", "KEY_AGREEMENT", "SIGN_VERIFY")},
        checks=(
            json_document("policy"),
            between("deletion_window_in_days", 7, 30),
            between("rotation_period_in_days", 90, 2560),
        ),
        json_documents=("policy",),
        values={
            "key_id": "{uuid}",
            "id": "{key_id}",
            "arn": "arn:aws:kms:{region}:{account}:key/{key_id}",
            "description": "",
            "multi_region": False,
            "policy": "{{}}",
            "rotation_period_in_days": 365,
        },
    ),
    "aws_kms_alias": ResourceType(
        force_new=("name", "name_prefix"),
        computed=("name", "name_prefix"),
        checks=(
            matches("name", r"alias/(?!aws/)[A-Za-z0-9/_-]+", 'begins with "alias/", and not with "alias/aws/"'),
            at_most_one_of("name", "name_prefix"),
        ),
        values={
            "name": generated_name("alias/"),
            "name_prefix": "",
            "id": "{name}",
            "arn": "arn:aws:kms:{region}:{account}:{name}",
            "target_key_arn": lambda making: (
                making["target_key_id"]
                if str(making["target_key_id"]).startswith("arn:")
                else making.fill_in("arn:aws:kms:{region}:{account}:key/{target_key_id}")
            ),
        },
    ),
    "aws_s3_bucket": ResourceType(
        force_new=("bucket", "bucket_prefix", "object_lock_enabled"),
        computed=(
            "acceleration_status",
            "acl",
            "bucket",
            "bucket_prefix",
            "object_lock_enabled",
            "policy",
            "request_payer",
        ),
        defaults={"force_destroy": False},
        import_id="bucket",
        checks=(
            matches(
                "bucket",
                r"(?!xn--)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]",
                "3 to 63 lower-case letters, digits, dots and hyphens",
            ),
            at_most_one_of("bucket", "bucket_prefix"),
        ),
        values={
            "bucket": _bucket_name,
            "bucket_prefix": "",
            "id": "{bucket}",
            "acceleration_status": "",
            "acl": "private",
            "arn": "arn:aws:s3:::{bucket}",
            "bucket_domain_name": "{bucket}.s3.amazonaws.com",
            "bucket_region": "{region}",
            "bucket_regional_domain_name": "{bucket}.s3.{region}.amazonaws.com",
            # us-east-1's; each region has its own, and nothing of ours points a name at a bucket.
            "hosted_zone_id": "Z3AQBSTGFYJSTF",
            "object_lock_enabled": False,
            "policy": "",
            "request_payer": "BucketOwner",
            "website_domain": "",
            "website_endpoint": "",
        },
        emptiness=Emptiness(
            name="bucket",
            force="force_destroy",
            error="deleting S3 Bucket ({name}): BucketNotEmpty: The bucket you tried to delete is not empty. You must "
            "delete all versions in the bucket.",
        ),
    ),
    "aws_s3_bucket_lifecycle_configuration": _of_bucket(
        force_new=_OWNER,
        computed=("transition_default_minimum_object_size",),
        allowed={"rule.status": ("Disabled", "Enabled")},
        values={"transition_default_minimum_object_size": "all_storage_classes_128K"},
    ),
    "aws_s3_bucket_logging": _of_bucket(force_new=_OWNER, values={"target_grant.grantee.display_name": ""}),
    "aws_s3_bucket_ownership_controls": _of_bucket(
        allowed={"rule.object_ownership": ("BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter")},
    ),
    "aws_s3_bucket_policy": _of_bucket(json_document("policy"), json_documents=("policy",)),
    "aws_s3_bucket_public_access_block": _of_bucket(
        defaults={
            "block_public_acls": False,
            "block_public_policy": False,
            "ignore_public_acls": False,
            "restrict_public_buckets": False,
        },
    ),
    "aws_s3_bucket_server_side_encryption_configuration": _of_bucket(
        arn("rule.apply_server_side_encryption_by_default.kms_master_key_id"),
        force_new=_OWNER,
        allowed={
            "rule.apply_server_side_encryption_by_default.sse_algorithm": (
                "AES256",
                "aws:kms",
                "aws:kms:dsse",
                "aws:fsx",
            ),
        },
    ),
    "aws_s3_bucket_versioning": _of_bucket(
        force_new=_OWNER,
        computed=("versioning_configuration.mfa_delete",),
        allowed={
            "versioning_configuration.mfa_delete": ("Disabled", "Enabled"),
            "versioning_configuration.status": ("Disabled", "Enabled", "Suspended"),
        },
        values={"versioning_configuration.mfa_delete": ""},
    ),
}
