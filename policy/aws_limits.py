"""Our own rules for what AWS would refuse or leave behind, which Terraform finds out too late (docs/aws-limits.md)."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING

from policy import dashboard_body
from policy.references import reference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stacks.document import StackDocument

# Amazon VPC user guide, "Amazon VPC quotas": inbound, and as many outbound; a prefix list counts with all it may hold,
# AWS's own with its weight ("AWS-managed prefix lists").
RULES_PER_SECURITY_GROUP = 60
PREFIX_LIST_WEIGHTS = {"com.amazonaws.global.cloudfront.origin-facing": 55}
INSIGHTS_LOG_GROUP = "/aws/ecs/containerinsights/{cluster}/performance"
VPC_ORIGIN_MINUTES = 40


def dashboard_body_valid(stack: StackDocument) -> Iterator[tuple[str, str]]:
    for address, dashboard in stack.resources("aws_cloudwatch_dashboard").items():
        for problem in dashboard_body.problems(json.loads(dashboard["dashboard_body"])):
            yield address, problem


def security_group_size(stack: StackDocument) -> Iterator[tuple[str, str]]:
    """Everything in the group counts, in each direction."""
    lists = stack.data_sources("aws_ec2_managed_prefix_list")
    for direction in ("ingress", "egress"):
        weights: Counter[str] = Counter()
        for rule in stack.resources(f"aws_vpc_security_group_{direction}_rule").values():
            prefix_list = lists.get(reference(rule.get("prefix_list_id", "")), {})
            weights[reference(rule["security_group_id"])] += PREFIX_LIST_WEIGHTS.get(str(prefix_list.get("name")), 1)
        for group, weight in weights.items():
            if weight > RULES_PER_SECURITY_GROUP:
                yield group, f"has {weight} {direction} rules: AWS takes {RULES_PER_SECURITY_GROUP}"


def vpc_origin_replaced(stack: StackDocument) -> Iterator[tuple[str, str]]:
    """AWS refuses to change or delete it while a distribution uses it, and takes its time."""
    for address, origin in stack.resources("aws_cloudfront_vpc_origin").items():
        lifecycle = origin.get("lifecycle", {})
        if not (lifecycle.get("create_before_destroy") and lifecycle.get("replace_triggered_by")):
            yield (
                address,
                "would be changed in place or go before its successor (create_before_destroy, replace_triggered_by)",
            )
        patience = origin.get("timeouts", {})
        for step in ("create", "update", "delete"):
            minutes = re.fullmatch(r"(\d+)m", patience.get(step, "15m"))
            if minutes is None or int(minutes[1]) < VPC_ORIGIN_MINUTES:
                yield address, f"is given up on too early (timeouts.{step}, {VPC_ORIGIN_MINUTES}m)"
    for address, distribution in stack.resources("aws_cloudfront_distribution").items():
        if distribution.get("wait_for_deployment") is False:
            yield address, "does not wait until no edge asks its old origin (wait_for_deployment)"


def zone_looked_up(stack: StackDocument) -> Iterator[tuple[str, str]]:
    """A letter says nothing: each subnet's zone is looked up and checked before anything is made."""
    checked = {
        zone.get("name")
        for zone in stack.data_sources("aws_availability_zone").values()
        if zone.get("lifecycle", {}).get("postcondition")
    }
    for address, subnet in stack.resources("aws_subnet").items():
        if subnet.get("availability_zone") not in checked:
            yield address, f"is in {subnet.get('availability_zone')}, which nothing checks for VPC origins"


def insights_log_group_made(stack: StackDocument) -> Iterator[tuple[str, str]]:
    """Container Insights makes the group itself otherwise: not encrypted, and left behind."""
    groups = {group.get("name"): address for address, group in stack.resources("aws_cloudwatch_log_group").items()}
    for address, cluster in stack.resources("aws_ecs_cluster").items():
        if not any(
            setting["name"] == "containerInsights" and setting["value"] != "disabled"
            for setting in cluster.get("setting", [])
        ):
            continue
        group = groups.get(INSIGHTS_LOG_GROUP.format(cluster=cluster["name"]))
        if group is None or group not in cluster.get("depends_on", []):
            yield address, "does not wait for a log group of ours for Container Insights"


def bucket_cleans_up(stack: StackDocument) -> Iterator[tuple[str, str]]:
    """Old versions, marks of deletions and unfinished uploads are paid for, and nobody sees them."""
    rules = {
        reference(configuration["bucket"]): configuration["rule"]
        for configuration in stack.resources("aws_s3_bucket_lifecycle_configuration").values()
    }
    for address in stack.resources("aws_s3_bucket"):
        enabled = [rule for rule in rules.get(address, []) if rule["status"] == "Enabled"]
        expirations = [each for rule in enabled for each in rule.get("expiration", [])]
        if not any(rule.get("abort_incomplete_multipart_upload") for rule in enabled):
            yield address, "keeps unfinished uploads"
        if not any(rule.get("noncurrent_version_expiration") for rule in enabled):
            yield address, "keeps old versions for ever"
        if not any(each.get("days") or each.get("expired_object_delete_marker") for each in expirations):
            yield address, "keeps the marks of deletions"
        if any(each.get("days") and each.get("expired_object_delete_marker") for each in expirations):
            yield address, "has days and expired_object_delete_marker in one expiration, which S3 refuses"
