"""Logs, metrics and notifications. Source: the provider's documentation of each type, and its ForceNew flags."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from offline_terraform.values import is_set

from .checks import arn, at_most_one_of, between, exactly_one_of, json_document, matches
from .model import Making, Problem, ResourceType, generated_name, in_use

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_LOGS = "arn:aws:logs:{region}:{account}"

# PutRetentionPolicy; 0 is the provider's "for ever".
_RETENTION_DAYS = (
    *(0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827),
    *(2192, 2557, 2922, 3288, 3653),
)


def _retention(config: Mapping[str, Any]) -> Iterator[Problem]:
    days = config.get("retention_in_days")
    if isinstance(days, int | float) and days not in _RETENTION_DAYS:
        allowed = " ".join(str(each) for each in _RETENTION_DAYS)
        yield Problem(
            summary=f"expected retention_in_days to be one of [{allowed}], got {days}", path=("retention_in_days",)
        )


def _alarm_metric(config: Mapping[str, Any]) -> Iterator[Problem]:
    """A metric needs a statistic and a period; what PutMetricAlarm demands at apply."""
    if is_set(config.get("metric_name")):
        yield from exactly_one_of("statistic", "extended_statistic")(config)
        if config.get("period") is None:
            yield Problem(summary="ValidationError: Period must not be null", path=("metric_name",))


def _log_group_protected(group: Mapping[str, Any]) -> Iterator[Problem]:
    if group["deletion_protection_enabled"]:
        yield Problem(
            summary=(
                f"deleting CloudWatch Logs Log Group ({group['name']}): ValidationException: The log group cannot be "
                "deleted because deletion protection is enabled"
            )
        )


def _service_of_source(making: Making) -> str:
    return str(making["resource_arn"]).split(":")[2]


def _destination_type(making: Making) -> str:
    """By the service that the destination's ARN names."""
    configuration = making["delivery_destination_configuration"]
    service = str(configuration[0]["destination_resource_arn"]).split(":")[2] if configuration else "xray"
    return {"firehose": "FH", "logs": "CWL", "s3": "S3", "xray": "XRAY"}[service]


def _topic_policy(making: Making) -> str:
    """The owner's access, and nobody else's."""
    return json.dumps(
        {
            "Version": "2008-10-17",
            "Id": "__default_policy_ID",
            "Statement": [
                {
                    "Sid": "__default_statement_ID",
                    "Effect": "Allow",
                    "Principal": {"AWS": "*"},
                    "Action": ["SNS:Publish", "SNS:Subscribe"],
                    "Resource": making["arn"],
                    "Condition": {"StringEquals": {"AWS:SourceOwner": making.account}},
                }
            ],
        }
    )


