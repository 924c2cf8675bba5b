"""Everything between OBS and the viewer, for one environment."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cdktf import TerraformOutput

from config.environment import ECS_STOP_TIMEOUT_SECONDS
from constructs_lib.compute.autoscaling import Autoscaling, AutoscalingProps
from constructs_lib.compute.container_definition import ContainerProps
from constructs_lib.compute.rtmp_service import RtmpService, RtmpServiceProps
from constructs_lib.compute.task_roles import TaskRoles, TaskRolesProps
from constructs_lib.edge.cache_policies import CachePolicies, CachePoliciesProps
from constructs_lib.edge.distribution import Distribution, DistributionProps
from constructs_lib.edge.distribution_access_logs import DistributionAccessLogs, DistributionAccessLogsProps
from constructs_lib.edge.dns_records import DnsRecords, DnsRecordsProps
from constructs_lib.edge.response_headers import ResponseHeaders, ResponseHeadersProps
from constructs_lib.edge.web_acl import WebAcl, WebAclProps
from constructs_lib.network.ingest_load_balancer import IngestLoadBalancer, IngestLoadBalancerProps
from constructs_lib.network.playback_load_balancer import PlaybackLoadBalancer, PlaybackLoadBalancerProps
from constructs_lib.network.ports import RTMPS_PORT
from constructs_lib.network.security_groups import SecurityGroups, SecurityGroupsProps
from constructs_lib.network.vpc import Network, NetworkProps
from constructs_lib.observability.alarm_topic import AlarmTopic, AlarmTopicProps
from constructs_lib.observability.alarms import Alarms, AlarmsProps
from constructs_lib.observability.dashboard import Dashboard, DashboardProps
from constructs_lib.observability.flow_log import VpcFlowLog, VpcFlowLogProps
from constructs_lib.observability.log_group import LogGroup, LogGroupProps
from constructs_lib.observability.metrics import (
    CLOUDFRONT_METRICS_REGION,
    ORIGIN_NAMESPACE,
    ApplicationLoadBalancerMetrics,
    CloudfrontMetrics,
    EcsMetrics,
    NetworkLoadBalancerMetrics,
    OriginMetrics,
)
from constructs_lib.observability.task_retirement_notice import TaskRetirementNotice, TaskRetirementNoticeProps
from constructs_lib.security.encryption_key import EncryptionKey, EncryptionKeyProps
from constructs_lib.storage.access_log_bucket import AccessLogBucket, AccessLogBucketProps
from constructs_lib.storage.leases_table import LeasesTable, LeasesTableProps
from stacks.environment_stack import EnvironmentStack

if TYPE_CHECKING:
    from constructs import Construct

    from config.environment import EnvironmentConfig


class StreamingStack(EnvironmentStack):
    """The streaming stack of one environment. Each method defines one layer; later layers use earlier ones."""

    def __init__(self, scope: Construct, config: EnvironmentConfig) -> None:
        super().__init__(scope, config.streaming_stack_name, config)
        self._define_foundation()
        self._define_load_balancers()
        self._define_tasks()
        self._define_viewers_side()
        self._define_observability()
        self._define_outputs()

    def _define_foundation(self) -> None:
        config = self.config
        self.encryption = EncryptionKey(
            self,
            "Encryption",
            EncryptionKeyProps(
                alias=f"alias/{config.cluster_name}",
                description=f"Logs and alarms of {config.cluster_name}",
                for_log_groups=True,
                for_alarm_topics=True,
                for_event_topics=True,
            ),
        )
        self.viewer_encryption = EncryptionKey(
            self,
            "ViewerEncryption",
            EncryptionKeyProps(
                alias=f"alias/{config.cluster_name}-viewers",
                description=f"CloudFront's logs and alarms of {config.cluster_name}",
                region=CLOUDFRONT_METRICS_REGION,
                for_log_groups=True,
                for_alarm_topics=True,
            ),
        )
        self.network = Network(
            self,
            "Network",
            NetworkProps(
                name=config.cluster_name,
                vpc_cidr=config.network.vpc_cidr,
                subnets=config.subnets,
                nat_gateways=config.network.nat_gateways,
            ),
        )
        VpcFlowLog(
            self,
            "FlowLog",
            VpcFlowLogProps(
                log_group_name=f"/vpc/{config.cluster_name}",
                role_name=config.flow_log_role_name,
                log_retention_days=config.observability.log_retention_days,
                vpc=self.network.vpc,
                encryption_key=self.encryption.key,
            ),
        )
        self.security_groups = SecurityGroups(
            self,
            "SecurityGroups",
            SecurityGroupsProps(
                name=config.cluster_name,
                vpc=self.network.vpc,
                publisher_cidrs=config.ingest.publisher_cidrs,
                rtmps=config.ingest.certificate_arn is not None,
                backend_port=config.backend.port,
            ),
        )
        self.access_logs = None
        if config.observability.access_logs:
            self.access_logs = AccessLogBucket(
                self,
                "AccessLogs",
                AccessLogBucketProps(
                    bucket_name=config.access_log_bucket_name,
                    retention_days=config.observability.log_retention_days,
                ),
            )

    def _define_load_balancers(self) -> None:
        config = self.config
        self.ingest = IngestLoadBalancer(
            self,
            "Ingest",
            IngestLoadBalancerProps(
                name=config.ingest_load_balancer_name,
                network=self.network,
                security_group=self.security_groups.ingest,
                deletion_protection=config.protection.deletion_protection,
                rtmps_certificate_arn=config.ingest.certificate_arn,
                access_log_bucket=self.access_logs,
            ),
        )
        self.playback = PlaybackLoadBalancer(
            self,
            "Playback",
            PlaybackLoadBalancerProps(
                name=config.playback_load_balancer_name,
                network=self.network,
                security_group=self.security_groups.playback,
                deletion_protection=config.protection.deletion_protection,
                access_log_bucket=self.access_logs,
            ),
        )

    def _define_tasks(self) -> None:
        config = self.config
        log_group = LogGroup(
            self,
            "Logs",
            LogGroupProps(
                name=config.log_group_name,
                retention_days=config.observability.log_retention_days,
                encryption_key=self.encryption.key,
            ),
        ).log_group
        insights_log = LogGroup(
            self,
            "InsightsLogs",
            LogGroupProps(
                name=config.insights_log_group_name,
                retention_days=config.observability.log_retention_days,
                encryption_key=self.encryption.key,
            ),
        ).log_group
        exec_session_log = None
        if config.task.ecs_exec:
            exec_session_log = LogGroup(
                self,
                "ExecLogs",
                LogGroupProps(
                    name=f"{config.log_group_name}/exec",
                    retention_days=config.observability.log_retention_days,
                    encryption_key=self.encryption.key,
                ),
            ).log_group
        leases = LeasesTable(
            self,
            "Leases",
            LeasesTableProps(name=config.leases_table_name, deletion_protection=config.protection.deletion_protection),
        )
        roles = TaskRoles(
            self,
            "Roles",
            TaskRolesProps(
                name=config.service_name,
                cluster_name=config.cluster_name,
                repository_name=config.repository_name,
                leases_table=leases.table,
                log_group=log_group,
                backend_token_secret_arn=config.backend.token_secret_arn,
                backend_token_kms_key_arn=config.backend.token_secret_kms_key_arn,
                exec_session_log=exec_session_log,
                encryption_key=self.encryption.key,
            ),
        )
        token = config.backend.token_secret_arn
        self.service = RtmpService(
            self,
            "Service",
            RtmpServiceProps(
                cluster_name=config.cluster_name,
                service_name=config.service_name,
                cpu=config.task.cpu,
                memory_mib=config.task.memory_mib,
                architecture=config.task.architecture,
                desired_tasks=config.scaling.desired_tasks,
                insights_log=insights_log,
                exec_session_log=exec_session_log,
                encryption_key=self.encryption.key,
                container=ContainerProps(
                    image=config.image,
                    log_group_name=config.log_group_name,
                    environment=origin_environment(config),
                    secrets={"BACKEND_TOKEN": token} if token is not None else {},
                    ecs_exec=config.task.ecs_exec,
                ),
                network=self.network,
                security_groups=self.security_groups,
                roles=roles,
                ingest=self.ingest,
                playback=self.playback,
            ),
        )
        self.origin_metrics = OriginMetrics(config.cluster_name, config.service_name)
        Autoscaling(
            self,
            "Scaling",
            AutoscalingProps(
                name=config.cluster_name,
                service=self.service,
                min_tasks=config.scaling.min_tasks,
                max_tasks=config.scaling.max_tasks,
                cpu_target_percent=config.scaling.cpu_target_percent,
                origin=self.origin_metrics,
                ecs=EcsMetrics(config.cluster_name, config.service_name),
                streams_per_task_target=config.scaling.streams_per_task_target,
                scale_in_cooldown_seconds=config.scaling.scale_in_cooldown_seconds,
                scale_out_cooldown_seconds=config.scaling.scale_out_cooldown_seconds,
            ),
        )

    def _define_viewers_side(self) -> None:
        config = self.config
        web_acl = None
        if config.viewer.waf:
            web_acl = WebAcl(
                self,
                "WebAcl",
                WebAclProps(
                    name=config.cluster_name,
                    requests_per_ip=config.viewer.waf_requests_per_ip,
                    log_retention_days=config.observability.log_retention_days,
                    encryption_key=self.viewer_encryption.key,
                ),
            )
        self.distribution = Distribution(
            self,
            "Distribution",
            DistributionProps(
                name=config.cluster_name,
                tags=config.tags,
                network=self.network,
                playback=self.playback,
                cache_policies=CachePolicies(self, "CachePolicies", CachePoliciesProps(name=config.cluster_name)),
                response_headers=ResponseHeaders(
                    self,
                    "ResponseHeaders",
                    ResponseHeadersProps(name=config.cluster_name, cors_origins=config.viewer.cors_origins),
                ),
                price_class=config.viewer.price_class,
                origin_shield_region=config.origin_shield_region,
                domain_name=config.viewer.domain_name,
                certificate_arn=config.viewer.certificate_arn,
                web_acl=web_acl,
            ),
        )
        if self.access_logs is not None:
            DistributionAccessLogs(
                self,
                "ViewerAccessLogs",
                DistributionAccessLogsProps(
                    name=config.cluster_name, distribution=self.distribution, bucket=self.access_logs
                ),
            )
        if config.dns is not None:
            DnsRecords(
                self,
                "Dns",
                DnsRecordsProps(
                    hosted_zone_id=config.dns.hosted_zone_id,
                    viewer_domain_name=config.viewer.domain_name,
                    ingest_domain_name=config.ingest.domain_name,
                    distribution=self.distribution,
                    ingest=self.ingest,
                ),
            )

    def _define_observability(self) -> None:
        config = self.config
        topic = AlarmTopic(
            self,
            "AlarmTopic",
            AlarmTopicProps(
                name=f"{config.cluster_name}-alarms",
                encryption_key=self.encryption.key,
                email=config.observability.alarm_email,
                for_events=True,
            ),
        )
        TaskRetirementNotice(
            self,
            "TaskRetirement",
            TaskRetirementNoticeProps(environment=config.name, cluster_name=config.cluster_name, topic=topic),
        )
        viewer_topic = AlarmTopic(
            self,
            "ViewerAlarmTopic",
            AlarmTopicProps(
                name=f"{config.cluster_name}-viewer-alarms",
                region=CLOUDFRONT_METRICS_REGION,
                encryption_key=self.viewer_encryption.key,
                email=config.observability.alarm_email,
            ),
        )
        ecs = EcsMetrics(config.cluster_name, config.service_name)
        ingest = NetworkLoadBalancerMetrics(self.ingest.load_balancer.arn_suffix, self.ingest.target_group.arn_suffix)
        playback = ApplicationLoadBalancerMetrics(
            self.playback.load_balancer.arn_suffix, self.playback.target_group.arn_suffix
        )
        cloudfront = CloudfrontMetrics(self.distribution.distribution.id)
        alarms = Alarms(
            self,
            "Alarms",
            AlarmsProps(
                name=config.cluster_name,
                min_tasks=config.scaling.min_tasks,
                origin=self.origin_metrics,
                ecs=ecs,
                ingest=ingest,
                playback=playback,
                cloudfront=cloudfront,
                topic=topic.topic,
                viewer_topic=viewer_topic.topic,
                made_after=[self.service.service, self.distribution.distribution],
            ),
        )
        self.dashboard = Dashboard(
            self,
            "Dashboard",
            DashboardProps(
                name=config.cluster_name,
                origin=self.origin_metrics,
                ecs=ecs,
                ingest=ingest,
                playback=playback,
                cloudfront=cloudfront,
                alarm_arns=[alarm.arn for alarm in alarms.regional],
                viewer_alarm_arns=[alarm.arn for alarm in alarms.viewers],
            ),
        )

    def _define_outputs(self) -> None:
        """The contract with the backend, with operators and with `make outputs` (DESIGN section 4)."""
        config = self.config
        ingest_host = config.ingest.domain_name or self.ingest.load_balancer.dns_name
        outputs = {
            "RTMPServerURL": f"rtmp://{ingest_host}/live",
            "RTMPSServerURL": f"rtmps://{ingest_host}:{RTMPS_PORT}/live" if config.ingest.certificate_arn else "",
            "CloudFrontURL": f"https://{self.distribution.host_name}",
            "ClusterName": self.service.cluster.name,
            "ServiceName": self.service.service.name,
            "LogGroupName": config.log_group_name,
            "DashboardName": self.dashboard.dashboard.dashboard_name,
            "RepositoryURL": config.repository_url,
        }
        for name, value in outputs.items():
            TerraformOutput(self, name, value=value, description=OUTPUT_DESCRIPTIONS[name], static_id=True)


OUTPUT_DESCRIPTIONS = {
    "RTMPServerURL": "OBS: Server (RTMP)",
    "RTMPSServerURL": "OBS: Server (RTMPS); empty while ingest.certificate_arn is not set",
    "CloudFrontURL": "Where viewers fetch /hls/<id>/master.m3u8",
    "ClusterName": "ECS cluster",
    "ServiceName": "ECS service",
    "LogGroupName": "Log group of the tasks",
    "DashboardName": "CloudWatch dashboard",
    "RepositoryURL": "ECR repository of the image",
}


def origin_environment(config: EnvironmentConfig) -> dict[str, str]:
    """The origin's settings; `container/origin` reads just these names."""
    return {
        "ENVIRONMENT": config.name,
        "BACKEND_URL": config.backend.url,
        "LEASES_TABLE": config.leases_table_name,
        "MAX_STREAMS": str(config.task.max_streams),
        "LADDER": json.dumps([rendition.model_dump() for rendition in config.hls.renditions], sort_keys=True),
        "SEGMENT_SECONDS": str(config.hls.segment_seconds),
        "PART_SECONDS": str(config.hls.part_seconds),
        "PLAYLIST_SEGMENTS": str(config.hls.playlist_segments),
        "CLUSTER_NAME": config.cluster_name,
        "SERVICE_NAME": config.service_name,
        "METRICS_NAMESPACE": ORIGIN_NAMESPACE,
        "STOP_TIMEOUT_SECONDS": str(ECS_STOP_TIMEOUT_SECONDS),
        "LOG_LEVEL": "INFO",
    }
