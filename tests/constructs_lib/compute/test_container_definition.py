"""The container definition: plain data, no CDKTF."""

from __future__ import annotations

import json
from dataclasses import replace

from constructs_lib.compute.container_definition import (
    ContainerProps,
    container_definition,
    container_definitions_json,
    volume_names,
)

REGION = "ap-northeast-2"
PROPS = ContainerProps(
    image="registry.example/image:1",
    log_group_name="/ecs/test",
    environment={"B": "2", "A": "1"},
    secrets={},
    ecs_exec=False,
)


def test_the_container_has_the_name_that_operators_type() -> None:
    """`aws ecs execute-command --container RTMPContainer` is a contract."""
    assert container_definition(PROPS, REGION)["name"] == "RTMPContainer"


def test_the_container_is_hardened() -> None:
    """Own user, no capabilities, nothing writable but the runtime volume."""
    container = container_definition(PROPS, REGION)

    assert container["user"] == "10001:10001"
    assert container["privileged"] is False
    assert container["readonlyRootFilesystem"] is True
    assert container["linuxParameters"]["capabilities"] == {"add": [], "drop": ["ALL"]}
    assert [mount["containerPath"] for mount in container["mountPoints"]] == ["/tmp"]  # noqa: S108 - in the container
    assert volume_names(ecs_exec=False) == ["runtime"]


def test_ecs_exec_gets_the_folders_that_its_agent_writes() -> None:
    """With a read-only root file system the agent would not start without them; the root stays read-only."""
    container = container_definition(replace(PROPS, ecs_exec=True), REGION)

    mounted = {mount["sourceVolume"] for mount in container["mountPoints"]}
    assert mounted == set(volume_names(ecs_exec=True)) == {"runtime", "ssm-agents", "ssm-lib", "ssm-log"}
    assert {mount["containerPath"] for mount in container["mountPoints"]} >= {
        "/managed-agents",
        "/var/lib/amazon/ssm",
        "/var/log/amazon/ssm",
    }
    assert container["readonlyRootFilesystem"] is True


def test_a_stopping_container_has_all_the_time_that_fargate_gives() -> None:
    """120 s, under an init process that forwards the signal and reaps children."""
    container = container_definition(PROPS, REGION)

    assert container["stopTimeout"] == 120
    assert container["linuxParameters"]["initProcessEnabled"] is True


def test_logs_never_block_the_container() -> None:
    """A slow CloudWatch Logs must not stop the event loop that serves viewers."""
    options = container_definition(PROPS, REGION)["logConfiguration"]["options"]

    assert options["mode"] == "non-blocking"
    assert options["awslogs-group"] == "/ecs/test"


def test_rtmp_and_hls_ports_are_mapped() -> None:
    """1935 and 8080, the same inside and outside."""
    ports = [mapping["containerPort"] for mapping in container_definition(PROPS, REGION)["portMappings"]]

    assert ports == [1935, 8080]


def test_secrets_are_references_and_never_values() -> None:
    """ECS reads the secret; the definition holds its ARN."""
    container = container_definition(replace(PROPS, secrets={"BACKEND_TOKEN": "arn:aws:secretsmanager:x"}), REGION)

    assert container["secrets"] == [{"name": "BACKEND_TOKEN", "valueFrom": "arn:aws:secretsmanager:x"}]


def test_the_json_does_not_depend_on_the_order_of_variables() -> None:
    """The same settings are the same task definition: no needless deployment."""
    reordered = replace(PROPS, environment={"A": "1", "B": "2"})

    assert container_definitions_json(PROPS, REGION) == container_definitions_json(reordered, REGION)
    assert len(json.loads(container_definitions_json(PROPS, REGION))) == 1
