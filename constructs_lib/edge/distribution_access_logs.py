"""CloudFront's access logs, by way of CloudWatch log delivery (standard logging v2: needs no bucket ACLs)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdktf_cdktf_provider_aws.cloudwatch_log_delivery import (
    CloudwatchLogDelivery,
    CloudwatchLogDeliveryS3DeliveryConfiguration,
)
from cdktf_cdktf_provider_aws.cloudwatch_log_delivery_destination import (
    CloudwatchLogDeliveryDestination,
    CloudwatchLogDeliveryDestinationDeliveryDestinationConfiguration,
)
from cdktf_cdktf_provider_aws.cloudwatch_log_delivery_source import CloudwatchLogDeliverySource
from constructs import Construct

if TYPE_CHECKING:
    from constructs_lib.edge.distribution import Distribution
    from constructs_lib.storage.access_log_bucket import AccessLogBucket

DELIVERY_REGION = "us-east-1"  # where CloudFront's log deliveries are configured


@dataclass(frozen=True, kw_only=True, slots=True)
class DistributionAccessLogsProps:
    name: str
    distribution: Distribution
    bucket: AccessLogBucket


class DistributionAccessLogs(Construct):
    """Defines source, destination and delivery of the logs, below `viewers/` in the log bucket."""

    def __init__(self, scope: Construct, id_: str, props: DistributionAccessLogsProps) -> None:
        super().__init__(scope, id_)
        source = CloudwatchLogDeliverySource(
            self,
            "Source",
            region=DELIVERY_REGION,
            name=props.name,
            log_type="ACCESS_LOGS",
            resource_arn=props.distribution.distribution.arn,
        )
        destination = CloudwatchLogDeliveryDestination(
            self,
            "Destination",
            region=DELIVERY_REGION,
            name=props.name,
            output_format="parquet",
            delivery_destination_configuration=[
                CloudwatchLogDeliveryDestinationDeliveryDestinationConfiguration(
                    destination_resource_arn=f"{props.bucket.bucket.arn}/viewers"
                )
            ],
            depends_on=[props.bucket.policy],  # the delivery checks that it may write
        )
        CloudwatchLogDelivery(
            self,
            "Delivery",
            region=DELIVERY_REGION,
            delivery_source_name=source.name,
            delivery_destination_arn=destination.arn,
            s3_delivery_configuration=[
                CloudwatchLogDeliveryS3DeliveryConfiguration(
                    suffix_path="{yyyy}/{MM}/{dd}/{HH}", enable_hive_compatible_path=False
                )
            ],
        )
