"""How many tasks run: more for CPU and broadcasts, never fewer than are busy, and only idle ones are taken away.

ECS refuses to protect more tasks than a service wants (`DEPLOYMENT_BLOCKED`), so that the desired count must not fall
below the number of tasks with a broadcast. Target tracking cannot know that: it lowers the desired count by an average.
Here it only raises it, and two step policies follow the busy tasks.

Sources: Amazon ECS developer guide, "Amazon ECS task scale-in protection endpoint"; Application Auto Scaling user guide
"Target tracking scaling policies" (disabling scale-in) and "Step scaling policies"; CloudWatch user guide, "Using math
expressions with CloudWatch metrics".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdktf_cdktf_provider_aws.appautoscaling_policy import (
    AppautoscalingPolicy,
    AppautoscalingPolicyStepScalingPolicyConfiguration,
    AppautoscalingPolicyStepScalingPolicyConfigurationStepAdjustment,
    AppautoscalingPolicyTargetTrackingScalingPolicyConfiguration,
    AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationCustomizedMetricSpecification,
    AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationCustomizedMetricSpecificationDimensions,
    AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecification,
)
from cdktf_cdktf_provider_aws.appautoscaling_target import AppautoscalingTarget
from cdktf_cdktf_provider_aws.cloudwatch_metric_alarm import CloudwatchMetricAlarm
from constructs import Construct

from constructs_lib.observability.metric_math import metric_queries

if TYPE_CHECKING:
    from constructs_lib.compute.rtmp_service import RtmpService
    from constructs_lib.observability.metrics import EcsMetrics, Metric, OriginMetrics

# A streamer who has just left often comes back, and a task takes a minute to start: the last look is not enough.
_IDLE_MINUTES = 10
_MOST_STEPS = 5  # tasks that are missing at once; what lies beyond comes a minute later
_NAMES = {"Cpu": "cpu", "StreamsPerTask": "streams-per-task", "BusyTasks": "busy-tasks", "IdleTasks": "idle-tasks"}
_BUSY, _DESIRED, _RUNNING, _STREAMS = "busy", "desired", "running", "streams"


@dataclass(frozen=True, kw_only=True, slots=True)
class AutoscalingProps:
    name: str
    service: RtmpService
    min_tasks: int
    max_tasks: int
    cpu_target_percent: int
    origin: OriginMetrics
    ecs: EcsMetrics
    streams_per_task_target: float
    scale_in_cooldown_seconds: int
    scale_out_cooldown_seconds: int


class Autoscaling(Construct):
    """Defines the scalable target and its four policies."""

    def __init__(self, scope: Construct, id_: str, props: AutoscalingProps) -> None:
        super().__init__(scope, id_)
        self._props = props
        self.target = AppautoscalingTarget(
            self,
            "Target",
            service_namespace="ecs",
            scalable_dimension="ecs:service:DesiredCount",
            resource_id=f"service/{props.service.cluster.name}/{props.service.service.name}",
            min_capacity=props.min_tasks,
            max_capacity=props.max_tasks,
        )
        self._define_more_for_load()
        self._define_as_many_as_are_busy()
        self._define_fewer_when_idle()

    def _define_more_for_load(self) -> None:
        self._track(
            "Cpu",
            target_value=self._props.cpu_target_percent,
            predefined=AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecification(
                predefined_metric_type="ECSServiceAverageCPUUtilization"
            ),
        )
        metric = self._props.origin.streams_per_task()
        dimensions = [
            AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationCustomizedMetricSpecificationDimensions(
                name=name, value=value
            )
            for name, value in sorted(metric.dimensions.items())
        ]
        self._track(
            "StreamsPerTask",
            target_value=self._props.streams_per_task_target,
            customized=AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationCustomizedMetricSpecification(
                namespace=metric.namespace,
                metric_name=metric.name,
                statistic=metric.statistic,
                dimensions=dimensions,
            ),
        )

    def _define_as_many_as_are_busy(self) -> None:
        """During a deployment the busy tasks of the old revision count too: the new ones shall be protected as well."""
        policy = self._step(
            "BusyTasks",
            [_step(missing, above=missing - 1, last=missing == _MOST_STEPS) for missing in range(1, _MOST_STEPS + 1)],
            cooldown_seconds=self._props.scale_out_cooldown_seconds,
        )
        self._alarm(
            "BusyTasks",
            f"{_BUSY} - {_DESIRED}",
            label="busy tasks beyond the desired ones",
            minutes=1,
            policy=policy,
            description="More tasks are busy than the service wants: it shall want more (nothing to do)",
        )

    def _define_fewer_when_idle(self) -> None:
        """One at a time, and never one that the load would bring back at once."""
        policy = self._step(
            "IdleTasks",
            [
                AppautoscalingPolicyStepScalingPolicyConfigurationStepAdjustment(
                    scaling_adjustment=-1, metric_interval_lower_bound="0"
                )
            ],
            cooldown_seconds=self._props.scale_in_cooldown_seconds,
        )
        load = f"CEIL({_STREAMS} * {_RUNNING} / {self._props.streams_per_task_target})"
        # At the minimum nothing can be taken away: an alarm that rings all night is for nobody.
        unneeded = f"{_DESIRED} - MAX([{_BUSY}, {load}])"
        self._alarm(
            "IdleTasks",
            f"IF({_DESIRED} > {self._props.min_tasks}, {unneeded}, 0)",
            label="tasks that nobody needs",
            minutes=_IDLE_MINUTES,
            policy=policy,
            description="The service wants more tasks than broadcasts need: an idle one goes (nothing to do)",
        )

    def _track(
        self,
        id_: str,
        *,
        target_value: float,
        predefined: AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecification
        | None = None,
        customized: AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationCustomizedMetricSpecification
        | None = None,
    ) -> None:
        AppautoscalingPolicy(
            self,
            id_,
            name=_NAMES[id_],
            policy_type="TargetTrackingScaling",
            service_namespace=self.target.service_namespace,
            scalable_dimension=self.target.scalable_dimension,
            resource_id=self.target.resource_id,
            target_tracking_scaling_policy_configuration=AppautoscalingPolicyTargetTrackingScalingPolicyConfiguration(
                target_value=target_value,
                predefined_metric_specification=predefined,
                customized_metric_specification=customized,
                disable_scale_in=True,
                scale_out_cooldown=self._props.scale_out_cooldown_seconds,
            ),
        )

    def _step(
        self,
        id_: str,
        steps: list[AppautoscalingPolicyStepScalingPolicyConfigurationStepAdjustment],
        *,
        cooldown_seconds: int,
    ) -> AppautoscalingPolicy:
        return AppautoscalingPolicy(
            self,
            id_,
            name=_NAMES[id_],
            policy_type="StepScaling",
            service_namespace=self.target.service_namespace,
            scalable_dimension=self.target.scalable_dimension,
            resource_id=self.target.resource_id,
            step_scaling_policy_configuration=AppautoscalingPolicyStepScalingPolicyConfiguration(
                adjustment_type="ChangeInCapacity",
                metric_aggregation_type="Maximum",
                cooldown=cooldown_seconds,
                step_adjustment=steps,
            ),
        )

    def _alarm(
        self,
        id_: str,
        expression: str,
        *,
        label: str,
        minutes: int,
        policy: AppautoscalingPolicy,
        description: str,
    ) -> None:
        metrics: dict[str, Metric] = {
            _BUSY: self._props.origin.busy_tasks(),
            _DESIRED: self._props.ecs.desired_tasks(),
            _RUNNING: self._props.ecs.running_tasks().with_statistic("Maximum", "running tasks"),
            _STREAMS: self._props.origin.streams_per_task(),
        }
        used = {name: metric for name, metric in metrics.items() if name in expression}
        CloudwatchMetricAlarm(
            self,
            f"{id_}Alarm",
            alarm_name=f"{self._props.name}-{_NAMES[id_]}",
            alarm_description=description,
            comparison_operator="GreaterThanOrEqualToThreshold",
            threshold=1,
            evaluation_periods=minutes,
            datapoints_to_alarm=minutes,
            # Without figures nothing is known, and nothing is done.
            treat_missing_data="missing",
            metric_query=metric_queries(expression, label, used),
            alarm_actions=[policy.arn],
        )


def _step(
    adjustment: int, *, above: int, last: bool
) -> AppautoscalingPolicyStepScalingPolicyConfigurationStepAdjustment:
    """Bounds are relative to the alarm's threshold of one."""
    return AppautoscalingPolicyStepScalingPolicyConfigurationStepAdjustment(
        scaling_adjustment=adjustment,
        metric_interval_lower_bound=str(above),
        metric_interval_upper_bound=None if last else str(above + 1),
    )
