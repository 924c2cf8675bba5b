"""A customer-managed KMS key that named AWS services of this account may use."""

from __future__ import annotations

from dataclasses import dataclass

from cdktf_cdktf_provider_aws.kms_alias import KmsAlias
from cdktf_cdktf_provider_aws.kms_key import KmsKey
from constructs import Construct

from constructs_lib.security.policy_documents import Statement, policy_document
from constructs_lib.terraform.aws_stack import stack_of


@dataclass(frozen=True, kw_only=True, slots=True)
class EncryptionKeyProps:
    alias: str  # with the leading "alias/"
    description: str
    region: str | None = None  # None: the stack's
    for_log_groups: bool = False  # CloudWatch Logs in the key's region
    for_alarm_topics: bool = False  # CloudWatch alarms publishing to an encrypted topic
    for_event_topics: bool = False  # EventBridge rules doing the same


class EncryptionKey(Construct):
    """Defines a key with yearly rotation, its alias and its policy."""

    def __init__(self, scope: Construct, id_: str, props: EncryptionKeyProps) -> None:
        super().__init__(scope, id_)
        stack = stack_of(self)
        region = props.region or stack.region
        # In a key policy the resource "*" is the key itself.
        statements = [
            Statement(
                sid="AccountAdministersKey",
                actions=["kms:*"],
                resources=["*"],
                principals={"AWS": [stack.global_arn("iam", "root")]},
            )
        ]
        if props.for_log_groups:
            # Source: CloudWatch Logs user guide, "Encrypt log data in CloudWatch Logs using AWS KMS".
            statements.append(
                Statement(
                    sid="LogGroupsUseKey",
                    actions=["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
                    resources=["*"],
                    principals={"Service": [f"logs.{region}.amazonaws.com"]},
                    conditions=[
                        (
                            "ArnLike",
                            "kms:EncryptionContext:aws:logs:arn",
                            [f"arn:aws:logs:{region}:{stack.account}:log-group:*"],
                        )
                    ],
                )
            )
        if props.for_alarm_topics:
            # Without it alarms on an encrypted topic deploy cleanly and silently deliver nothing.
            # Source: CloudWatch user guide, "Troubleshooting: alarm doesn't publish to an encrypted SNS topic".
            statements.append(
                Statement(
                    sid="AlarmsUseKey",
                    actions=["kms:Decrypt", "kms:GenerateDataKey*"],
                    resources=["*"],
                    principals={"Service": ["cloudwatch.amazonaws.com"]},
                    conditions=[("StringEquals", "aws:SourceAccount", [stack.account])],
                )
            )
        if props.for_event_topics:
            # With no condition, as in the topic's own policy (alarm_topic.py).
            statements.append(
                Statement(
                    sid="EventsUseKey",
                    actions=["kms:Decrypt", "kms:GenerateDataKey*"],
                    resources=["*"],
                    principals={"Service": ["events.amazonaws.com"]},
                )
            )
        self.key = KmsKey(
            self,
            "Resource",
            region=region,
            description=props.description,
            enable_key_rotation=True,
            deletion_window_in_days=30,
            policy=policy_document(self, "Policy", statements).json,
        )
        self.alias = KmsAlias(self, "Alias", region=region, name=props.alias, target_key_id=self.key.key_id)
