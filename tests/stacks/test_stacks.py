"""The stacks as wholes: outputs, names, determinism, what dev and prod differ in."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from tests.shipped import shipped_configs, synthesize_to

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.template import Template


def test_the_stacks_of_the_shipped_environments(templates: dict[str, Template]) -> None:
    """Two stacks an environment, named as operators type them."""
    assert [name for name in templates if not name.endswith("-everything")] == [
        "LiveCommerceBootstrapStack-dev",
        "LiveCommerceBootstrapStack-prod",
        "LiveCommerceStreamingStack-dev",
        "LiveCommerceStreamingStack-prod",
    ]


def test_the_outputs_are_the_contract(dev: Template) -> None:
    """The backend team reads these by name."""
    balancer = dev.reference("aws_lb", "Ingest", "dns_name")
    distribution = dev.reference("aws_cloudfront_distribution", "", "domain_name")

    assert dev.outputs() == {
        "RTMPServerURL": f"rtmp://{balancer}/live",
        "RTMPSServerURL": "",
        "CloudFrontURL": f"https://{distribution}",
        "ClusterName": dev.reference("aws_ecs_cluster", "", "name"),
        "ServiceName": dev.reference("aws_ecs_service", "", "name"),
        "LogGroupName": "/ecs/live-commerce-rtmp-dev",
        "DashboardName": dev.reference("aws_cloudwatch_dashboard", "", "dashboard_name"),
        "RepositoryURL": "123456789012.dkr.ecr.ap-northeast-2.amazonaws.com/live-commerce-rtmp-dev",
    }


def test_outputs_use_the_configured_names(everything: Template) -> None:
    """A name of one's own outlives the load balancer behind it."""
    outputs = everything.outputs()

    assert outputs["RTMPServerURL"] == "rtmp://ingest.live.example.com/live"
    assert outputs["RTMPSServerURL"] == "rtmps://ingest.live.example.com:443/live"
    assert outputs["CloudFrontURL"] == "https://live.example.com"


def test_the_names_that_operators_rely_on(dev: Template, templates: dict[str, Template]) -> None:
    """DESIGN section 4: changing one is a breaking change."""
    assert dev.one("aws_ecs_cluster")["name"] == "live-commerce-streaming-dev"
    assert dev.one("aws_cloudwatch_dashboard")["dashboard_name"] == "live-commerce-streaming-dev"
    assert dev.one("aws_cloudwatch_log_group", "Logs")["name"] == "/ecs/live-commerce-rtmp-dev"
    assert {balancer["name"] for balancer in dev.resources("aws_lb").values()} == {"rtmp-nlb-dev", "hls-alb-dev"}
    assert templates["LiveCommerceBootstrapStack-dev"].one("aws_ecr_repository")["name"] == "live-commerce-rtmp-dev"


def test_two_syntheses_are_identical(synthesized: Path, tmp_path: Path) -> None:
    """No time, no path of the machine, no order of a set is in the output."""
    configs = shipped_configs()
    synthesize_to(tmp_path, configs[::-1])

    for config in configs:
        for name in (config.bootstrap_stack_name, config.streaming_stack_name):
            first = (synthesized / name / "cdk.tf.json").read_bytes()
            assert first == (tmp_path / "stacks" / name / "cdk.tf.json").read_bytes(), name


def test_addresses_do_not_depend_on_the_environments_name(templates: dict[str, Template]) -> None:
    """Dev's bootstrap stack has the addresses of prod's: logical ids are the same API everywhere."""
    dev, prod = templates["LiveCommerceBootstrapStack-dev"], templates["LiveCommerceBootstrapStack-prod"]

    assert dev.addresses() == prod.addresses()
    assert not any(re.search(r"dev|prod", address) for address in dev.addresses())


def test_everything_is_tagged_with_its_environment(templates: dict[str, Template]) -> None:
    """By the provider, so that nothing is forgotten."""
    for name, template in templates.items():
        tags = template.document["provider"]["aws"][0]["default_tags"][0]["tags"]
        assert tags == {
            "Project": "live-commerce-streaming",
            "Environment": name.partition("-")[2],
            "ManagedBy": "cdktf",
        }


