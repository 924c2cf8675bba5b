"""Where alarms go: an SNS topic, with a mail subscription if there is an address."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdktf_cdktf_provider_aws.sns_topic import SnsTopic
from cdktf_cdktf_provider_aws.sns_topic_policy import SnsTopicPolicy
from cdktf_cdktf_provider_aws.sns_topic_subscription import SnsTopicSubscription
from constructs import Construct

from constructs_lib.security.policy_documents import Statement, policy_document
from constructs_lib.terraform.aws_stack import stack_of

if TYPE_CHECKING:
    from cdktf_cdktf_provider_aws.kms_key import KmsKey


@dataclass(frozen=True, kw_only=True, slots=True)
class AlarmTopicProps:
    name: str
    encryption_key: KmsKey  # must let CloudWatch use it, or alarms arrive nowhere
    email: str | None
    region: str | None = None  # None: the stack's; an alarm can only reach a topic in its own region
    for_events: bool = False  # EventBridge rules publish too


class AlarmTopic(Construct):
    """Defines the topic, and lets this account's alarms publish to it."""

    def __init__(self, scope: Construct, id_: str, props: AlarmTopicProps) -> None:
        super().__init__(scope, id_)
        stack = stack_of(self)
        region = props.region or stack.region
        self.topic = SnsTopic(
            self, "Resource", region=region, name=props.name, kms_master_key_id=props.encryption_key.arn
        )
        statements = [
            Statement(
                sid="AlarmsPublish",
                actions=["sns:Publish"],
                resources=[self.topic.arn],
                principals={"Service": ["cloudwatch.amazonaws.com"]},
                conditions=[
                    ("StringEquals", "aws:SourceAccount", [stack.account]),
                    ("ArnLike", "aws:SourceArn", [f"arn:aws:cloudwatch:{region}:{stack.account}:alarm:*"]),
                ],
            )
        ]
        if props.for_events:
            # With no condition: EventBridge fills none in, and what the topic does not admit is dropped in silence.
            # Source: EventBridge user guide, "Using resource-based policies" (Amazon SNS permissions).
            statements.append(
                Statement(
                    sid="EventsPublish",
                    actions=["sns:Publish"],
                    resources=[self.topic.arn],
                    principals={"Service": ["events.amazonaws.com"]},
                )
            )
        policy = policy_document(self, "PolicyDocument", statements)
        SnsTopicPolicy(self, "Policy", region=region, arn=self.topic.arn, policy=policy.json)
        if props.email is not None:
            SnsTopicSubscription(
                self,
                "Mail",
                region=region,
                topic_arn=self.topic.arn,
                protocol="email",
                endpoint=props.email,
            )
