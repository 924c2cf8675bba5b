"""The mail that tells that Fargate is going to retire tasks."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, cast

import pytest
from moto.events.models import EventPattern

if TYPE_CHECKING:
    from stacks.document import Json
    from tests.template import Template

# After the sample in the ECS developer guide, "AWS Fargate task retirement FAQ".
EVENT: Json = {
    "version": "0",
    "detail-type": "AWS Health Event",
    "source": "aws.health",
    "account": "123456789012",
    "region": "ap-northeast-2",
    "resources": ["live-commerce-streaming-dev|live-commerce-rtmp-dev"],
    "detail": {
        "service": "ECS",
        "eventTypeCode": "AWS_ECS_TASK_PATCHING_RETIREMENT",
        "eventTypeCategory": "scheduledChange",
        "startTime": "Wed, 16 Aug 2026 23:18:51 GMT",
    },
}


def matches(template: Template, event: Json) -> bool:
    pattern = EventPattern.load(template.one("aws_cloudwatch_event_rule")["event_pattern"])
    return bool(pattern.matches_event(cast("Any", event)))


def test_the_rule_matches_awss_event(dev: Template) -> None:
    assert matches(dev, EVENT)


@pytest.mark.parametrize(
    "other", [{"service": "EC2"}, {"eventTypeCode": "AWS_ECS_OPERATIONAL_ISSUE"}], ids=["service", "type"]
)
def test_other_events_wake_nobody(dev: Template, other: Json) -> None:
    assert not matches(dev, {**EVENT, "detail": {**EVENT["detail"], **other}})


def test_the_mail_says_when_which_and_how_to_see_what_is_live(dev: Template) -> None:
    """The template is a JSON string, and names no path that it does not have."""
    target = dev.one("aws_cloudwatch_event_target")
    text = json.loads(target["input_transformer"]["input_template"])

    assert target["arn"] == dev.reference("aws_sns_topic", "AlarmTopic_", "arn")
    assert set(re.findall(r"<(\w+)>", text)) == target["input_transformer"]["input_paths"].keys()
    assert "make broadcasts ENV=dev" in text


def test_eventbridge_may_publish_and_use_the_key(dev: Template) -> None:
    """Without either nothing fails, and no mail ever arrives; a condition would never be met."""
    for policy, sid, actions in (
        ("AlarmTopic_Policy", "EventsPublish", ["sns:Publish"]),
        ("Encryption_Policy", "EventsUseKey", ["kms:Decrypt", "kms:GenerateDataKey*"]),
    ):
        statement = dev.statements(policy)[sid]
        assert statement["principals"] == [{"identifiers": ["events.amazonaws.com"], "type": "Service"}]
        assert statement["actions"] == actions
        assert "condition" not in statement
