"""What wakes somebody up. Each alarm says in its description what it means and where to look first."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cdktf_cdktf_provider_aws.cloudwatch_metric_alarm import CloudwatchMetricAlarm
from constructs import Construct

from constructs_lib.observability.metric_math import PERIOD_SECONDS, metric_queries

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cdktf import ITerraformDependable
    from cdktf_cdktf_provider_aws.sns_topic import SnsTopic

    from constructs_lib.observability.metrics import (
        ApplicationLoadBalancerMetrics,
        CloudfrontMetrics,
        EcsMetrics,
        Metric,
        NetworkLoadBalancerMetrics,
        OriginMetrics,
    )

LESS = "LessThanThreshold"
MORE = "GreaterThanThreshold"


@dataclass(frozen=True, kw_only=True, slots=True)
class AlarmSpec:
    """One alarm. With an `expression`, `metrics` are its variables; without one there is a single metric."""

    id: str
    metrics: Mapping[str, Metric]
    comparison: str
    threshold: float
    minutes: int  # how long it must be so: evaluation periods of one minute
    description: str
    missing_data: str  # "breaching" where silence is the fault itself
    expression: str | None = None
    expression_label: str = ""
    region: str | None = None  # None: the stack's


@dataclass(frozen=True, kw_only=True, slots=True)
class AlarmsProps:
    name: str
    min_tasks: int
    origin: OriginMetrics
    ecs: EcsMetrics
    ingest: NetworkLoadBalancerMetrics
    playback: ApplicationLoadBalancerMetrics
    cloudfront: CloudfrontMetrics
    topic: SnsTopic
    viewer_topic: SnsTopic  # in us-east-1, where CloudFront's metrics are
    # Where silence is the fault, an alarm rings at once if there are no data yet: it is made after these, which take
    # longer to make than tasks take to report.
    made_after: Sequence[ITerraformDependable]
    runbook: str = field(default="docs/runbook.md")


class Alarms(Construct):
    """Defines every alarm, each with its action."""

    def __init__(self, scope: Construct, id_: str, props: AlarmsProps) -> None:
        super().__init__(scope, id_)
        self._props = props
        self.regional: list[CloudwatchMetricAlarm] = []
        self.viewers: list[CloudwatchMetricAlarm] = []  # in us-east-1
        for spec in alarm_specs(props):
            (self.regional if spec.region is None else self.viewers).append(self._alarm(spec))

    def _alarm(self, spec: AlarmSpec) -> CloudwatchMetricAlarm:
        topic = self._props.topic if spec.region is None else self._props.viewer_topic
        single = next(iter(spec.metrics.values())) if spec.expression is None else None
        return CloudwatchMetricAlarm(
            self,
            spec.id,
            region=spec.region,
            alarm_name=f"{self._props.name}-{_kebab(spec.id)}",
            alarm_description=f"{spec.description} ({self._props.runbook}, {spec.id})",
            namespace=single.namespace if single else None,
            metric_name=single.name if single else None,
            dimensions=dict(single.dimensions) if single else None,
            statistic=single.statistic if single else None,
            period=PERIOD_SECONDS if single else None,
            metric_query=metric_queries(spec.expression, spec.expression_label, spec.metrics)
            if spec.expression is not None
            else None,
            comparison_operator=spec.comparison,
            threshold=spec.threshold,
            evaluation_periods=spec.minutes,
            datapoints_to_alarm=spec.minutes,
            treat_missing_data=spec.missing_data,
            alarm_actions=[topic.arn],
            ok_actions=[topic.arn],
            depends_on=list(self._props.made_after) if spec.missing_data == "breaching" else None,
        )


def alarm_specs(props: AlarmsProps) -> list[AlarmSpec]:
    """Every alarm of an environment."""
    target_errors, balancer_errors = props.playback.server_errors()
    cloudfront_errors = props.cloudfront.server_error_rate()
    return [
        AlarmSpec(
            id="NoHealthyIngestTarget",
            metrics={"m": props.ingest.healthy_targets()},
            comparison=LESS,
            threshold=1,
            minutes=2,
            missing_data="breaching",
            description="Nobody can publish: no task answers the ingest load balancer's health check",
        ),
        AlarmSpec(
            id="NoHealthyPlaybackTarget",
            metrics={"m": props.playback.healthy_targets()},
            comparison=LESS,
            threshold=1,
            minutes=2,
            missing_data="breaching",
            description="Nobody can watch: no task answers the playback load balancer's health check",
        ),
        AlarmSpec(
            id="TasksBelowMinimum",
            metrics={"m": props.ecs.running_tasks()},
            comparison=LESS,
            threshold=props.min_tasks,
            minutes=5,
            missing_data="breaching",
            description=f"Fewer than {props.min_tasks} tasks run: tasks crash or cannot start",
        ),
        AlarmSpec(
            id="CpuHigh",
            metrics={"m": props.ecs.cpu_utilization()},
            comparison=MORE,
            threshold=85,
            minutes=5,
            missing_data="notBreaching",
            description="Tasks are short of CPU although scaling out should have helped: encoders will fall behind",
        ),
        AlarmSpec(
            id="PlaybackServerErrors",
            metrics={"requests": props.playback.requests(), "target": target_errors, "balancer": balancer_errors},
            # Missing counts are zeros; no requests, no errors.
            expression="IF(FILL(requests, 0) > 0, 100 * (FILL(target, 0) + FILL(balancer, 0)) / requests, 0)",
            expression_label="5xx %",
            comparison=MORE,
            threshold=1,
            minutes=3,
            missing_data="notBreaching",
            description="More than 1 % of CloudFront's requests are answered with 5xx",
        ),
        AlarmSpec(
            id="PublishRejectedForCapacity",
            metrics={"m": props.origin.rejected_for("capacity")},
            comparison=MORE,
            threshold=0,
            minutes=1,
            missing_data="notBreaching",
            description="A streamer was turned away because the task was full: raise max_tasks or lower the target",
        ),
        AlarmSpec(
            id="EncoderBelowRealTime",
            metrics={"m": props.origin.encoder_speed()},
            comparison=LESS,
            threshold=0.95,  # a hair below 1 comes from rounding; 5 % behind is 3 s more latency each minute
            minutes=3,
            missing_data="notBreaching",
            description="An encoder is slower than its source: viewers of that broadcast fall behind and stall",
        ),
        AlarmSpec(
            id="IngestCrashes",
            metrics={"m": props.origin.ingest_crashes()},
            comparison=MORE,
            threshold=0,
            minutes=1,
            missing_data="notBreaching",
            description="An nginx died and cut its broadcasts; they come back, but somebody may be attacking",
        ),
        AlarmSpec(
            id="TaskProtectionFails",
            metrics={"m": props.origin.protection_failures()},
            comparison=MORE,
            threshold=0,
            minutes=5,  # the origin retries twice a minute, and scaling takes three to make room
            missing_data="notBreaching",
            description="A task cannot set its protection: a deploy or scaling in would cut its broadcasts",
        ),
        AlarmSpec(
            id="LeaseRenewalsFail",
            metrics={"m": props.origin.lease_failures()},
            comparison=MORE,
            # A broadcast without DynamoDB fails to renew 20 times a minute and more; a call that got lost is renewed a
            # second later, and a hundred broadcasts lose fewer than ten a minute.
            threshold=10,
            minutes=2,
            missing_data="notBreaching",  # written only when one fails
            description="DynamoDB does not answer tasks: broadcasts go on, new publishers are refused",
        ),
        AlarmSpec(
            id="ViewerServerErrors",
            metrics={"m": cloudfront_errors},
            comparison=MORE,
            threshold=1,
            minutes=3,
            missing_data="notBreaching",
            region=cloudfront_errors.region,
            description="CloudFront answers more than 1 % of viewers' requests with 5xx",
        ),
    ]


def _kebab(pascal: str) -> str:
    return "".join(f"-{char.lower()}" if char.isupper() else char for char in pascal).lstrip("-")
