"""An encrypted CloudWatch log group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from constructs import Construct

if TYPE_CHECKING:
    from cdktf_cdktf_provider_aws.kms_key import KmsKey


@dataclass(frozen=True, kw_only=True, slots=True)
class LogGroupProps:
    name: str
    retention_days: int
    encryption_key: KmsKey  # in the group's region, and open to CloudWatch Logs
    region: str | None = None  # None: the stack's


class LogGroup(Construct):
    """Defines the group: kept for as long as the environment says, then gone."""

    def __init__(self, scope: Construct, id_: str, props: LogGroupProps) -> None:
        super().__init__(scope, id_)
        self.log_group = CloudwatchLogGroup(
            self,
            "Resource",
            region=props.region,
            name=props.name,
            retention_in_days=props.retention_days,
            kms_key_id=props.encryption_key.arn,
        )