RESOURCES = {
    "aws_cloudwatch_log_group": ResourceType(
        force_new=("log_group_class", "name", "name_prefix"),
        computed=("deletion_protection_enabled", "log_group_class", "name", "name_prefix"),
        defaults={"retention_in_days": 0, "skip_destroy": False},
        allowed={"log_group_class": ("DELIVERY", "INFREQUENT_ACCESS", "STANDARD")},
        checks=(
            _retention,
            arn("kms_key_id"),
            at_most_one_of("name", "name_prefix"),
            matches("name", r"[a-zA-Z0-9_./#-]{1,512}", "1 to 512 letters, digits and _./#-"),
        ),
        values={
            "name": generated_name(),
            "name_prefix": "",
            "id": "{name}",
            "arn": f"{_LOGS}:log-group:{{name}}",
            "deletion_protection_enabled": False,
            "log_group_class": "STANDARD",
        },
        delete_guard=_log_group_protected,
    ),
    "aws_cloudwatch_log_delivery": ResourceType(
        force_new=("delivery_destination_arn", "delivery_source_name"),
        computed=("record_fields",),
        checks=(arn("delivery_destination_arn"),),
        uses={
            "delivery_destination_arn": "aws_cloudwatch_log_delivery_destination",
            "delivery_source_name": "aws_cloudwatch_log_delivery_source",
        },
        values={
            "id": "{hex16}",
            "arn": f"{_LOGS}:delivery:{{id}}",
            "record_fields": [],
            "s3_delivery_configuration": [],
        },
    ),
    "aws_cloudwatch_log_delivery_destination": ResourceType(
        force_new=("name", "output_format"),
        computed=("delivery_destination_type",),
        allowed={"output_format": ("json", "parquet", "plain", "raw", "w3c")},
        checks=(arn("delivery_destination_configuration.destination_resource_arn"),),
        refused_while_used=in_use("ConflictException: Delivery destination {name} is used by a delivery"),
        values={"arn": f"{_LOGS}:delivery-destination:{{name}}", "delivery_destination_type": _destination_type},
    ),
    "aws_cloudwatch_log_delivery_source": ResourceType(
        force_new=("log_type", "name", "resource_arn"),
        checks=(arn("resource_arn"),),
        refused_while_used=in_use("ConflictException: Delivery source {name} is used by a delivery"),
        values={"arn": f"{_LOGS}:delivery-source:{{name}}", "service": _service_of_source},
    ),
    "aws_cloudwatch_dashboard": ResourceType(
        force_new=("dashboard_name",),
        checks=(
            json_document("dashboard_body"),
            matches("dashboard_name", r"[A-Za-z0-9_-]{1,255}", "1 to 255 letters, digits, hyphens and underscores"),
        ),
        json_documents=("dashboard_body",),
        values={"id": "{dashboard_name}", "dashboard_arn": "arn:aws:cloudwatch::{account}:dashboard/{dashboard_name}"},
    ),
    "aws_cloudwatch_metric_alarm": ResourceType(
        force_new=("alarm_name",),
        computed=("evaluate_low_sample_count_percentiles",),
        defaults={"actions_enabled": True, "treat_missing_data": "missing"},
        allowed={
            "comparison_operator": (
                "GreaterThanOrEqualToThreshold",
                "GreaterThanThreshold",
                "GreaterThanUpperThreshold",
                "LessThanLowerOrGreaterThanUpperThreshold",
                "LessThanLowerThreshold",
                "LessThanOrEqualToThreshold",
                "LessThanThreshold",
            ),
            "statistic": ("Average", "Maximum", "Minimum", "SampleCount", "Sum"),
            "treat_missing_data": ("breaching", "ignore", "missing", "notBreaching"),
        },
        checks=(
            exactly_one_of("metric_name", "metric_query"),
            _alarm_metric,
            between("evaluation_periods", 1, 1_000),
            matches("alarm_name", r".{1,255}", "1 to 255 characters"),
        ),
        values={
            "id": "{alarm_name}",
            "arn": "arn:aws:cloudwatch:{region}:{account}:alarm:{alarm_name}",
            "evaluate_low_sample_count_percentiles": "",
        },
    ),
    "aws_cloudwatch_event_rule": ResourceType(
        force_new=("event_bus_name", "name", "name_prefix"),
        computed=("name", "name_prefix"),
        defaults={"event_bus_name": "default", "force_destroy": False},
        allowed={"state": ("DISABLED", "ENABLED", "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS")},
        checks=(
            json_document("event_pattern"),
            at_most_one_of("name", "name_prefix"),
            matches("name", r"[a-zA-Z0-9._-]{1,64}", "1 to 64 letters, digits and ._-"),
        ),
        json_documents=("event_pattern",),
        values={
            "name": generated_name(),
            "name_prefix": "",
            "id": "{name}",
            "arn": "arn:aws:events:{region}:{account}:rule/{name}",
        },
    ),
    "aws_cloudwatch_event_target": ResourceType(
        force_new=("event_bus_name", "rule", "target_id"),
        computed=("target_id",),
        defaults={"event_bus_name": "default", "force_destroy": False},
        checks=(
            arn("arn"),
            at_most_one_of("input", "input_path", "input_transformer"),
            matches("target_id", r"[a-zA-Z0-9._-]{1,64}", "1 to 64 letters, digits and ._-"),
        ),
        values={"target_id": generated_name(), "id": "{rule}-{target_id}"},
    ),
    "aws_sns_topic": ResourceType(
        force_new=("fifo_topic", "name", "name_prefix"),
        computed=("fifo_throughput_scope", "name", "name_prefix", "policy", "signature_version", "tracing_config"),
        defaults={"content_based_deduplication": False, "fifo_topic": False},
        checks=(
            json_document("policy"),
            at_most_one_of("name", "name_prefix"),
            matches("name", r"[A-Za-z0-9_-]{1,256}(\.fifo)?", "1 to 256 letters, digits, hyphens and underscores"),
        ),
        json_documents=("delivery_policy", "policy"),
        values={
            "name": generated_name(),
            "name_prefix": "",
            "arn": "arn:aws:sns:{region}:{account}:{name}",
            "id": "{arn}",
            "beginning_archive_time": "",
            "fifo_throughput_scope": "",
            "owner": "{account}",
            "policy": _topic_policy,
            "signature_version": 0,
            "tracing_config": "",
        },
    ),
    "aws_sns_topic_policy": ResourceType(
        force_new=("arn",),
        checks=(arn("arn"), json_document("policy")),
        json_documents=("policy",),
        values={"id": "{arn}", "owner": "{account}"},
    ),
    "aws_sns_topic_subscription": ResourceType(
        force_new=("endpoint", "protocol", "topic_arn"),
        computed=("filter_policy_scope",),
        defaults={
            "confirmation_timeout_in_minutes": 1,
            "endpoint_auto_confirms": False,
            "raw_message_delivery": False,
        },
        allowed={
            "protocol": (
                "application",
                "email",
                "email-json",
                "firehose",
                "http",
                "https",
                "lambda",
                "sms",
                "sqs",
            )
        },
        checks=(arn("topic_arn"),),
        json_documents=("delivery_policy", "filter_policy", "redrive_policy", "replay_policy"),
        values={
            "arn": "{topic_arn}:{uuid}",
            "id": "{arn}",
            "confirmation_was_authenticated": False,
            "filter_policy_scope": "",
            "owner_id": "{account}",
            # A person has to answer the mail first.
            "pending_confirmation": lambda making: str(making["protocol"]).startswith("email"),
        },
    ),
}