# What dev and prod differ in, and why; everything else is the same but for the environment's name.
MEANT = {
    # a NAT gateway in each zone
    r"resource\.aws_(nat_gateway|eip)\.Network_Nat\w+C_.*": "network.nat_gateways",
    r"resource\.aws_route\.Network_PrivateDefaultRouteC_.*\.nat_gateway_id": "network.nat_gateways",
    # addresses that do not overlap, so that the two can be peered
    r"resource\.aws_(vpc|subnet)\..*\.cidr_block": "network.vpc_cidr",
    # changes with whatever it may not be changed in place with, tags among them
    r"resource\.aws_cloudfront_vpc_origin\..*\.name": "the environment's tags",
    r"resource\.terraform_data\.Distribution_VpcOriginGeneration_.*\.input\.name": "the environment's tags",
    # two tasks at least, ten at most
    r"resource\.aws_ecs_service\..*\.desired_count": "scaling.desired_tasks",
    r"resource\.aws_appautoscaling_target\..*\.(min|max)_capacity": "scaling.min_tasks, scaling.max_tasks",
    r"resource\.aws_cloudwatch_metric_alarm\.Alarms_TasksBelowMinimum_.*\.(threshold|alarm_description)": "scaling",
    r"resource\.aws_cloudwatch_metric_alarm\.Scaling_IdleTasksAlarm_.*\.expression": "scaling.min_tasks",
    # no shell in production
    r"resource\.aws_ecs_service\..*\.enable_execute_command": "task.ecs_exec",
    r"resource\.aws_ecs_cluster\..*\.configuration\..*": "task.ecs_exec",
    r"resource\.aws_cloudwatch_log_group\.ExecLogs_.*": "task.ecs_exec",
    r"resource\.aws_ecs_task_definition\..*\.volume\.[123]\.name": "task.ecs_exec",
    r"resource\.aws_ecs_task_definition\..*\.container_definitions\.0\.mountPoints\.[123]\..*": "task.ecs_exec",
    r"data\.aws_iam_policy_document\.Roles_TaskPolicyDocument_.*\.statement\.[2345]\..*": "task.ecs_exec",
    # logs for a year, access logs
    r"resource\.aws_cloudwatch_log_group\..*\.retention_in_days": "observability.log_retention_days",
    r"(resource|data)\.aws_\w+\.(AccessLogs|ViewerAccessLogs)_.*": "observability.access_logs",
    r"resource\.aws_lb\.Playback_.*\.(access_logs\..*|depends_on\..*)": "observability.access_logs",
    # nothing deletable by accident
    r"resource\.aws_lb\..*\.enable_deletion_protection": "protection.deletion_protection",
    r"resource\.aws_dynamodb_table\..*\.deletion_protection_enabled": "protection.deletion_protection",
    r"resource\.aws_(lb|dynamodb_table)\..*\.lifecycle\.prevent_destroy": "protection.deletion_protection",
}


def test_dev_and_prod_differ_only_as_meant(dev: Template, prod: Template) -> None:
    """Each difference is in the list above with its key, and each entry of the list is needed."""
    ours, theirs = flattened(dev), flattened(prod)
    differing = sorted(path for path in ours.keys() | theirs.keys() if ours.get(path) != theirs.get(path))

    unexplained = [path for path in differing if not any(re.fullmatch(pattern, path) for pattern in MEANT)]
    unused = [pattern for pattern in MEANT if not any(re.fullmatch(pattern, path) for path in differing)]

    assert (unexplained, unused) == ([], [])


def flattened(template: Template) -> dict[str, Any]:
    """Path to value, looking into JSON in strings, with the environment's name taken out."""
    return {without_name(path): without_name(value) for path, value in leaves(template.document, "")}


def leaves(node: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from leaves(value, f"{path}.{key}" if path else key)
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from leaves(value, f"{path}.{index}")
    elif isinstance(node, str) and node[:1] in ("{", "[") and path.endswith(("container_definitions", "_body")):
        yield from leaves(json.loads(node), path)
    else:
        yield path, node


def without_name(value: Any) -> Any:
    return re.sub(r"\b(dev|prod)\b", "ENV", value) if isinstance(value, str) else value


def test_environment_files_of_dev_and_prod_have_the_same_keys() -> None:
    """Whoever compares the two files sees a value for each choice, in both."""
    dev, prod = shipped_configs()

    assert keys_set(dev) == keys_set(prod)


def keys_set(model: Any) -> set[str]:
    keys = set()
    for name in model.model_fields_set:
        value = getattr(model, name)
        keys |= {f"{name}.{key}" for key in keys_set(value)} if hasattr(value, "model_fields_set") else {name}
    return keys
