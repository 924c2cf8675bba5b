"""Where load balancers and CloudFront put their access logs."""

from __future__ import annotations

from dataclasses import dataclass

from constructs import Construct

from constructs_lib.security.policy_documents import Statement
from constructs_lib.storage.private_bucket import PrivateBucket, PrivateBucketProps
from constructs_lib.terraform.aws_stack import stack_of


@dataclass(frozen=True, kw_only=True, slots=True)
class AccessLogBucketProps:
    bucket_name: str
    retention_days: int


class AccessLogBucket(Construct):
    """Defines the bucket, and lets AWS's log delivery write into it."""

    def __init__(self, scope: Construct, id_: str, props: AccessLogBucketProps) -> None:
        super().__init__(scope, id_)
        stack = stack_of(self)
        arn = f"arn:aws:s3:::{props.bucket_name}"
        private = PrivateBucket(
            self,
            "Bucket",
            PrivateBucketProps(
                name=props.bucket_name,
                expiration_days=props.retention_days,
                noncurrent_version_days=7,
                prevent_destroy=False,
                # It is never empty: load balancers write a test object at once. Without this neither a destroy nor
                # turning logs off would ever end; `ops` tells of the logs before it asks.
                force_destroy=True,
                # S3's own key: Elastic Load Balancing cannot write to a bucket with a customer-managed one.
                encryption_key=None,
                statements=[
                    # Source: Elastic Load Balancing user guides, "Enable access logs for your load balancer".
                    Statement(
                        sid="LoadBalancersWrite",
                        actions=["s3:PutObject"],
                        resources=[f"{arn}/*/AWSLogs/{stack.account}/*"],
                        principals={"Service": ["logdelivery.elasticloadbalancing.amazonaws.com"]},
                        conditions=[
                            (
                                "ArnLike",
                                "aws:SourceArn",
                                [stack.arn("elasticloadbalancing", "loadbalancer/*")],
                            )
                        ],
                    ),
                    # Network load balancers and CloudFront (standard logging v2) deliver through CloudWatch Logs.
                    # Source: CloudWatch Logs user guide, "Logs sent to Amazon S3".
                    Statement(
                        sid="LogDeliveryWrites",
                        actions=["s3:PutObject"],
                        resources=[f"{arn}/*"],
                        principals={"Service": ["delivery.logs.amazonaws.com"]},
                        conditions=[("StringEquals", "aws:SourceAccount", [stack.account])],
                    ),
                    Statement(
                        sid="LogDeliveryChecks",
                        actions=["s3:GetBucketAcl"],
                        resources=[arn],
                        principals={"Service": ["delivery.logs.amazonaws.com"]},
                        conditions=[("StringEquals", "aws:SourceAccount", [stack.account])],
                    ),
                ],
            ),
        )
        self.bucket = private.bucket
        self.policy = private.policy
