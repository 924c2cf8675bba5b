"""Where CloudFront fetches HLS: an internal application load balancer, reached through a VPC origin only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.lb import Lb, LbAccessLogs
from cdktf_cdktf_provider_aws.lb_listener import (
    LbListener,
    LbListenerDefaultAction,
    LbListenerDefaultActionFixedResponse,
)
from cdktf_cdktf_provider_aws.lb_listener_rule import (
    LbListenerRule,
    LbListenerRuleAction,
    LbListenerRuleCondition,
    LbListenerRuleConditionPathPattern,
)
from cdktf_cdktf_provider_aws.lb_target_group import LbTargetGroup, LbTargetGroupHealthCheck
from constructs import Construct

from constructs_lib.network.ports import HEALTH_PATH, HLS_PORT
from constructs_lib.terraform.escape_hatches import replace_with
from constructs_lib.terraform.prevent_destroy import prevent_destroy

if TYPE_CHECKING:
    from cdktf_cdktf_provider_aws.security_group import SecurityGroup

    from constructs_lib.network.vpc import Network
    from constructs_lib.storage.access_log_bucket import AccessLogBucket

ACCESS_LOG_PREFIX = "playback"
# Longer than the longest blocking playlist request, and than CloudFront keeps an idle connection.
IDLE_TIMEOUT_SECONDS = 75


@dataclass(frozen=True, kw_only=True, slots=True)
class PlaybackLoadBalancerProps:
    name: str
    network: Network
    security_group: SecurityGroup
    deletion_protection: bool
    access_log_bucket: AccessLogBucket | None
    deregistration_delay_seconds: int = 120  # as long as a task may take to stop


class PlaybackLoadBalancer(Construct):
    """Defines the balancer, its listener on 8080 and the target group of the tasks' HTTP port."""

    def __init__(self, scope: Construct, id_: str, props: PlaybackLoadBalancerProps) -> None:
        super().__init__(scope, id_)
        logs = props.access_log_bucket
        self.load_balancer = Lb(
            self,
            "Resource",
            name=props.name,
            load_balancer_type="application",
            internal=True,
            subnets=[subnet.id for subnet in props.network.private_subnets],
            security_groups=[props.security_group.id],
            drop_invalid_header_fields=True,
            xff_header_processing_mode="remove",  # as long as a viewer likes, and no task reads it
            idle_timeout=IDLE_TIMEOUT_SECONDS,
            enable_deletion_protection=props.deletion_protection,
            lifecycle=prevent_destroy(props.deletion_protection),
            access_logs=LbAccessLogs(bucket=logs.bucket.id, prefix=ACCESS_LOG_PREFIX, enabled=True) if logs else None,
            # Elastic Load Balancing tests the bucket's policy when logs are switched on.
            depends_on=[logs.policy] if logs else None,
        )
        self.target_group = LbTargetGroup(
            self,
            "TargetGroup",
            name_prefix="hls-",  # a name could not be used twice while one generation replaces the other
            vpc_id=props.network.vpc.id,
            port=HLS_PORT,
            protocol="HTTP",
            target_type="ip",
            # Blocking requests last seconds: the task with the fewest open ones is the least busy.
            load_balancing_algorithm_type="least_outstanding_requests",
            deregistration_delay=str(props.deregistration_delay_seconds),
            # Tolerant: a busy encoder may be slow to answer, and ECS kills what is unhealthy.
            health_check=LbTargetGroupHealthCheck(
                protocol="HTTP",
                path=HEALTH_PATH,
                matcher="200",
                interval=10,
                timeout=6,
                healthy_threshold=2,
                unhealthy_threshold=6,
            ),
            lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
        )
        # A group belongs to one balancer: while a new one takes over from an old one, each needs its own.
        replace_with(self.target_group, self.load_balancer, "arn")
        self.listener = LbListener(
            self,
            "Listener",
            load_balancer_arn=self.load_balancer.arn,
            port=HLS_PORT,
            protocol="HTTP",  # CloudFront's VPC origin reaches it inside AWS; viewers speak HTTPS to CloudFront
            default_action=[
                LbListenerDefaultAction(
                    type="fixed-response",
                    fixed_response=LbListenerDefaultActionFixedResponse(
                        content_type="text/plain", message_body="not found", status_code="404"
                    ),
                )
            ],
        )
        self.hls_rule = LbListenerRule(
            self,
            "HlsRule",
            listener_arn=self.listener.arn,
            priority=10,
            condition=[
                LbListenerRuleCondition(path_pattern=LbListenerRuleConditionPathPattern(values=["/hls/*", HEALTH_PATH]))
            ],
            action=[LbListenerRuleAction(type="forward", target_group_arn=self.target_group.arn)],
        )
