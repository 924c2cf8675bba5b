"""Tells the alarm topic when Fargate is going to retire tasks of the service: protection does not keep it from that."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdktf_cdktf_provider_aws.cloudwatch_event_rule import CloudwatchEventRule
from cdktf_cdktf_provider_aws.cloudwatch_event_target import (
    CloudwatchEventTarget,
    CloudwatchEventTargetInputTransformer,
)
from constructs import Construct

if TYPE_CHECKING:
    from constructs_lib.observability.alarm_topic import AlarmTopic


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskRetirementNoticeProps:
    environment: str
    cluster_name: str
    topic: AlarmTopic  # must let EventBridge publish


class TaskRetirementNotice(Construct):
    """Defines a rule for AWS Health's event, and the mail that it becomes."""

    def __init__(self, scope: Construct, id_: str, props: TaskRetirementNoticeProps) -> None:
        super().__init__(scope, id_)
        self.rule = CloudwatchEventRule(
            self,
            "Resource",
            name=f"{props.cluster_name}-task-retirement",
            description="Fargate is going to retire tasks",
            event_pattern=retirement_pattern(),
        )
        CloudwatchEventTarget(
            self,
            "Mail",
            rule=self.rule.name,
            target_id="alarm-topic",
            arn=props.topic.topic.arn,
            input_transformer=CloudwatchEventTargetInputTransformer(
                input_paths={"resources": "$.resources", "start": "$.detail.startTime"},
                input_template=json.dumps(
                    "Fargate retires tasks from <start> on, with whatever is live on them: <resources>. "
                    f"Which broadcasts these are: make broadcasts ENV={props.environment}. "
                    "What to do: docs/runbook.md, Fargate retires tasks."
                ),
            ),
        )


def retirement_pattern() -> str:
    """Return the event pattern as JSON.

    Of the whole account: for tasks of a service the event names "cluster|service", for others ARNs, and AWS says
    nowhere that it stays like that. A mail too many is better than none.
    Source: ECS developer guide, "AWS Fargate task retirement FAQ" (a sample event).
    """
    pattern = {
        "source": ["aws.health"],
        "detail-type": ["AWS Health Event"],
        "detail": {"service": ["ECS"], "eventTypeCode": ["AWS_ECS_TASK_PATCHING_RETIREMENT"]},
    }
    return json.dumps(pattern, sort_keys=True)
