"""Cluster, task definition, service, autoscaling, roles."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from constructs_lib.compute.task_roles import secret_resources

if TYPE_CHECKING:
    from stacks.document import Json
    from tests.template import Template


def container(template: Template) -> Json:
    (definition,) = json.loads(template.one("aws_ecs_task_definition")["container_definitions"])
    return dict(definition)


def test_the_cluster_has_its_name_and_container_insights(dev: Template) -> None:
    """The alarm on running tasks reads Container Insights."""
    cluster = dev.one("aws_ecs_cluster")

    assert cluster["name"] == "live-commerce-streaming-dev"
    assert cluster["setting"] == [{"name": "containerInsights", "value": "enabled"}]


def test_a_deployment_never_takes_capacity_away(dev: Template) -> None:
    """100 to 200 percent, a circuit breaker that rolls back, two minutes' grace, no waiting for live broadcasts."""
    service = dev.one("aws_ecs_service")

    assert (service["deployment_minimum_healthy_percent"], service["deployment_maximum_percent"]) == (100, 200)
    assert service["deployment_circuit_breaker"] == {"enable": True, "rollback": True}
    assert service["health_check_grace_period_seconds"] == 120
    assert service["wait_for_steady_state"] is False


def test_a_deploy_leaves_the_number_of_tasks_to_autoscaling(dev: Template) -> None:
    """Otherwise it would scale live tasks away."""
    assert dev.one("aws_ecs_service")["lifecycle"] == {"ignore_changes": ["desired_count"]}


def test_the_service_is_behind_both_balancers(dev: Template) -> None:
    """RTMP on 1935 and HLS on 8080 of the same container."""
    assert dev.one("aws_ecs_service")["load_balancer"] == [
        {
            "container_name": "RTMPContainer",
            "container_port": port,
            "target_group_arn": dev.reference("aws_lb_target_group", group, "arn"),
        }
        for port, group in ((1935, "Ingest"), (8080, "Playback"))
    ]


def test_tasks_run_on_fargate_in_private_subnets(dev: Template) -> None:
    """No public address, and only what the task's own group admits."""
    service = dev.one("aws_ecs_service")

    assert service["launch_type"] == "FARGATE"
    assert service["network_configuration"]["assign_public_ip"] is False
    assert all("PrivateSubnet" in subnet for subnet in service["network_configuration"]["subnets"])


def test_tasks_start_after_their_way_out_their_rules_and_their_policies(dev: Template) -> None:
    """A task that cannot pull its image trips the circuit breaker of the very first deployment."""
    depends_on = set(dev.one("aws_ecs_service")["depends_on"])

    needed = {
        address
        for address in dev.addresses()
        if address.startswith(
            (
                "aws_route.Network_Private",
                "aws_vpc_security_group_",
                "aws_iam_role_policy.Roles_",
                "aws_lb_listener.Ing",
            )
        )
    }
    assert needed <= depends_on


def test_task_size_architecture_and_image_come_from_the_environment(dev: Template, everything: Template) -> None:
    """A tag in dev, a digest where one is given."""
    task = dev.one("aws_ecs_task_definition")
    assert (task["cpu"], task["memory"]) == ("2048", "4096")
    assert task["runtime_platform"] == {"cpu_architecture": "ARM64", "operating_system_family": "LINUX"}
    repository = "123456789012.dkr.ecr.ap-northeast-2.amazonaws.com/live-commerce-rtmp-dev"
    assert container(dev)["image"] == f"{repository}:0.1.0"

    task = everything.one("aws_ecs_task_definition")
    assert (task["cpu"], task["runtime_platform"]["cpu_architecture"]) == ("4096", "X86_64")
    assert container(everything)["image"].endswith("live-commerce-rtmp-everything@sha256:" + "0123456789abcdef" * 4)


def test_every_volume_that_is_mounted_is_defined(dev: Template, prod: Template) -> None:
    """Task and container agree."""
    for template in (dev, prod):
        defined = {volume["name"] for volume in template.one("aws_ecs_task_definition")["volume"]}
        assert defined == {mount["sourceVolume"] for mount in container(template)["mountPoints"]}


