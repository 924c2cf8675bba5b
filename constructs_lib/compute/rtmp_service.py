"""The ECS cluster, the task definition and the service that keeps tasks running."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.ecs_cluster import (
    EcsCluster,
    EcsClusterConfiguration,
    EcsClusterConfigurationExecuteCommandConfiguration,
    EcsClusterConfigurationExecuteCommandConfigurationLogConfiguration,
    EcsClusterSetting,
)
from cdktf_cdktf_provider_aws.ecs_service import (
    EcsService,
    EcsServiceDeploymentCircuitBreaker,
    EcsServiceDeploymentController,
    EcsServiceLoadBalancer,
    EcsServiceNetworkConfiguration,
)
from cdktf_cdktf_provider_aws.ecs_task_definition import (
    EcsTaskDefinition,
    EcsTaskDefinitionRuntimePlatform,
    EcsTaskDefinitionVolume,
)
from constructs import Construct

from constructs_lib.compute.container_definition import (
    CONTAINER_NAME,
    ContainerProps,
    container_definitions_json,
    volume_names,
)
from constructs_lib.network.ports import HLS_PORT, RTMP_PORT
from constructs_lib.terraform.aws_stack import stack_of

if TYPE_CHECKING:
    from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
    from cdktf_cdktf_provider_aws.kms_key import KmsKey

    from constructs_lib.compute.task_roles import TaskRoles
    from constructs_lib.network.ingest_load_balancer import IngestLoadBalancer
    from constructs_lib.network.playback_load_balancer import PlaybackLoadBalancer
    from constructs_lib.network.security_groups import SecurityGroups
    from constructs_lib.network.vpc import Network


@dataclass(frozen=True, kw_only=True, slots=True)
class RtmpServiceProps:
    cluster_name: str
    service_name: str
    cpu: int
    memory_mib: int
    architecture: str
    desired_tasks: int
    insights_log: CloudwatchLogGroup
    exec_session_log: CloudwatchLogGroup | None  # None: ECS Exec is off
    encryption_key: KmsKey
    container: ContainerProps
    network: Network
    security_groups: SecurityGroups
    roles: TaskRoles
    ingest: IngestLoadBalancer
    playback: PlaybackLoadBalancer
    health_check_grace_period_seconds: int = 120


class RtmpService(Construct):
    """Defines a Fargate service that never has fewer healthy tasks during a deployment than before it."""

    def __init__(self, scope: Construct, id_: str, props: RtmpServiceProps) -> None:
        super().__init__(scope, id_)
        self.cluster = EcsCluster(
            self,
            "Cluster",
            name=props.cluster_name,
            setting=[EcsClusterSetting(name="containerInsights", value="enabled")],  # the running-tasks alarm needs it
            configuration=_exec_sessions(props.exec_session_log, props.encryption_key),
            # Container Insights makes its log group itself where there is none: in the clear, and nobody deletes it.
            depends_on=[props.insights_log],
        )
        self.task_definition = EcsTaskDefinition(
            self,
            "TaskDefinition",
            family=props.service_name,
            requires_compatibilities=["FARGATE"],
            network_mode="awsvpc",
            cpu=str(props.cpu),
            memory=str(props.memory_mib),
            runtime_platform=EcsTaskDefinitionRuntimePlatform(
                cpu_architecture=props.architecture, operating_system_family="LINUX"
            ),
            task_role_arn=props.roles.task.arn,
            execution_role_arn=props.roles.execution.arn,
            volume=[EcsTaskDefinitionVolume(name=name) for name in volume_names(ecs_exec=props.container.ecs_exec)],
            container_definitions=container_definitions_json(props.container, stack_of(self).region),
            skip_destroy=True,  # a rollback needs the revision before, and AWS refuses new tasks on a deregistered one
        )
        self.service = EcsService(
            self,
            "Resource",
            name=props.service_name,
            cluster=self.cluster.arn,
            task_definition=self.task_definition.arn,
            launch_type="FARGATE",
            platform_version="LATEST",
            scheduling_strategy="REPLICA",
            desired_count=props.desired_tasks,
            deployment_controller=EcsServiceDeploymentController(type="ECS"),
            # New tasks start beside the old ones, and the old ones stay while they are protected: never less capacity.
            deployment_minimum_healthy_percent=100,
            deployment_maximum_percent=200,
            deployment_circuit_breaker=EcsServiceDeploymentCircuitBreaker(enable=True, rollback=True),
            health_check_grace_period_seconds=props.health_check_grace_period_seconds,
            availability_zone_rebalancing="ENABLED",  # leaves protected tasks alone
            enable_execute_command=props.container.ecs_exec,
            enable_ecs_managed_tags=True,
            propagate_tags="SERVICE",
            wait_for_steady_state=False,  # a deployment lasts as long as the longest broadcast
            network_configuration=EcsServiceNetworkConfiguration(
                subnets=[subnet.id for subnet in props.network.private_subnets],
                security_groups=[props.security_groups.task.id],
                assign_public_ip=False,
            ),
            load_balancer=[
                EcsServiceLoadBalancer(
                    container_name=CONTAINER_NAME, container_port=port, target_group_arn=target_group.arn
                )
                for port, target_group in (
                    (RTMP_PORT, props.ingest.target_group),
                    (HLS_PORT, props.playback.target_group),
                )
            ],
            # ECS refuses a target group that no listener uses yet; and tasks start at once, and fail without their
            # way out, their rules and their policies.
            depends_on=[
                *props.network.private_routes,
                *props.security_groups.rules,
                *props.ingest.listeners,
                props.playback.hls_rule,
                props.roles.task_policy,
                props.roles.execution_policy,
            ],
            lifecycle=TerraformResourceLifecycle(
                ignore_changes=["desired_count"]  # autoscaling owns it: a deploy must not scale live tasks away
            ),
        )


def _exec_sessions(log_group: CloudwatchLogGroup | None, key: KmsKey) -> EcsClusterConfiguration | None:
    """Encrypt what people type into a task, and keep a log of it."""
    if log_group is None:
        return None
    return EcsClusterConfiguration(
        execute_command_configuration=EcsClusterConfigurationExecuteCommandConfiguration(
            kms_key_id=key.arn,
            logging="OVERRIDE",
            log_configuration=EcsClusterConfigurationExecuteCommandConfigurationLogConfiguration(
                cloud_watch_encryption_enabled=True, cloud_watch_log_group_name=log_group.name
            ),
        )
    )
