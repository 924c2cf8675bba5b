"""What a plan adds, held against the account's quotas: plans of the real Terraform core."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ops.aws.asking import UnansweredError
from ops.aws.quotas import look_at_quotas, peak_vcpus
from tests.ops.account import DEV
from tests.shipped import shipped_configs

if TYPE_CHECKING:
    from pathlib import Path

    from offline_terraform.engine import OfflineTerraform
    from tests.local_aws import LocalAws
    from tests.ops.account import Account

pytestmark = pytest.mark.slow

PROD = shipped_configs()[1]
FARGATE, EIPS, NATS = "L-3032A538", "L-0263D0A3", "L-FE5A380F"
Json = dict[str, Any]


@pytest.fixture(scope="module")
def first(engine: OfflineTerraform, synthesized: Path) -> Json:
    """The plan of prod's first deploy."""
    stack = engine.stack(synthesized / PROD.streaming_stack_name)
    stack.init()
    return stack.plan_json()


@pytest.fixture(scope="module")
def later(first: Json) -> Json:
    """A plan that changes a task definition and the service."""
    changes = {"aws_ecs_service": ["update"], "aws_ecs_task_definition": ["delete", "create"]}
    entries = [entry for entry in first["resource_changes"] if entry["type"] in changes]
    assert len(entries) == 2
    return {
        "resource_changes": [
            {**entry, "change": {**entry["change"], "actions": changes[entry["type"]], "before": {}}}
            for entry in entries
        ]
    }


def request(service: str, code: str, value: int, region: str = "ap-northeast-2") -> str:
    return (
        f"\n  aws service-quotas request-service-quota-increase --region {region} --service-code {service} "
        f"--quota-code {code} --desired-value {value}"
    )


def test_an_account_with_room_has_nothing_to_tell(asking: Account, aws: LocalAws, first: Json) -> None:
    """Beyond that a first distribution may want a verified account."""
    findings = look_at_quotas(PROD, first)

    assert findings.problems == []
    (note,) = findings.notes
    assert note.startswith("this account has no CloudFront distribution yet")
    assert asking.asked.count("GetServiceQuota") == 9
    assert aws.client("ec2").describe_addresses()["Addresses"] == []


def test_fails_when_addresses_are_used_up(asking: Account, aws: LocalAws, first: Json) -> None:
    """Prod's two gateways want two, and four of five are taken; the command asks for what is wanted in all."""
    asking.quotas[EIPS] = 5
    for _ in range(4):
        aws.client("ec2").allocate_address(Domain="vpc")

    (problem,) = look_at_quotas(PROD, first).problems

    assert problem.startswith("EC2-VPC Elastic IPs (ap-northeast-2): 5, 4 in use, the plan adds 2. To ask for more")
    assert problem.endswith(request("ec2", EIPS, 6))


def test_what_just_fits_fits(asking: Account, aws: LocalAws, first: Json) -> None:
    asking.quotas[EIPS] = 5
    for _ in range(3):
        aws.client("ec2").allocate_address(Domain="vpc")

    assert look_at_quotas(PROD, first).problems == []


def test_fails_when_a_zone_has_no_room_for_a_gateway(asking: Account, aws: LocalAws, first: Json) -> None:
    """Two gateways in two zones are one in each; another zone's are no matter."""
    asking.quotas[NATS] = 1
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.99.0.0/16")["Vpc"]["VpcId"]

    def gateway_in(letter: str, third: int) -> None:
        zone = f"ap-northeast-2{letter}"
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.99.{third}.0/24", AvailabilityZone=zone)["Subnet"]
        address = ec2.allocate_address(Domain="vpc")["AllocationId"]
        ec2.create_nat_gateway(SubnetId=subnet["SubnetId"], AllocationId=address)

    gateway_in(next(letter for letter in "abcd" if letter not in PROD.network.availability_zones), 1)
    assert look_at_quotas(PROD, first).problems == []
    gateway_in(PROD.network.availability_zones[0], 2)

    (problem,) = look_at_quotas(PROD, first).problems

    assert problem.startswith("NAT gateways per Availability Zone (ap-northeast-2): 1, 1 in use, the plan adds 1.")


def test_a_peak_over_the_quota_is_told(asking: Account, first: Json) -> None:
    """As a new account's six vCPUs: enough for prod to start on, too few for its max_tasks and a deployment."""
    asking.quotas[FARGATE] = 6

    findings = look_at_quotas(PROD, first)

    assert findings.problems == []
    assert peak_vcpus(PROD) == 40
    note = findings.notes[0]
    assert note.startswith(
        "Fargate On-Demand vCPU resource count (ap-northeast-2): 6: enough to start, but prod may ask"
    )
    assert note.endswith(request("fargate", FARGATE, 40))


def test_fails_when_the_first_tasks_do_not_fit(asking: Account, first: Json) -> None:
    """With what others use of it: of eight vCPUs five are taken, and prod starts with four."""
    asking.quotas[FARGATE], asking.vcpus_in_use = 8, 5

    (problem,) = look_at_quotas(PROD, first).problems

    assert "8, 5 in use; prod starts with 4 (desired_tasks x cpu)." in problem
    assert problem.endswith(request("fargate", FARGATE, 45))


def test_a_later_deploy_does_not_count_its_own_tasks_twice(asking: Account, later: Json) -> None:
    """What is in use is the environment's own; and nothing but vCPUs is asked for."""
    asking.quotas[FARGATE], asking.vcpus_in_use = 40, 39

    findings = look_at_quotas(PROD, later)

    assert (findings.problems, findings.notes) == ([], [])
    assert asking.asked == ["GetServiceQuota"]


def test_a_quota_that_was_never_changed_is_awss_default(asking: Account, first: Json) -> None:
    asking.applied, asking.quotas[EIPS] = False, 0

    (problem,) = look_at_quotas(PROD, first).problems

    assert problem.startswith("EC2-VPC Elastic IPs (ap-northeast-2): 0, 0 in use")


def test_quotas_that_may_not_be_read_are_no_answer(asking: Account, first: Json) -> None:
    """Asked once, not once for each."""
    asking.refused["GetServiceQuota"] = "AccessDeniedException"

    with pytest.raises(UnansweredError, match=r"the quotas \(servicequotas:GetServiceQuota"):
        look_at_quotas(PROD, first)
    assert asking.asked == ["GetServiceQuota"]


def test_what_may_not_be_counted_is_told_and_the_rest_is_looked_at(asking: Account, first: Json) -> None:
    asking.refused["DescribeVpcs"] = "UnauthorizedOperation"
    asking.quotas[EIPS] = 1

    findings = look_at_quotas(PROD, first)

    assert "not looked at: what is in use (ec2:DescribeVpcs): UnauthorizedOperation" in findings.notes
    assert [problem.partition(" (")[0] for problem in findings.problems] == ["EC2-VPC Elastic IPs"]


def test_the_shipped_sizes_ask_for_this_many_vcpus() -> None:
    """As docs/deploy.md says."""
    assert (peak_vcpus(DEV), peak_vcpus(PROD)) == (8, 40)
