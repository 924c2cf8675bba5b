"""Our own rules, where checkov is blind on Terraform JSON.

It does not read container definitions and policies inside strings, nor the protocol of single security group rules; and
it has no rule for what is particular to live streaming.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from policy import aws_limits
from policy.findings import Finding
from policy.references import reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from stacks.document import Json, StackDocument

RTMP_PORT = 1935
BAD_REQUEST = 400
CLOUDFRONT_PREFIX_LIST = "com.amazonaws.global.cloudfront.origin-facing"
FARGATE_STOP_TIMEOUT_SECONDS = 120
DEFAULT_STOP_TIMEOUT_SECONDS = 30  # of ECS, when the definition names none


def check_rules(stacks: Sequence[StackDocument]) -> list[Finding]:
    """Apply every rule to every stack."""
    return [
        Finding(check=name, stack=stack.name, address=address, message=message)
        for stack in stacks
        for name, rule in RULES.items()
        for address, message in rule(stack)
    ]


def _containers(stack: StackDocument) -> Iterator[tuple[str, Json]]:
    for address, task in stack.resources("aws_ecs_task_definition").items():
        for container in json.loads(task["container_definitions"]):
            yield address, container


def container_not_privileged(stack: StackDocument) -> Iterator[tuple[str, str]]:
    for address, container in _containers(stack):
        if container.get("privileged"):
            yield address, f"container {container['name']} is privileged"


def container_read_only_root(stack: StackDocument) -> Iterator[tuple[str, str]]:
    for address, container in _containers(stack):
        if container.get("readonlyRootFilesystem") is not True:
            yield address, f"container {container['name']} can write to its root file system"


def container_user(stack: StackDocument) -> Iterator[tuple[str, str]]:
    for address, container in _containers(stack):
        user = str(container.get("user", ""))
        if user.partition(":")[0] in ("", "0", "root"):
            yield address, f"container {container['name']} runs as root (user {user!r})"


def container_capabilities(stack: StackDocument) -> Iterator[tuple[str, str]]:
    for address, container in _containers(stack):
        capabilities = container.get("linuxParameters", {}).get("capabilities", {})
        if capabilities.get("drop") != ["ALL"] or capabilities.get("add"):
            yield address, f"container {container['name']} keeps Linux capabilities"


def image_pinned(stack: StackDocument) -> Iterator[tuple[str, str]]:
    for address, container in _containers(stack):
        name = str(container["image"]).rpartition("/")[2]
        if "@sha256:" not in name and name.partition(":")[2] in ("", "latest"):
            yield address, f"image {container['image']} has no tag, or the tag latest"


def stop_timeout(stack: StackDocument) -> Iterator[tuple[str, str]]:
    for address, container in _containers(stack):
        seconds = container.get("stopTimeout", DEFAULT_STOP_TIMEOUT_SECONDS)
        if seconds > FARGATE_STOP_TIMEOUT_SECONDS:
            yield address, f"stopTimeout {seconds} s is above Fargate's {FARGATE_STOP_TIMEOUT_SECONDS} s"


def deregistration_delay(stack: StackDocument) -> Iterator[tuple[str, str]]:
    longest = max(
        (container.get("stopTimeout", DEFAULT_STOP_TIMEOUT_SECONDS) for _, container in _containers(stack)), default=0
    )
    for address, group in stack.resources("aws_lb_target_group").items():
        seconds = int(group.get("deregistration_delay", 300))
        if seconds < longest:
            yield address, f"deregistration delay {seconds} s is below the container's stopTimeout of {longest} s"


def policy_readable(stack: StackDocument) -> Iterator[tuple[str, str]]:
    """A policy as a JSON string is out of checkov's sight: it must come from an aws_iam_policy_document."""
    for type_, named in stack.document.get("resource", {}).items():
        if type_ == "aws_ecr_lifecycle_policy":  # rules about ages of images, no access policy
            continue
        for name, arguments in named.items():
            for key in ("policy", "assume_role_policy"):
                text = arguments.get(key)
                if text is not None and not re.fullmatch(r"\$\{data\.aws_iam_policy_document\.[^}]+\}", str(text)):
                    yield f"{type_}.{name}", f"{key} is no reference to an aws_iam_policy_document"


