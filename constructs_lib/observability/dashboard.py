"""The one dashboard: is anyone live, can they publish, can they be seen, is anything about to give way."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cdktf_cdktf_provider_aws.cloudwatch_dashboard import CloudwatchDashboard
from constructs import Construct

from constructs_lib.observability.metrics import CLOUDFRONT_METRICS_REGION
from constructs_lib.terraform.aws_stack import stack_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from constructs_lib.observability.metrics import (
        ApplicationLoadBalancerMetrics,
        CloudfrontMetrics,
        EcsMetrics,
        Metric,
        NetworkLoadBalancerMetrics,
        OriginMetrics,
    )

# CloudWatch's grid is 24 units wide.
THIRD_WIDTH = 8
FULL_WIDTH = 24
ROW_HEIGHT = 6
ALARM_ROW_HEIGHT = 3
PERIOD_SECONDS = 60
# Why the origin turns publishers away (container/origin/ingest/door.py).
REJECTION_REASONS = (
    "capacity",
    "unauthorized",
    "backend_unavailable",
    "registry_unavailable",
    "duplicate",
    "draining",
    "invalid_name",
    "unsupported_source",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class DashboardProps:
    name: str
    origin: OriginMetrics
    ecs: EcsMetrics
    ingest: NetworkLoadBalancerMetrics
    playback: ApplicationLoadBalancerMetrics
    cloudfront: CloudfrontMetrics
    alarm_arns: Sequence[str]  # in the stack's region
    viewer_alarm_arns: Sequence[str]  # in us-east-1


class Dashboard(Construct):
    """Defines the CloudWatch dashboard."""

    def __init__(self, scope: Construct, id_: str, props: DashboardProps) -> None:
        super().__init__(scope, id_)
        self.dashboard = CloudwatchDashboard(
            self,
            "Resource",
            dashboard_name=props.name,
            dashboard_body=json.dumps(dashboard_body(props, stack_of(self).region)),
        )


def dashboard_body(props: DashboardProps, region: str) -> dict[str, Any]:
    """Return the dashboard's source (CloudWatch API reference, "Dashboard body structure and syntax")."""
    rows = [
        [
            _broadcasts(props, region),
            _chart(region, "Rejected publishes", _rejections(props), stacked=True),
            _chart(
                region,
                "Slowest encoder (media time / wall time)",
                [props.origin.encoder_speed()],
                right=[props.origin.encoder_failures(), props.origin.encoders_behind(), props.origin.ingest_crashes()],
            ),
        ],
        [
            _chart(
                region,
                "ECS CPU and memory",
                [
                    props.ecs.cpu_utilization(),
                    props.ecs.cpu_utilization().with_statistic("Maximum", "CPU % (busiest task)"),
                    props.ecs.memory_utilization(),
                ],
            ),
            _chart(
                region,
                "ECS tasks",
                [props.ecs.running_tasks(), props.ecs.desired_tasks()],
                right=[props.origin.protection_failures(), props.origin.lease_failures()],
            ),
            _chart(
                region,
                "Streams per task, time to first segment",
                [props.origin.streams_per_task(), props.origin.overcommitted_units()],
                right=[props.origin.time_to_first_segment()],
            ),
        ],
        [
            _chart(
                region,
                "Ingest: flows (NLB)",
                [props.ingest.active_flows(), props.ingest.new_flows()],
                right=[props.ingest.healthy_targets()],
            ),
            _chart(region, "Ingest: resets (NLB)", props.ingest.resets(), stacked=True),
            _chart(
                region,
                "Playback: requests, 5xx (ALB)",
                [props.playback.requests()],
                right=[*props.playback.server_errors(), props.playback.healthy_targets()],
            ),
        ],
        [
            _chart(
                region,
                "Playback: latency (ALB), between tasks",
                [props.playback.response_time()],
                right=[props.origin.peer_failures(), props.origin.refused_lookups()],
            ),
            _chart(
                region,
                "Viewers: requests, bytes (CloudFront)",
                [props.cloudfront.requests()],
                right=[props.cloudfront.bytes_downloaded()],
            ),
            _chart(region, "Viewers: error rate (CloudFront)", props.cloudfront.error_rates()),
        ],
        [_alarm_chart(arn) for arn in props.viewer_alarm_arns],
    ]
    alarms = {
        "type": "alarm",
        "x": 0,
        "y": 0,
        "width": FULL_WIDTH,
        "height": ALARM_ROW_HEIGHT,
        "properties": {"title": "Alarms", "alarms": list(props.alarm_arns)},
    }
    widgets = [alarms]
    for row_index, row in enumerate(rows):
        for column, properties in enumerate(row):
            widgets.append(
                {
                    "type": "metric",
                    "x": column * THIRD_WIDTH,
                    "y": ALARM_ROW_HEIGHT + row_index * ROW_HEIGHT,
                    "width": THIRD_WIDTH,
                    "height": ROW_HEIGHT,
                    "properties": properties,
                }
            )
    return {"widgets": widgets}


def _rejections(props: DashboardProps) -> list[Metric]:
    return [props.origin.rejected_for(reason) for reason in REJECTION_REASONS]


def _broadcasts(props: DashboardProps, region: str) -> dict[str, Any]:
    """Tasks report each for itself, several times a minute: the service's sum is average times tasks."""
    per_task, tasks = props.origin.active_streams(), props.ecs.running_tasks()
    return {
        "title": "Broadcasts live",
        "view": "timeSeries",
        "region": region,
        "period": PERIOD_SECONDS,
        "yAxis": {"left": {"min": 0}},
        "metrics": [
            [{"expression": "streams * tasks", "label": "broadcasts", "id": "total"}],
            _entry(per_task, id_="streams", visible=False),
            _entry(tasks, id_="tasks", visible=False),
        ],
    }


def _chart(
    region: str,
    title: str,
    left: Sequence[Metric],
    *,
    right: Sequence[Metric] = (),
    stacked: bool = False,
) -> dict[str, Any]:
    return {
        "title": title,
        "view": "timeSeries",
        "stacked": stacked,
        "region": left[0].region or region,
        "period": PERIOD_SECONDS,
        "yAxis": {"left": {"min": 0}, "right": {"min": 0}},
        "metrics": [
            *(_entry(metric) for metric in left),
            *(_entry(metric, axis="right") for metric in right),
        ],
    }


def _alarm_chart(alarm_arn: str) -> dict[str, Any]:
    """An alarm of CloudFront, with its metric and threshold: one to a widget, and no metrics beside it."""
    return {
        "title": "Viewers: alarm",
        "view": "timeSeries",
        "region": CLOUDFRONT_METRICS_REGION,  # an alarm is drawn in its own region only
        "annotations": {"alarms": [alarm_arn]},
    }


def _entry(metric: Metric, *, axis: str = "left", id_: str | None = None, visible: bool = True) -> list[Any]:
    options: dict[str, Any] = {"stat": metric.statistic, "label": metric.label, "yAxis": axis}
    if id_ is not None:
        options["id"] = id_
    if not visible:
        options["visible"] = False
    names = [part for item in sorted(metric.dimensions.items()) for part in item]
    return [metric.namespace, metric.name, *names, options]
