"""The optional web application firewall in front of viewers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.wafv2_web_acl import (
    Wafv2WebAcl,
    Wafv2WebAclDefaultAction,
    Wafv2WebAclDefaultActionAllow,
    Wafv2WebAclRule,
    Wafv2WebAclRuleAction,
    Wafv2WebAclRuleActionBlock,
    Wafv2WebAclRuleOverrideAction,
    Wafv2WebAclRuleOverrideActionNone,
    Wafv2WebAclRuleVisibilityConfig,
    Wafv2WebAclVisibilityConfig,
)
from cdktf_cdktf_provider_aws.wafv2_web_acl_logging_configuration import (
    Wafv2WebAclLoggingConfiguration,
    Wafv2WebAclLoggingConfigurationLoggingFilter,
    Wafv2WebAclLoggingConfigurationLoggingFilterFilter,
    Wafv2WebAclLoggingConfigurationLoggingFilterFilterCondition,
    Wafv2WebAclLoggingConfigurationLoggingFilterFilterConditionActionCondition,
)
from constructs import Construct

from constructs_lib.observability.log_group import LogGroup, LogGroupProps

if TYPE_CHECKING:
    from cdktf_cdktf_provider_aws.kms_key import KmsKey

WAF_REGION = "us-east-1"  # where web ACLs for CloudFront live
MANAGED_RULE_GROUPS = ("AWSManagedRulesAmazonIpReputationList", "AWSManagedRulesKnownBadInputsRuleSet")


@dataclass(frozen=True, kw_only=True, slots=True)
class WebAclProps:
    name: str
    requests_per_ip: int  # in five minutes
    log_retention_days: int
    encryption_key: KmsKey  # in us-east-1


class WebAcl(Construct):
    """Defines a web ACL: AWS's reputation and bad-input rules, a rate limit, and a log of what was blocked."""

    def __init__(self, scope: Construct, id_: str, props: WebAclProps) -> None:
        super().__init__(scope, id_)
        rules = [_managed_rule(priority, name) for priority, name in enumerate(MANAGED_RULE_GROUPS)]
        rules.append(_rate_rule(len(rules), props.requests_per_ip))
        self.acl = Wafv2WebAcl(
            self,
            "Resource",
            region=WAF_REGION,
            name=props.name,
            description="Viewers of live broadcasts",
            scope="CLOUDFRONT",
            # Goes only after the distribution has let go of it, also when the firewall is turned off.
            lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
            default_action=Wafv2WebAclDefaultAction(allow=Wafv2WebAclDefaultActionAllow()),
            rule=rules,
            visibility_config=Wafv2WebAclVisibilityConfig(
                cloudwatch_metrics_enabled=True, metric_name=props.name, sampled_requests_enabled=True
            ),
        )
        log_group = LogGroup(
            self,
            "LogGroup",
            LogGroupProps(
                region=WAF_REGION,
                name=f"aws-waf-logs-{props.name}",  # WAF writes to groups with this beginning only
                retention_days=props.log_retention_days,
                encryption_key=props.encryption_key,
            ),
        ).log_group
        Wafv2WebAclLoggingConfiguration(
            self,
            "Logging",
            region=WAF_REGION,
            resource_arn=self.acl.arn,
            log_destination_configs=[log_group.arn],
            # Viewers ask several times a second: a log of all of it would cost more than the stream.
            logging_filter=Wafv2WebAclLoggingConfigurationLoggingFilter(
                default_behavior="DROP",
                filter=[
                    Wafv2WebAclLoggingConfigurationLoggingFilterFilter(
                        behavior="KEEP",
                        requirement="MEETS_ANY",
                        condition=[
                            Wafv2WebAclLoggingConfigurationLoggingFilterFilterCondition(
                                action_condition=Wafv2WebAclLoggingConfigurationLoggingFilterFilterConditionActionCondition(
                                    action="BLOCK"
                                )
                            )
                        ],
                    )
                ],
            ),
        )


def _managed_rule(priority: int, name: str) -> Wafv2WebAclRule:
    return Wafv2WebAclRule(
        name=name,
        priority=priority,
        override_action=Wafv2WebAclRuleOverrideAction(none=Wafv2WebAclRuleOverrideActionNone()),
        statement=_statement("managed_rule_group_statement", vendor_name="AWS", name=name),
        visibility_config=_visibility(name),
    )


def _rate_rule(priority: int, requests_per_ip: int) -> Wafv2WebAclRule:
    return Wafv2WebAclRule(
        name="RateLimit",
        priority=priority,
        action=Wafv2WebAclRuleAction(block=Wafv2WebAclRuleActionBlock()),
        statement=_statement(
            "rate_based_statement", limit=requests_per_ip, aggregate_key_type="IP", evaluation_window_sec=300
        ),
        visibility_config=_visibility("RateLimit"),
    )


def _statement(kind: str, **arguments: Any) -> dict[str, Any]:
    """A rule's statement: the bindings take it as it stands in Terraform JSON (its type is recursive)."""
    return {kind: arguments}


def _visibility(metric_name: str) -> Wafv2WebAclRuleVisibilityConfig:
    return Wafv2WebAclRuleVisibilityConfig(
        cloudwatch_metrics_enabled=True, metric_name=metric_name, sampled_requests_enabled=True
    )