def no_inline_rules(stack: StackDocument) -> Iterator[tuple[str, str]]:
    for address, group in stack.resources("aws_security_group").items():
        if group.get("ingress") or group.get("egress"):
            yield address, "has inline rules; single rules with descriptions are what is reviewed"


def egress_protocol(stack: StackDocument) -> Iterator[tuple[str, str]]:
    for address, rule in stack.resources("aws_vpc_security_group_egress_rule").items():
        if str(rule.get("ip_protocol")) in ("-1", "all"):
            yield address, "lets every protocol and port out"


def rtmp_only_on_ingest_balancer(stack: StackDocument) -> Iterator[tuple[str, str]]:
    """Only a network load balancer's group may take RTMP from addresses; tasks take it from that group."""
    open_groups = _groups_of_balancers(stack, "network")
    for address, rule in stack.resources("aws_vpc_security_group_ingress_rule").items():
        from_addresses = any(rule.get(key) for key in ("cidr_ipv4", "cidr_ipv6", "prefix_list_id"))
        if from_addresses and _covers(rule, RTMP_PORT) and reference(rule["security_group_id"]) not in open_groups:
            yield address, f"opens {RTMP_PORT} to addresses on something other than the network load balancer"


def playback_only_from_cloudfront(stack: StackDocument) -> Iterator[tuple[str, str]]:
    for address, balancer in _balancers(stack, "application").items():
        if balancer.get("internal") is not True:
            yield address, "is not internal: viewers could go round CloudFront"
    groups = _groups_of_balancers(stack, "application")
    cloudfront = {
        address
        for address, prefix_list in stack.data_sources("aws_ec2_managed_prefix_list").items()
        if prefix_list.get("name") == CLOUDFRONT_PREFIX_LIST
    }
    for address, rule in stack.resources("aws_vpc_security_group_ingress_rule").items():
        if reference(rule["security_group_id"]) not in groups:
            continue
        if reference(rule.get("prefix_list_id", "")) not in cloudfront:
            yield address, "lets something other than CloudFront reach the playback load balancer"


def viewer_headers_end_at_cloudfront(stack: StackDocument) -> Iterator[tuple[str, str]]:
    """A header that no task needs can only do harm: too long, it makes an error that others get from a cache."""
    for address, policy in stack.resources("aws_cloudfront_cache_policy").items():
        if _forwards(policy["parameters_in_cache_key_and_forwarded_to_origin"]):
            yield address, "passes headers or cookies of viewers on, and varies on them"
    for address, policy in stack.resources("aws_cloudfront_origin_request_policy").items():
        if _forwards(policy):
            yield address, "passes headers or cookies of viewers on"
    ours = ("aws_cloudfront_cache_policy.", "aws_cloudfront_origin_request_policy.")
    for address, distribution in stack.resources("aws_cloudfront_distribution").items():
        behaviors = [distribution["default_cache_behavior"], *distribution.get("ordered_cache_behavior", [])]
        for behavior in behaviors:
            named = [behavior[key] for key in ("cache_policy_id", "origin_request_policy_id") if behavior.get(key)]
            if behavior.get("forwarded_values") or not all(reference(id_).startswith(ours) for id_ in named):
                path = behavior.get("path_pattern", "*")
                yield address, f"has a behaviour ({path}) that may pass on what no policy of this stack names"
    for address, balancer in _balancers(stack, "application").items():
        if balancer.get("xff_header_processing_mode") != "remove":
            yield address, "passes X-Forwarded-For on, which CloudFront lets viewers begin"


def bad_request_not_cached(stack: StackDocument) -> Iterator[tuple[str, str]]:
    """CloudFront would give one viewer's 400 to all for ten seconds, whatever the origin says of caching it."""
    for address, distribution in stack.resources("aws_cloudfront_distribution").items():
        seconds = {
            response["error_code"]: response.get("error_caching_min_ttl")
            for response in distribution.get("custom_error_response", [])
        }
        if seconds.get(BAD_REQUEST) != 0:
            yield address, "keeps a bad request's answer for others (error_caching_min_ttl of 400 is not 0)"


