"""Real Terraform core on the synthesized stacks, with the offline stand-in for AWS."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

from offline_terraform.engine import OfflineTerraform, Result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from stacks.document import Json
    from tests.template import Template

DEV = "LiveCommerceStreamingStack-dev"
STACKS = [
    f"LiveCommerce{kind}Stack-{environment}"
    for environment in ("dev", "prod", "everything")
    for kind in ("Bootstrap", "Streaming")
]


@pytest.fixture(scope="module")
def terraform() -> Iterator[OfflineTerraform]:
    """One engine for all tests here."""
    with OfflineTerraform() as engine:
        yield engine


def validate(terraform: OfflineTerraform, source: Path | Json) -> Result:
    stack = terraform.stack(source, backend="as synthesized")
    stack.run("init", "-no-color", "-backend=false")
    return stack.validate(check=False)


@pytest.mark.parametrize("name", STACKS)
def test_core_accepts_every_stack(terraform: OfflineTerraform, synthesized: Path, name: str) -> None:
    """Names, types, required arguments, references and the graph are right."""
    result = validate(terraform, synthesized / name)

    assert result.status == 0, result.text


def unknown_attribute(document: Json) -> None:
    for service in document["resource"]["aws_ecs_service"].values():
        service["desierd_count"] = 1


def missing_argument(document: Json) -> None:
    for listener in document["resource"]["aws_lb_listener"].values():
        del listener["default_action"]


def wrong_type(document: Json) -> None:
    for balancer in document["resource"]["aws_lb"].values():
        balancer["subnets"] = {"a": "b"}


def dangling_reference(document: Json) -> None:
    for balancer in document["resource"]["aws_lb"].values():
        balancer["security_groups"] = ["${aws_security_group.Nowhere.id}"]


def cycle(document: Json) -> None:
    vpc = next(iter(document["resource"]["aws_vpc"].values()))
    vpc["tags"] = {"Gateway": "${aws_internet_gateway.Network_InternetGateway_D8FF3F66.id}"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("break_it", "error"),
    [
        (unknown_attribute, 'No argument or block type is named "desierd_count"'),
        (missing_argument, "default_action"),
        (wrong_type, "Incorrect attribute value type"),
        (dangling_reference, "Reference to undeclared resource"),
        (cycle, "Cycle:"),
    ],
)
def test_fails_when_a_stack_is_broken(
    terraform: OfflineTerraform, dev: Template, break_it: Callable[[Json], Any], error: str
) -> None:
    """Each kind of mistake is told by Terraform itself, so validation does not pass for want of looking."""
    document = copy.deepcopy(dev.document)
    break_it(document)

    result = validate(terraform, document)

    assert result.status == 1
    assert error in result.text


def test_a_plan_from_nothing_creates_every_address(
    terraform: OfflineTerraform, synthesized: Path, dev: Template
) -> None:
    """The whole configuration plans, and what it would create is what is pinned."""
    stack = terraform.stack(synthesized / DEV)
    stack.init()

    changes = stack.changes()

    assert set(changes.values()) == {"create"}
    assert sorted(changes) == [address for address in dev.addresses() if not address.startswith("data.")]


@pytest.mark.slow
@pytest.mark.parametrize(("zone", "zone_id"), [("us-east-1e", "use1-az3"), ("us-east-1c", "")])
def test_a_letter_that_stands_for_a_zone_without_vpc_origins_ends_the_plan(
    terraform: OfflineTerraform, synthesized: Path, zone: str, zone_id: str
) -> None:
    """In Virginia letters differ by account: the plan looks, and says which to change, before anything is made."""
    document: Json = json.loads((synthesized / DEV / "cdk.tf.json").read_text())
    document["provider"]["aws"][0]["region"] = "us-east-1"
    looked_up = document["data"]["aws_availability_zone"]
    for name in looked_up:
        looked_up[name]["name"] = "us-east-1a"
    looked_up[next(iter(looked_up))]["name"] = zone
    stack = terraform.stack(document)
    stack.init()

    result = stack.plan(check=False)

    assert result.status == (1 if zone_id else 0), result.text
    assert (f"is {zone_id} in this account, where CloudFront has no VPC origins" in words(result)) is bool(zone_id)
    assert ("another letter for network.availability_zones" in words(result)) is bool(zone_id)


@pytest.mark.slow
def test_fails_when_the_account_has_no_such_zone(terraform: OfflineTerraform, synthesized: Path) -> None:
    """Before anything is made."""
    document: Json = json.loads((synthesized / DEV / "cdk.tf.json").read_text())
    next(iter(document["data"]["aws_availability_zone"].values()))["name"] = "ap-northeast-2h"
    stack = terraform.stack(document)
    stack.init()

    result = stack.plan(check=False)

    assert result.status == 1
    assert "no matching EC2 Availability Zone found (ap-northeast-2h)" in words(result)


def words(result: Result) -> str:
    """What Terraform said, without its lines and boxes."""
    return " ".join(result.text.replace("\u2502", " ").split())
