"""What Terraform core and the stand-in refuse before anything is planned."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from offline_terraform import samples

if TYPE_CHECKING:
    from collections.abc import Callable

    from offline_terraform.engine import OfflineTerraform, Stack

pytestmark = pytest.mark.slow  # seconds, by real Terraform

_VPC: dict[str, Any] = {"aws_vpc": {"main": {"cidr_block": "10.0.0.0/16"}}}


def _words(text: str) -> str:
    """Terraform wraps its messages; here they are one line."""
    return re.sub(r"\s+", " ", text)


def _refusal(initialized: Callable[[samples.Document], Stack], document: samples.Document) -> str:
    result = initialized(document).validate(check=False)
    assert result.status == 1, result.text
    return _words(result.text)


def test_accepts_a_sound_stack(initialized: Callable[[samples.Document], Stack]) -> None:
    """The stacks that the failing ones below are made of are themselves fine."""
    stack = initialized(samples.stack({**samples.load_balancer(), **samples.table()}))
    assert "The configuration is valid" in stack.validate().text


def test_fails_when_an_attribute_does_not_exist(initialized: Callable[[samples.Document], Stack]) -> None:
    text = _refusal(initialized, samples.stack({"aws_vpc": {"main": {"cidr_blok": "10.0.0.0/16"}}}))
    assert 'No argument or block type is named "cidr_blok". Did you mean "cidr_block"?' in text


def test_fails_when_a_value_has_the_wrong_type(initialized: Callable[[samples.Document], Stack]) -> None:
    text = _refusal(initialized, samples.stack({"aws_vpc": {"main": {"enable_dns_support": "perhaps"}}}))
    assert 'Inappropriate value for attribute "enable_dns_support": a bool is required.' in text


def test_fails_when_an_argument_is_missing(initialized: Callable[[samples.Document], Stack]) -> None:
    text = _refusal(initialized, samples.stack({"aws_subnet": {"a": {"cidr_block": "10.0.0.0/24"}}}))
    assert 'The argument "vpc_id" is required, but no definition was found.' in text


def test_fails_when_a_nested_block_is_missing(initialized: Callable[[samples.Document], Stack]) -> None:
    text = _refusal(initialized, samples.stack({"aws_s3_bucket_versioning": {"state": {"bucket": "state"}}}))
    assert 'At least 1 "versioning_configuration" blocks are required.' in text


def test_fails_when_resources_need_each_other(initialized: Callable[[samples.Document], Stack]) -> None:
    groups = {
        name: {"name": name, "description": f"${{aws_security_group.{other}.id}}"}
        for name, other in (("one", "other"), ("other", "one"))
    }
    text = _refusal(initialized, samples.stack({"aws_security_group": groups}))
    assert "Error: Cycle: aws_security_group.o" in text


@pytest.mark.parametrize(
    ("reference", "complaint"),
    [
        ("${aws_vpc.other.id}", 'A managed resource "aws_vpc" "other" has not been declared'),
        (
            "${aws_vpc.main.identity}",
            'This object has no argument, nested block, or exported attribute named "identity"',
        ),
    ],
)
def test_fails_when_a_reference_leads_nowhere(
    initialized: Callable[[samples.Document], Stack], reference: str, complaint: str
) -> None:
    text = _refusal(initialized, samples.stack({**_VPC, "aws_internet_gateway": {"main": {"vpc_id": reference}}}))
    assert complaint in text


def test_fails_when_a_resource_type_is_not_in_the_tables(initialized: Callable[[samples.Document], Stack]) -> None:
    """A type of the provider that nobody has taught the stand-in, with blocks, and referred to."""
    instance = {"ami": "ami-1", "instance_type": "t4g.nano", "root_block_device": {"encrypted": True}}
    document = samples.stack({"aws_instance": {"one": instance}}, outputs={"address": "${aws_instance.one.private_ip}"})
    text = _refusal(initialized, document)
    assert "The offline stand-in does not know the resource type aws_instance" in text
    assert "Add aws_instance to the tables in offline_terraform/resources/" in text


def test_fails_when_a_data_source_is_not_in_the_tables(initialized: Callable[[samples.Document], Stack]) -> None:
    text = _refusal(initialized, samples.stack(data={"aws_ami": {"one": {"owners": ["amazon"]}}}))
    assert "The offline stand-in does not know the data source aws_ami" in text
    assert "offline_terraform/data_sources.py" in text


def test_fails_when_the_provider_has_no_such_type(initialized: Callable[[samples.Document], Stack]) -> None:
    text = _refusal(initialized, samples.stack({"aws_streaming_service": {"one": {}}}))
    assert 'does not support resource type "aws_streaming_service"' in text


@pytest.mark.parametrize(
    ("resources", "complaint"),
    [
        pytest.param(
            samples.load_balancer(load_balancer_type="classic"),
            'expected load_balancer_type to be one of ["application" "gateway" "network"], got classic',
            id="enumeration",
        ),
        pytest.param({"aws_vpc": {"main": {"cidr_block": "10.0.0.1/16"}}}, "is not a valid CIDR block", id="cidr"),
        pytest.param(
            samples.log_groups("one", retention_in_days=8), "expected retention_in_days to be one of", id="retention"
        ),
        pytest.param(
            samples.load_balancer(name="a-name-that-is-longer-than-32-characters"), "1 to 32 letters", id="name"
        ),
        pytest.param(
            samples.load_balancer(subnets=None), "one of `subnet_mapping,subnets` must be specified", id="exactly one"
        ),
        pytest.param(
            samples.table(hash_key="viewer"), "all indexes must match a defined attribute", id="key without attribute"
        ),
        pytest.param(
            {"aws_ecs_task_definition": {"one": {"family": "one", "container_definitions": "[{"}}},
            '"container_definitions" contains an invalid JSON',
            id="json",
        ),
        pytest.param(
            {
                "aws_ecs_task_definition": {
                    "one": {
                        "family": "one",
                        "container_definitions": '[{"name": "one", "image": "one"}]',
                        "requires_compatibilities": ["FARGATE"],
                        "network_mode": "bridge",
                        "cpu": "256",
                        "memory": "512",
                    }
                }
            },
            "Fargate only supports network mode 'awsvpc'",
            id="fargate",
        ),
        pytest.param(
            {
                "aws_wafv2_web_acl": {
                    "one": {
                        "name": "one",
                        "scope": "GLOBAL",
                        "default_action": {"allow": {}},
                        "visibility_config": {
                            "cloudwatch_metrics_enabled": True,
                            "metric_name": "one",
                            "sampled_requests_enabled": True,
                        },
                    }
                }
            },
            'expected scope to be one of ["CLOUDFRONT" "REGIONAL"], got GLOBAL',
            id="hand-written schema",
        ),
    ],
)
def test_fails_when_the_provider_would_refuse_a_value(
    initialized: Callable[[samples.Document], Stack], resources: samples.Document, complaint: str
) -> None:
    assert complaint in _refusal(initialized, samples.stack(resources))


def test_an_unknown_value_passes_the_checks(initialized: Callable[[samples.Document], Stack]) -> None:
    """What is known only after apply cannot be wrong yet."""
    resources = {**_VPC, **samples.log_groups("one", kms_key_id="${aws_vpc.main.arn}")}
    result = initialized(samples.stack(resources)).validate(check=False)
    assert result.status == 0, result.text


def test_fails_when_the_provider_gets_an_argument_that_nobody_has_taught(engine: OfflineTerraform) -> None:
    stack = engine.stack(samples.stack(_VPC, providers=[{**samples.PROVIDER, "s3_use_path_style": True}]))
    stack.init()
    text = _words(stack.plan(check=False).text)
    assert "The offline stand-in does not know the provider's argument s3_use_path_style" in text
