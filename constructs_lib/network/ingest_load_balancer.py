"""Where streamers publish: a network load balancer for RTMP, and for RTMPS when there is a certificate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.lb import Lb, LbAccessLogs
from cdktf_cdktf_provider_aws.lb_listener import LbListener, LbListenerDefaultAction
from cdktf_cdktf_provider_aws.lb_target_group import (
    LbTargetGroup,
    LbTargetGroupHealthCheck,
    LbTargetGroupTargetHealthState,
)
from constructs import Construct

from constructs_lib.network.ports import HEALTH_PATH, HLS_PORT, RTMP_PORT, RTMPS_PORT
from constructs_lib.terraform.prevent_destroy import prevent_destroy

if TYPE_CHECKING:
    from cdktf_cdktf_provider_aws.security_group import SecurityGroup

    from constructs_lib.network.vpc import Network
    from constructs_lib.storage.access_log_bucket import AccessLogBucket

ACCESS_LOG_PREFIX = "ingest"


@dataclass(frozen=True, kw_only=True, slots=True)
class IngestLoadBalancerProps:
    name: str
    network: Network
    security_group: SecurityGroup
    deletion_protection: bool
    rtmps_certificate_arn: str | None
    access_log_bucket: AccessLogBucket | None
    deregistration_delay_seconds: int = 300


class IngestLoadBalancer(Construct):
    """Defines the internet-facing balancer, its listeners and the target group of port 1935."""

    def __init__(self, scope: Construct, id_: str, props: IngestLoadBalancerProps) -> None:
        super().__init__(scope, id_)
        # AWS writes access logs of a network load balancer for its TLS listeners only.
        logs = props.access_log_bucket if props.rtmps_certificate_arn is not None else None
        self.load_balancer = Lb(
            self,
            "Resource",
            name=props.name,
            load_balancer_type="network",
            internal=False,
            subnets=[subnet.id for subnet in props.network.public_subnets],
            # From day one: adding the first group later replaces the balancer and changes every streamer's URL.
            security_groups=[props.security_group.id],
            # A zone may hold no task; without it the addresses of that zone would lead nowhere.
            enable_cross_zone_load_balancing=True,
            enable_deletion_protection=props.deletion_protection,
            lifecycle=prevent_destroy(props.deletion_protection),
            access_logs=LbAccessLogs(bucket=logs.bucket.id, prefix=ACCESS_LOG_PREFIX, enabled=True) if logs else None,
            # Elastic Load Balancing tests the bucket's policy when logs are switched on.
            depends_on=[props.network.internet_gateway, *([logs.policy] if logs else [])],
        )
        self.target_group = LbTargetGroup(
            self,
            "TargetGroup",
            name_prefix="rtmp-",  # a name could not be used twice while one generation replaces the other
            vpc_id=props.network.vpc.id,
            port=RTMP_PORT,
            protocol="TCP",
            target_type="ip",
            preserve_client_ip="true",  # off by default for ip targets: hooks and logs would show the balancer
            deregistration_delay=str(props.deregistration_delay_seconds),
            connection_termination=False,  # a draining task keeps its broadcasts until they end
            # One missed health check must not reset live publishers (AWS's default does).
            target_health_state=[
                LbTargetGroupTargetHealthState(
                    enable_unhealthy_connection_termination=False, unhealthy_draining_interval=0
                )
            ],
            # Tolerant: a busy encoder may be slow to answer, and ECS kills what is unhealthy.
            health_check=LbTargetGroupHealthCheck(
                protocol="HTTP",
                port=str(HLS_PORT),
                path=HEALTH_PATH,
                matcher="200",
                interval=10,
                timeout=6,
                healthy_threshold=2,
                unhealthy_threshold=6,
            ),
            lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
        )
        forward = [LbListenerDefaultAction(type="forward", target_group_arn=self.target_group.arn)]
        self.listeners = [
            LbListener(
                self,
                "RtmpListener",
                load_balancer_arn=self.load_balancer.arn,
                port=RTMP_PORT,
                protocol="TCP",
                default_action=forward,
            )
        ]
        if props.rtmps_certificate_arn is not None:
            self.listeners.append(
                LbListener(
                    self,
                    "RtmpsListener",
                    load_balancer_arn=self.load_balancer.arn,
                    port=RTMPS_PORT,
                    protocol="TLS",
                    certificate_arn=props.rtmps_certificate_arn,
                    ssl_policy="ELBSecurityPolicy-TLS13-1-2-2021-06",
                    default_action=forward,
                )
            )
