"""How many tasks run: target tracking on CPU and on broadcasts per task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdktf_cdktf_provider_aws.appautoscaling_policy import (
    AppautoscalingPolicy,
    AppautoscalingPolicyTargetTrackingScalingPolicyConfiguration,
    AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationCustomizedMetricSpecification,
    AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationCustomizedMetricSpecificationDimensions,
    AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecification,
)
from cdktf_cdktf_provider_aws.appautoscaling_target import AppautoscalingTarget
from constructs import Construct

if TYPE_CHECKING:
    from constructs_lib.metrics import Metric
    from constructs_lib.rtmp_service import RtmpService


@dataclass(frozen=True, kw_only=True, slots=True)
class AutoscalingProps:
    service: RtmpService
    min_tasks: int
    max_tasks: int
    cpu_target_percent: int
    streams_per_task: Metric
    streams_per_task_target: float
    scale_in_cooldown_seconds: int
    scale_out_cooldown_seconds: int


class Autoscaling(Construct):
    """Defines the scalable target and its two policies. Scaling in is free: tasks with a broadcast are protected."""

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
        self._policy(
            "Cpu",
            target_value=props.cpu_target_percent,
            predefined=AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecification(
                predefined_metric_type="ECSServiceAverageCPUUtilization"
            ),
        )
        metric = props.streams_per_task
        dimensions = [
            AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationCustomizedMetricSpecificationDimensions(
                name=name, value=value
            )
            for name, value in sorted(metric.dimensions.items())
        ]
        self._policy(
            "StreamsPerTask",
            target_value=props.streams_per_task_target,
            customized=AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationCustomizedMetricSpecification(
                namespace=metric.namespace,
                metric_name=metric.name,
                statistic=metric.statistic,
                dimensions=dimensions,
            ),
        )

    def _policy(
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
            name={"Cpu": "cpu", "StreamsPerTask": "streams-per-task"}[id_],
            policy_type="TargetTrackingScaling",
            service_namespace=self.target.service_namespace,
            scalable_dimension=self.target.scalable_dimension,
            resource_id=self.target.resource_id,
            target_tracking_scaling_policy_configuration=AppautoscalingPolicyTargetTrackingScalingPolicyConfiguration(
                target_value=target_value,
                predefined_metric_specification=predefined,
                customized_metric_specification=customized,
                scale_in_cooldown=self._props.scale_in_cooldown_seconds,
                scale_out_cooldown=self._props.scale_out_cooldown_seconds,
            ),
        )