def test_ecs_exec_is_on_in_dev_encrypted_and_logged_and_off_in_prod(dev: Template, prod: Template) -> None:
    """Service, role, volumes and session log go together."""
    exec_configuration = dev.one("aws_ecs_cluster")["configuration"]["execute_command_configuration"]
    assert exec_configuration["kms_key_id"] == dev.reference("aws_kms_key", "Encryption", "arn")
    assert exec_configuration["log_configuration"]["cloud_watch_encryption_enabled"] is True
    assert dev.one("aws_ecs_service")["enable_execute_command"] is True
    assert "EcsExec" in dev.statements("Roles_TaskPolicyDocument")

    assert "configuration" not in prod.one("aws_ecs_cluster")
    assert prod.one("aws_ecs_service")["enable_execute_command"] is False
    assert not any(sid.startswith("EcsExec") for sid in prod.statements("Roles_TaskPolicyDocument"))


def test_the_task_role_holds_its_own_tasks_and_its_own_leases_and_no_more(prod: Template) -> None:
    """Protection of tasks of this cluster, items of this table."""
    statements = prod.statements("Roles_TaskPolicyDocument")

    assert statements.keys() == {"ProtectTask", "Leases"}
    assert statements["ProtectTask"]["actions"] == ["ecs:UpdateTaskProtection"]
    assert statements["ProtectTask"]["resources"] == [
        "arn:aws:ecs:ap-northeast-2:123456789012:task/live-commerce-streaming-prod/*"
    ]
    assert statements["Leases"]["resources"] == [prod.reference("aws_dynamodb_table", "Leases", "arn")]
    assert not any("*" in action for action in statements["Leases"]["actions"])


def test_the_execution_role_pulls_one_image_and_writes_one_log(dev: Template, everything: Template) -> None:
    """The secret is readable only where there is one."""
    assert dev.statements("Roles_ExecutionPolicyDocument").keys() == {"RegistryLogin", "PullImage", "WriteLogs"}
    assert dev.statements("Roles_ExecutionPolicyDocument")["PullImage"]["resources"] == [
        "arn:aws:ecr:ap-northeast-2:123456789012:repository/live-commerce-rtmp-dev"
    ]
    secret = everything.statements("Roles_ExecutionPolicyDocument")["BackendToken"]
    assert secret["actions"] == ["secretsmanager:GetSecretValue"]
    assert secret["resources"] == [
        "arn:aws:secretsmanager:eu-west-3:210987654321:secret:streaming/backend-token-AbCdEf"
    ]
    assert container(everything)["secrets"] == [
        {"name": "BACKEND_TOKEN", "valueFrom": f"{secret['resources'][0]}:token::"}
    ]
    key = everything.statements("Roles_ExecutionPolicyDocument")["BackendTokenKey"]
    assert (key["actions"], key["resources"]) == (
        ["kms:Decrypt"],
        ["arn:aws:kms:eu-west-3:210987654321:key/1234abcd-12ab-34cd-56ef-1234567890ab"],
    )
    assert key["condition"] == [
        {"test": "StringEquals", "variable": "kms:ViaService", "values": ["secretsmanager.eu-west-3.amazonaws.com"]}
    ]


STORED = "arn:aws:secretsmanager:eu-west-3:210987654321:secret:streaming/token"


@pytest.mark.parametrize(
    ("value_from", "resources"),
    [
        (f"{STORED}-AbCdEf", [f"{STORED}-AbCdEf"]),
        (f"{STORED}-4bcd3f", [f"{STORED}-4bcd3f"]),
        (STORED, [f"{STORED}-??????"]),
        (f"{STORED}-AbCdE", [f"{STORED}-AbCdE-??????"]),
        (f"{STORED}-AbCdEfG", [f"{STORED}-AbCdEfG-??????"]),
        (f"{STORED}-secret", [f"{STORED}-secret", f"{STORED}-secret-??????"]),
        (f"{STORED}-202611", [f"{STORED}-202611", f"{STORED}-202611-??????"]),
        (f"{STORED}-AbCdEf:json-key::", [f"{STORED}-AbCdEf"]),
        (f"{STORED}::AWSCURRENT:", [f"{STORED}-??????"]),
    ],
)
def test_the_secret_is_readable_however_it_is_named(value_from: str, resources: list[str]) -> None:
    """IAM wants the six characters at the end of its ARN, and nothing of what ECS takes behind them."""
    assert secret_resources(value_from) == resources


