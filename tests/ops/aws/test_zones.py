"""The environment's zones, held against the account's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ops.aws.zones import look_at_zones
from tests.ops.account import DEV

if TYPE_CHECKING:
    from config.environment import EnvironmentConfig
    from tests.local_aws import LocalAws
    from tests.ops.account import Account
    from tests.ops.harness import Project


def in_zones(*letters: str, region: str = "ap-northeast-2") -> EnvironmentConfig:
    """Dev, elsewhere."""
    network = DEV.network.model_copy(update={"availability_zones": letters})
    return DEV.model_copy(update={"network": network, "aws": DEV.aws.model_copy(update={"region": region})})


def test_zones_that_carry_a_vpc_origin_are_fine(asking: Account) -> None:
    asking.zones = {"a": "apne2-az1", "b": "apne2-az2", "c": "apne2-az3"}

    assert look_at_zones(in_zones("b", "c")).problems == []


def test_fails_when_a_zone_carries_no_vpc_origin(asking: Account) -> None:
    """By AZ id: the letter that means it is another one in the next account."""
    asking.zones = {"a": "apne2-az3", "b": "apne2-az1", "c": "apne2-az2", "d": "apne2-az4"}

    (problem,) = look_at_zones(in_zones("a", "b")).problems

    assert problem == (
        "network.availability_zones: zone b of ap-northeast-2 is apne2-az1, which carries no CloudFront VPC origin. "
        "Zones that would do: a (apne2-az3), c (apne2-az2), d (apne2-az4)"
    )


def test_fails_when_a_zone_does_not_exist(asking: Account) -> None:
    """As ap-northeast-1b, which newer accounts do not have."""
    asking.zones = {"a": "apne2-az2", "c": "apne2-az3"}

    (problem,) = look_at_zones(in_zones("a", "b")).problems

    assert problem == (
        "network.availability_zones: zone b of ap-northeast-2 is none of this account. "
        "Zones that would do: a (apne2-az2), c (apne2-az3)"
    )


def test_fails_when_the_region_has_no_vpc_origins(asking: Account) -> None:
    problems = look_at_zones(in_zones("a", "b", region="cn-north-1")).problems

    assert problems == ["aws.region = cn-north-1: CloudFront VPC origins are not to be had there"]
    assert asking.asked == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_fails_when_a_deploy_would_use_such_a_zone(project: Project, account: Account, aws: LocalAws) -> None:
    """Before synthesis and plan; all that is wrong is told at once."""
    account.zones = dict.fromkeys("abcd", "apne2-az1")
    account.image = None
    aws.make_state_buckets()

    run = project.run("deploy", "dev", "--yes")

    assert (run.returncode, run.stdout) == (2, ""), run.stderr
    assert "deploy: dev cannot be deployed like this; nothing was changed:\n- network.availability_zones: zone" in (
        run.stderr
    )
    assert "\n- task.image_tag: " in run.stderr
    assert "terraform init" not in run.stderr
