"""Our own rules: each finds what it is for, and finds nothing in the stacks as they are."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING

import pytest

from policy.rules import RULES, check_rules
from stacks.document import StackDocument

if TYPE_CHECKING:
    from collections.abc import Callable

    from stacks.document import Json
    from tests.template import Template

NAME = "LiveCommerceStreamingStack-everything"


def only(document: Json, type_: str, id_start: str = "") -> Json:
    (found,) = [one for id_, one in document["resource"][type_].items() if id_.startswith(id_start)]
    assert isinstance(found, dict)
    return found


def edit_container(document: Json, change: Callable[[Json], object]) -> None:
    task = only(document, "aws_ecs_task_definition")
    (container,) = json.loads(task["container_definitions"])
    change(container)
    task["container_definitions"] = json.dumps([container])


def violations(document: Json) -> list[tuple[str, str]]:
    findings = check_rules([StackDocument(name=NAME, document=document)])
    return [(finding.check, finding.address.partition(".")[0]) for finding in findings]


TASK = "aws_ecs_task_definition"
INGRESS = "aws_vpc_security_group_ingress_rule"
EGRESS = "aws_vpc_security_group_egress_rule"
ALARM = "aws_cloudwatch_metric_alarm"
CACHE = "aws_cloudfront_cache_policy"
DISTRIBUTION = "aws_cloudfront_distribution"
HEADERS = "viewer-headers-end-at-cloudfront"
MANAGED_ALL_VIEWER = "216adef6-5c7f-47e4-b989-5492eafa07d3"  # Managed-AllViewer


def forwarded(document: Json) -> Json:
    policy = only(document, CACHE, "CachePolicies_Media")
    return dict(policy["parameters_in_cache_key_and_forwarded_to_origin"])


def default_behavior(document: Json) -> Json:
    behavior = only(document, DISTRIBUTION)["default_cache_behavior"]
    assert isinstance(behavior, dict)
    return behavior


def bad_request(document: Json) -> Json:
    (response,) = [each for each in only(document, DISTRIBUTION)["custom_error_response"] if each["error_code"] == 400]
    assert isinstance(response, dict)
    return response


DASHBOARD = "aws_cloudwatch_dashboard"
VPC_ORIGIN = "aws_cloudfront_vpc_origin"
LIFECYCLE = "aws_s3_bucket_lifecycle_configuration"


def edit_dashboard(document: Json, change: Callable[[list[Json]], object]) -> None:
    dashboard = only(document, DASHBOARD)
    body = json.loads(dashboard["dashboard_body"])
    change(body["widgets"])
    dashboard["dashboard_body"] = json.dumps(body)


def metric_widget(widgets: list[Json]) -> Json:
    """The properties of the second widget with nothing but metrics; the first has expressions."""
    found = [widget["properties"] for widget in widgets if "metrics" in widget["properties"]][1]
    assert isinstance(found, dict)
    return found


def alarm_widget(widgets: list[Json]) -> Json:
    (found,) = [widget["properties"] for widget in widgets if "annotations" in widget["properties"]]
    assert isinstance(found, dict)
    return found


def add_rules(document: Json, type_: str, like: str, count: int) -> None:
    rule = only(document, type_, like)
    document["resource"][type_].update({f"More{number}": rule for number in range(count)})


def stop_later_than_fargate_allows(document: Json) -> None:
    edit_container(document, lambda container: container.update(stopTimeout=121))
    # Or the deregistration delay would be too short as well, by another rule.
    only(document, "aws_lb_target_group", "Playback").update(deregistration_delay="300")


# rule -> (how to break it, the type that it must blame); a rule may have several ways
BREAKS: list[tuple[str, str, Callable[[Json], object]]] = [
    ("container-not-privileged", TASK, lambda d: edit_container(d, lambda c: c.update(privileged=True))),
    ("container-read-only-root", TASK, lambda d: edit_container(d, lambda c: c.update(readonlyRootFilesystem=False))),
    ("container-read-only-root", TASK, lambda d: edit_container(d, lambda c: c.pop("readonlyRootFilesystem"))),
    ("container-user", TASK, lambda d: edit_container(d, lambda c: c.update(user="0:0"))),
    ("container-user", TASK, lambda d: edit_container(d, lambda c: c.pop("user"))),
    (
        "container-capabilities",
        TASK,
        lambda d: edit_container(d, lambda c: c["linuxParameters"]["capabilities"].update(add=["SYS_ADMIN"])),
    ),
    ("container-capabilities", TASK, lambda d: edit_container(d, lambda c: c.pop("linuxParameters"))),
    ("image-pinned", TASK, lambda d: edit_container(d, lambda c: c.update(image="registry.example:5000/image"))),
    ("image-pinned", TASK, lambda d: edit_container(d, lambda c: c.update(image="registry.example/image:latest"))),
    ("stop-timeout", TASK, stop_later_than_fargate_allows),
    (
        "deregistration-delay",
        "aws_lb_target_group",
        lambda d: only(d, "aws_lb_target_group", "Ingest").update(deregistration_delay="119"),
    ),
    ("policy-readable", "aws_iam_role_policy", lambda d: only(d, "aws_iam_role_policy", "FlowLog").update(policy="{}")),
    (
        "policy-readable",
        "aws_iam_role",
        lambda d: only(d, "aws_iam_role", "Roles_Task").update(assume_role_policy='${jsonencode({"a" = 1})}'),
    ),
    (
        "no-inline-rules",
        "aws_security_group",
        lambda d: only(d, "aws_security_group", "SecurityGroups_Task").update(egress=[{"protocol": "-1"}]),
    ),
    ("egress-protocol", EGRESS, lambda d: only(d, EGRESS, "SecurityGroups_TaskToHttps").update(ip_protocol="-1")),
    (
        "rtmp-only-on-ingest-balancer",
        INGRESS,
        lambda d: replace_peer(only(d, INGRESS, "SecurityGroups_TaskRtmp"), cidr_ipv4="0.0.0.0/0"),
    ),
    (
        "rtmp-only-on-ingest-balancer",
        INGRESS,
        lambda d: replace_peer(only(d, INGRESS, "SecurityGroups_TaskHls"), cidr_ipv6="::/0", ip_protocol="-1"),
    ),
    (
        "rtmp-only-on-ingest-balancer",
        INGRESS,
        lambda d: replace_peer(only(d, INGRESS, "SecurityGroups_TaskRtmp"), prefix_list_id="pl-0123456789abcdef0"),
    ),
    (
        "playback-only-from-cloudfront",
        INGRESS,
        lambda d: replace_peer(only(d, INGRESS, "SecurityGroups_HlsFromCloudfront"), cidr_ipv4="10.0.0.0/8"),
    ),
    (
        "playback-only-from-cloudfront",
        INGRESS,
        lambda d: only(d, INGRESS, "SecurityGroups_HlsFromCloudfront").update(prefix_list_id="pl-12345678"),
    ),
    ("playback-only-from-cloudfront", "aws_lb", lambda d: only(d, "aws_lb", "Playback").update(internal=False)),
    (HEADERS, CACHE, lambda d: forwarded(d)["headers_config"].update(header_behavior="whitelist")),
    (HEADERS, CACHE, lambda d: forwarded(d)["cookies_config"].update(cookie_behavior="all")),
    (
        HEADERS,
        "aws_cloudfront_origin_request_policy",
        lambda d: d["resource"].update(
            aws_cloudfront_origin_request_policy={"All": {"headers_config": {"header_behavior": "allViewer"}}}
        ),
    ),
    (HEADERS, DISTRIBUTION, lambda d: default_behavior(d).update(origin_request_policy_id=MANAGED_ALL_VIEWER)),
    (HEADERS, DISTRIBUTION, lambda d: default_behavior(d).update(cache_policy_id=MANAGED_ALL_VIEWER)),
    (HEADERS, DISTRIBUTION, lambda d: default_behavior(d).update(forwarded_values={"headers": ["*"]})),
    (HEADERS, "aws_lb", lambda d: only(d, "aws_lb", "Playback").update(xff_header_processing_mode="append")),
    (HEADERS, "aws_lb", lambda d: only(d, "aws_lb", "Playback").pop("xff_header_processing_mode")),
    ("bad-request-not-cached", DISTRIBUTION, lambda d: bad_request(d).update(error_caching_min_ttl=1)),
    ("bad-request-not-cached", DISTRIBUTION, lambda d: bad_request(d).pop("error_caching_min_ttl")),
    ("bad-request-not-cached", DISTRIBUTION, lambda d: bad_request(d).update(error_code=404)),
    ("alarm-has-action", ALARM, lambda d: only(d, ALARM, "Alarms_CpuHigh").update(alarm_actions=[])),
    ("alarm-has-action", ALARM, lambda d: only(d, ALARM, "Alarms_CpuHigh").update(actions_enabled=False)),
    ("alarm-treats-missing-data", ALARM, lambda d: only(d, ALARM, "Alarms_CpuHigh").pop("treat_missing_data")),
    (
        "alarm-treats-missing-data",
        ALARM,
        lambda d: only(d, ALARM, "Alarms_CpuHigh").update(treat_missing_data="missing"),
    ),
    *(
        ("dashboard-body", DASHBOARD, lambda d, change=change: edit_dashboard(d, change))
        for change in (
            lambda widgets: metric_widget(widgets).update(annotations={"alarms": ["arn"]}),
            lambda widgets: alarm_widget(widgets)["annotations"]["alarms"].append("arn"),
            lambda widgets: widgets.append({"type": "metric", "properties": {"region": "us-east-1"}}),
            lambda widgets: metric_widget(widgets).update(colour="red"),
            lambda widgets: metric_widget(widgets).pop("region"),
            lambda widgets: metric_widget(widgets).update(view="chart"),
            lambda widgets: metric_widget(widgets)["yAxis"].update(middle={}),
            lambda widgets: metric_widget(widgets)["metrics"][0].insert(2, "ClusterName"),
            lambda widgets: metric_widget(widgets)["metrics"][0][-1].update(unit="Count"),
            lambda widgets: metric_widget(widgets)["metrics"][0][-1].update(expression="1"),
            lambda widgets: metric_widget(widgets)["metrics"][0][-1].update(id="Upper"),
            lambda widgets: metric_widget(widgets)["metrics"][0][-1].update(yAxis="top"),
            lambda widgets: metric_widget(widgets).update(metrics=metric_widget(widgets)["metrics"][:1] * 101),
            lambda widgets: widgets[1].update(type="graph"),
            lambda widgets: widgets[1].update(x=17),
            lambda widgets: widgets[0]["properties"]["alarms"].extend(str(number) for number in range(100)),
            lambda widgets: widgets.extend([{"type": "text", "properties": {"markdown": "x"}}] * 500),
            lambda widgets: widgets.append({"type": "text", "properties": {}}),
        )
    ),
    (
        "security-group-size",
        "aws_security_group",
        lambda d: add_rules(d, INGRESS, "SecurityGroups_HlsFromCloudfront", 1),
    ),
    ("security-group-size", "aws_security_group", lambda d: add_rules(d, EGRESS, "SecurityGroups_PlaybackToTask", 60)),
    (
        "vpc-origin-replaced",
        VPC_ORIGIN,
        lambda d: only(d, VPC_ORIGIN)["lifecycle"].pop("replace_triggered_by"),
    ),
    ("vpc-origin-replaced", VPC_ORIGIN, lambda d: only(d, VPC_ORIGIN)["lifecycle"].pop("create_before_destroy")),
    ("vpc-origin-replaced", VPC_ORIGIN, lambda d: only(d, VPC_ORIGIN)["timeouts"].update(delete="39m")),
    ("vpc-origin-replaced", VPC_ORIGIN, lambda d: only(d, VPC_ORIGIN)["timeouts"].pop("create")),
    (
        "vpc-origin-replaced",
        "aws_cloudfront_distribution",
        lambda d: only(d, "aws_cloudfront_distribution").update(wait_for_deployment=False),
    ),
    (
        "zone-looked-up",
        "aws_subnet",
        lambda d: only(d, "aws_subnet", "Network_PrivateSubnetA").update(availability_zone="eu-west-3d"),
    ),
    (
        "insights-log-group",
        "aws_ecs_cluster",
        lambda d: only(d, "aws_cloudwatch_log_group", "InsightsLogs").update(name="/aws/ecs/containerinsights/other"),
    ),
    ("insights-log-group", "aws_ecs_cluster", lambda d: only(d, "aws_ecs_cluster").update(depends_on=[])),
    *(
        ("bucket-cleans-up", "aws_s3_bucket", lambda d, key=key: only(d, LIFECYCLE)["rule"][0].pop(key))
        for key in ("abort_incomplete_multipart_upload", "noncurrent_version_expiration", "expiration")
    ),
    (
        "bucket-cleans-up",
        "aws_s3_bucket",
        lambda d: only(d, LIFECYCLE)["rule"][0]["expiration"][0].update(expired_object_delete_marker=True),
    ),
    (
        "alarm-on-dashboard",
        ALARM,
        lambda d: d["resource"][ALARM].update(Orphan={"alarm_actions": ["arn"], "treat_missing_data": "ignore"}),
    ),
]


def replace_peer(rule: Json, **peer: str) -> None:
    for key in ("referenced_security_group_id", "prefix_list_id"):
        rule.pop(key, None)
    rule.update(peer)


@pytest.mark.parametrize(
    ("rule", "type_", "break_it"), [pytest.param(*case, id=f"{case[0]}-{i}") for i, case in enumerate(BREAKS)]
)
def test_a_rule_finds_its_violation(
    everything: Template, rule: str, type_: str, break_it: Callable[[Json], object]
) -> None:
    """One thing is broken in the everything stack; just that rule blames just that resource."""
    document = copy.deepcopy(everything.document)
    assert violations(document) == []

    break_it(document)

    assert violations(document) == [(rule, type_)]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda d: add_rules(d, EGRESS, "SecurityGroups_PlaybackToTask", 59), id="60 rules out"),
        pytest.param(lambda d: add_rules(d, INGRESS, "SecurityGroups_TaskFromPeers", 56), id="60 rules in"),
        pytest.param(lambda d: only(d, VPC_ORIGIN)["timeouts"].update(delete="40m"), id="forty minutes"),
        pytest.param(
            lambda d: edit_dashboard(
                d,
                lambda widgets: metric_widget(widgets).update(
                    metrics=metric_widget(widgets)["metrics"][:1] * 100,
                    annotations={"horizontal": [{"value": 1}]},
                ),
            ),
            id="100 metrics and a line",
        ),
        pytest.param(
            lambda d: only(d, LIFECYCLE)["rule"][0].update(expiration=[{"expired_object_delete_marker": True}]),
            id="marks without days",
        ),
    ],
)
def test_what_aws_just_takes_is_no_violation(everything: Template, change: Callable[[Json], object]) -> None:
    """A step before each limit."""
    document = copy.deepcopy(everything.document)

    change(document)

    assert violations(document) == []


@pytest.mark.parametrize(
    "almost",
    [
        pytest.param(
            lambda d: d["resource"].update(
                aws_cloudfront_origin_request_policy={"Queries": {"query_strings_config": {"behavior": "all"}}}
            ),
            id="an origin request policy without headers and cookies",
        ),
        pytest.param(
            lambda d: default_behavior(d).update(
                origin_request_policy_id="${aws_cloudfront_origin_request_policy.Queries.id}"
            ),
            id="a policy of the stack's own",
        ),
        pytest.param(
            lambda d: only(d, "aws_lb", "Ingest").update(xff_header_processing_mode="append"),
            id="the load balancer that speaks no HTTP",
        ),
        pytest.param(
            lambda d: only(d, DISTRIBUTION)["custom_error_response"].append(
                {"error_code": 404, "error_caching_min_ttl": 10}
            ),
            id="another error that is kept",
        ),
    ],
)
def test_what_only_looks_like_a_violation_is_none(everything: Template, almost: Callable[[Json], object]) -> None:
    """What viewers send still ends at CloudFront, and a bad request is still nobody else's."""
    document = copy.deepcopy(everything.document)

    almost(document)

    assert violations(document) == []


def test_every_rule_is_seen_to_fail() -> None:
    """A rule that cannot fail protects nothing."""
    assert {case[0] for case in BREAKS} == RULES.keys()


def test_the_stacks_as_they_are_break_no_rule(templates: dict[str, Template]) -> None:
    """dev, prod and everything."""
    stacks = [StackDocument(name=name, document=template.document) for name, template in templates.items()]

    assert check_rules(stacks) == []


def test_an_alarm_that_drives_autoscaling_need_not_tell_anybody(everything: Template) -> None:
    """One that also tells people is held to all that is asked of theirs."""
    document = copy.deepcopy(everything.document)
    alarm = only(document, ALARM, "Scaling_IdleTasksAlarm")
    alarm["alarm_actions"].append("${aws_sns_topic.AlarmTopic.arn}")

    assert {rule for rule, _ in violations(document)} == {"alarm-treats-missing-data", "alarm-on-dashboard"}