def test_container_insights_finds_its_log_group(dev: Template) -> None:
    """Ours: encrypted, with an end, gone with the environment; made before the cluster, or AWS makes its own."""
    group = dev.one("aws_cloudwatch_log_group", "InsightsLogs")

    assert group["name"] == "/aws/ecs/containerinsights/live-commerce-streaming-dev/performance"
    assert group["retention_in_days"] == 30
    assert group["kms_key_id"] == dev.reference("aws_kms_key", "Encryption", "arn")
    assert dev.one("aws_ecs_cluster")["depends_on"] == [
        dev.reference("aws_cloudwatch_log_group", "InsightsLogs", "id")[2:-4]
    ]


def test_roles_are_assumed_by_ecs_for_this_account_only(dev: Template) -> None:
    """No confused deputy."""
    trust = dev.statements("Roles_Trust")["Assume"]

    assert trust["principals"] == [{"identifiers": ["ecs-tasks.amazonaws.com"], "type": "Service"}]
    assert {condition["variable"] for condition in trust["condition"]} == {"aws:SourceAccount", "aws:SourceArn"}


def test_tasks_are_added_for_cpu_and_for_streams_per_task(dev: Template) -> None:
    """Targets and cooldowns from the environment; neither takes a task away, for both look at averages."""
    target = dev.one("aws_appautoscaling_target")
    assert (target["min_capacity"], target["max_capacity"]) == (1, 2)

    cpu = dev.one("aws_appautoscaling_policy", "Scaling_Cpu")["target_tracking_scaling_policy_configuration"]
    assert cpu["predefined_metric_specification"]["predefined_metric_type"] == "ECSServiceAverageCPUUtilization"
    assert (cpu["target_value"], cpu["scale_out_cooldown"], cpu["disable_scale_in"]) == (60, 60, True)

    streams = dev.one("aws_appautoscaling_policy", "Scaling_StreamsPerTask")
    configuration = streams["target_tracking_scaling_policy_configuration"]
    assert (configuration["target_value"], configuration["disable_scale_in"]) == (2, True)
    assert configuration["customized_metric_specification"] == {
        "namespace": "LiveCommerce",
        "metric_name": "StreamsPerTask",
        "statistic": "Average",
        "dimensions": [
            {"name": "ClusterName", "value": "live-commerce-streaming-dev"},
            {"name": "ServiceName", "value": "live-commerce-rtmp-dev"},
        ],
    }


def test_the_origin_is_told_all_that_the_environment_decides(dev: Template) -> None:
    """Every HLS number of the file arrives in the container."""
    variables = {variable["name"]: variable["value"] for variable in container(dev)["environment"]}

    assert variables["BACKEND_URL"] == "https://api-dev.example.com"
    assert variables["LEASES_TABLE"] == dev.one("aws_dynamodb_table")["name"]
    assert (variables["SEGMENT_SECONDS"], variables["PART_SECONDS"], variables["PLAYLIST_SEGMENTS"]) == (
        "2.0",
        "0.35",
        "8",
    )
    assert [rendition["name"] for rendition in json.loads(variables["LADDER"])] == ["720p", "480p", "360p"]
    assert variables["MAX_STREAMS"] == "3"
    assert variables["STOP_TIMEOUT_SECONDS"] == str(container(dev)["stopTimeout"])


def test_the_leases_table_is_on_demand_with_a_time_to_live(dev: Template) -> None:
    """A lease of a task that died goes by itself."""
    table = dev.one("aws_dynamodb_table")

    assert table["billing_mode"] == "PAY_PER_REQUEST"
    assert table["hash_key"] == "stream_id"
    assert table["ttl"] == {"attribute_name": "expires_at", "enabled": True}