def _forwards(parameters: Json) -> bool:
    """Whether a cache policy or an origin request policy lets any header or cookie through."""
    headers = parameters.get("headers_config", {}).get("header_behavior", "none")
    cookies = parameters.get("cookies_config", {}).get("cookie_behavior", "none")
    return (headers, cookies) != ("none", "none")


def _alarms(stack: StackDocument) -> dict[str, Json]:
    """Those for people. An alarm that drives autoscaling is a part of that: it rings when all is well."""
    return {
        address: alarm
        for address, alarm in stack.resources("aws_cloudwatch_metric_alarm").items()
        if not all(reference(str(action)).startswith("aws_appautoscaling_policy.") for action in _actions(alarm))
    }


def _actions(alarm: Json) -> list[object]:
    return list(alarm.get("alarm_actions") or [""])


def alarm_has_action(stack: StackDocument) -> Iterator[tuple[str, str]]:
    for address, alarm in _alarms(stack).items():
        if not alarm.get("alarm_actions") or alarm.get("actions_enabled") is False:
            yield address, "tells nobody: it has no action"


def alarm_treats_missing_data(stack: StackDocument) -> Iterator[tuple[str, str]]:
    for address, alarm in _alarms(stack).items():
        if alarm.get("treat_missing_data") not in ("breaching", "notBreaching", "ignore"):
            yield address, "does not say what silence means (treat_missing_data)"


def alarm_on_dashboard(stack: StackDocument) -> Iterator[tuple[str, str]]:
    bodies = " ".join(
        str(dashboard["dashboard_body"]) for dashboard in stack.resources("aws_cloudwatch_dashboard").values()
    )
    for address in _alarms(stack):
        if f"${{{address}.arn}}" not in bodies:
            yield address, "is on no dashboard"


def _balancers(stack: StackDocument, type_: str) -> dict[str, Json]:
    return {
        address: balancer
        for address, balancer in stack.resources("aws_lb").items()
        if balancer.get("load_balancer_type", "application") == type_
    }


def _groups_of_balancers(stack: StackDocument, type_: str) -> set[str]:
    return {
        reference(group)
        for balancer in _balancers(stack, type_).values()
        for group in balancer.get("security_groups", [])
    }


def _covers(rule: Json, port: int) -> bool:
    if str(rule.get("ip_protocol")) in ("-1", "all"):
        return True
    return int(rule.get("from_port", 0)) <= port <= int(rule.get("to_port", 65535))


RULES: dict[str, Callable[[StackDocument], Iterator[tuple[str, str]]]] = {
    "container-not-privileged": container_not_privileged,
    "container-read-only-root": container_read_only_root,
    "container-user": container_user,
    "container-capabilities": container_capabilities,
    "image-pinned": image_pinned,
    "stop-timeout": stop_timeout,
    "deregistration-delay": deregistration_delay,
    "policy-readable": policy_readable,
    "no-inline-rules": no_inline_rules,
    "egress-protocol": egress_protocol,
    "rtmp-only-on-ingest-balancer": rtmp_only_on_ingest_balancer,
    "playback-only-from-cloudfront": playback_only_from_cloudfront,
    "viewer-headers-end-at-cloudfront": viewer_headers_end_at_cloudfront,
    "bad-request-not-cached": bad_request_not_cached,
    "alarm-has-action": alarm_has_action,
    "alarm-treats-missing-data": alarm_treats_missing_data,
    "alarm-on-dashboard": alarm_on_dashboard,
    "dashboard-body": aws_limits.dashboard_body_valid,
    "security-group-size": aws_limits.security_group_size,
    "vpc-origin-replaced": aws_limits.vpc_origin_replaced,
    "zone-looked-up": aws_limits.zone_looked_up,
    "insights-log-group": aws_limits.insights_log_group_made,
    "bucket-cleans-up": aws_limits.bucket_cleans_up,
}
