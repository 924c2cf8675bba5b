"""Does a plan delete a bucket with logs in it? Terraform empties the log bucket before; the operator ought to know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ops.aws.asking import Findings, ask, client, error_code

if TYPE_CHECKING:
    from collections.abc import Mapping

    from config.environment import EnvironmentConfig


def look_at_log_bucket(config: EnvironmentConfig, plan: Mapping[str, Any]) -> Findings:
    """Name each bucket that goes with something in it.

    Raises:
        UnansweredError: AWS did not tell.
    """
    buckets = [
        entry["change"]["before"]["bucket"]
        for entry in plan.get("resource_changes", [])
        if entry["type"] == "aws_s3_bucket" and "delete" in entry["change"]["actions"]
    ]
    return Findings(
        notes=[
            f"{bucket} goes with all the logs in it. To keep them, say no and copy them first:\n"
            f"  aws s3 sync s3://{bucket} <folder>"
            for bucket in buckets
            if _holds_something(config, bucket)
        ]
    )


def _holds_something(config: EnvironmentConfig, bucket: str) -> bool:
    s3 = client(config, "s3")

    def first() -> Any:
        try:
            return s3.list_object_versions(Bucket=bucket, MaxKeys=1, ExpectedBucketOwner=config.aws.account)
        except ClientError as error:
            if error_code(error) == "NoSuchBucket":
                return {}
            raise

    answer = ask(first, "what is in the log bucket (s3:ListBucketVersions)")
    return bool(answer.get("Versions") or answer.get("DeleteMarkers"))
