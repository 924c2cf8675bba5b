"""The VPC's flow log: who talked to whom, for the day when somebody asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdktf_cdktf_provider_aws.flow_log import FlowLog
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy
from constructs import Construct

from constructs_lib.observability.log_group import LogGroup, LogGroupProps
from constructs_lib.security.policy_documents import Statement, policy_document, service_trust

if TYPE_CHECKING:
    from cdktf_cdktf_provider_aws.kms_key import KmsKey
    from cdktf_cdktf_provider_aws.vpc import Vpc


@dataclass(frozen=True, kw_only=True, slots=True)
class VpcFlowLogProps:
    log_group_name: str
    role_name: str
    log_retention_days: int
    vpc: Vpc
    encryption_key: KmsKey


class VpcFlowLog(Construct):
    """Defines a flow log into CloudWatch Logs, with the role that writes it."""

    def __init__(self, scope: Construct, id_: str, props: VpcFlowLogProps) -> None:
        super().__init__(scope, id_)
        log_group = LogGroup(
            self,
            "LogGroup",
            LogGroupProps(
                name=props.log_group_name,
                retention_days=props.log_retention_days,
                encryption_key=props.encryption_key,
            ),
        ).log_group
        trust = service_trust(
            self,
            "Trust",
            service="vpc-flow-logs.amazonaws.com",
            sources=("ec2", "vpc-flow-log/*"),
        )
        role = IamRole(self, "Role", name=props.role_name, assume_role_policy=trust.json)
        # Source: VPC user guide, "IAM role for publishing flow logs to CloudWatch Logs"; the group exists already.
        policy = policy_document(
            self,
            "Policy",
            [
                Statement(
                    sid="WriteFlowLog",
                    actions=["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"],
                    resources=[f"{log_group.arn}:*"],
                )
            ],
        )
        IamRolePolicy(self, "RolePolicy", name="write-flow-log", role=role.id, policy=policy.json)
        FlowLog(
            self,
            "Resource",
            vpc_id=props.vpc.id,
            traffic_type="ALL",
            log_destination_type="cloud-watch-logs",
            log_destination=log_group.arn,
            iam_role_arn=role.arn,
            max_aggregation_interval=600,  # the cheaper of the two: ten minutes are enough to look back
        )
