"""Does what a plan adds fit into the account's quotas? Half-way through an apply is late to hear that it does not."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ops.aws.asking import Findings, UnansweredError, ask, client, error_code

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from config.environment import EnvironmentConfig

CLOUDFRONT_REGION = "us-east-1"
MAXIMUM_PERCENT = 200  # of the service's tasks, during a deployment (constructs_lib/compute/rtmp_service.py)


@dataclass(frozen=True, kw_only=True, slots=True)
class Quota:
    """One of AWS's quotas. Source: Service Quotas, where code and name can be looked up in the console."""

    name: str
    service: str
    code: str
    region: str


@dataclass(frozen=True, kw_only=True, slots=True)
class _Kind:
    """A type of resource that a region has room for so many of."""

    resource_type: str
    quota: str
    service: str
    code: str
    in_use: Callable[[EnvironmentConfig], int]
    matching: Mapping[str, str] | None = None  # arguments that the planned resource must have
    region: str = ""
    at_most: int = 1000  # how many of those that a plan adds come into one place


def look_at_quotas(config: EnvironmentConfig, plan: Mapping[str, Any]) -> Findings:
    """Hold what the plan adds, and the tasks that the configuration asks for, against quotas and what is in use.

    Raises:
        UnansweredError: AWS did not tell.
    """
    findings = Findings()
    for kind in _KINDS:
        added = min(_added(plan, kind), kind.at_most)
        if added > 0:
            _look_at_room(config, kind, added, findings)
    _look_at_vcpus(config, plan, findings)
    if _creates(plan, "aws_cloudfront_distribution") and not _distributions(config):
        findings.notes.append(
            "this account has no CloudFront distribution yet, and a new account may have to be verified first: if the "
            'apply ends with "Your account must be verified", open a case with AWS Support, and deploy again after'
        )
    return findings


def _look_at_room(config: EnvironmentConfig, kind: _Kind, added: int, findings: Findings) -> None:
    quota = Quota(name=kind.quota, service=kind.service, code=kind.code, region=kind.region or config.aws.region)
    limit = _limit(config, quota)["Value"]
    try:
        in_use = kind.in_use(config)
    except UnansweredError as error:
        findings.notes.append(f"not looked at: {error}")
        return
    if in_use + added > limit:
        findings.problems.append(
            f"{quota.name} ({quota.region}): {limit:g}, {in_use} in use, the plan adds {added}. "
            + _ask_for(quota, in_use + added)
        )


def peak_vcpus(config: EnvironmentConfig) -> float:
    """All tasks that scaling may start, and as many again beside them while a deployment replaces them."""
    return config.scaling.max_tasks * _vcpus(config) * MAXIMUM_PERCENT / 100


def _vcpus(config: EnvironmentConfig) -> float:
    return config.task.cpu / 1024


def _look_at_vcpus(config: EnvironmentConfig, plan: Mapping[str, Any], findings: Findings) -> None:
    quota = Quota(
        name="Fargate On-Demand vCPU resource count", service="fargate", code="L-3032A538", region=config.aws.region
    )
    answer = _limit(config, quota)
    limit = answer["Value"]
    # Once the service is there, what is in use includes its own tasks.
    others = _usage(config, answer.get("UsageMetric")) if _creates(plan, "aws_ecs_service") else 0.0
    first, peak = config.scaling.desired_tasks * _vcpus(config), peak_vcpus(config)
    what = f"{quota.name} ({quota.region}): {limit:g}" + (f", {others:g} in use" if others else "")
    if others + first > limit:
        findings.problems.append(
            f"{what}; {config.name} starts with {first:g} (desired_tasks x cpu). " + _ask_for(quota, others + peak)
        )
    elif others + peak > limit:
        findings.notes.append(
            f"{what}: enough to start, but {config.name} may ask for {peak:g} (max_tasks x cpu, twice during a "
            f"deployment), and tasks over the quota do not start. " + _ask_for(quota, others + peak)
        )


def _ask_for(quota: Quota, value: float) -> str:
    return (
        "To ask for more (it takes hours to days):\n"
        f"  aws service-quotas request-service-quota-increase --region {quota.region} --service-code {quota.service} "
        f"--quota-code {quota.code} --desired-value {math.ceil(value)}"
    )


def _limit(config: EnvironmentConfig, quota: Quota) -> dict[str, Any]:
    """The quota as applied to the account, or AWS's default where nothing was ever applied."""
    quotas = client(config, "service-quotas", quota.region)

    def get() -> dict[str, Any]:
        arguments = {"ServiceCode": quota.service, "QuotaCode": quota.code}
        try:
            answer: dict[str, Any] = quotas.get_service_quota(**arguments)["Quota"]
        except ClientError as error:
            if error_code(error) != "NoSuchResourceException":
                raise
            answer = quotas.get_aws_default_service_quota(**arguments)["Quota"]
        return answer

    return ask(get, "the quotas (servicequotas:GetServiceQuota, GetAWSDefaultServiceQuota)")


def _usage(config: EnvironmentConfig, metric: Mapping[str, Any] | None) -> float:
    """What CloudWatch has counted lately; nothing, where AWS names no metric."""
    if not metric:
        return 0.0
    cloudwatch, now = client(config, "cloudwatch"), datetime.now(UTC)
    points = ask(
        lambda: cloudwatch.get_metric_statistics(
            Namespace=metric["MetricNamespace"],
            MetricName=metric["MetricName"],
            Dimensions=[{"Name": name, "Value": value} for name, value in metric["MetricDimensions"].items()],
            StartTime=now - timedelta(minutes=15),
            EndTime=now,
            Period=300,
            Statistics=["Maximum"],
        ),
        "the vCPUs in use (cloudwatch:GetMetricStatistics)",
    )["Datapoints"]
    return float(max((point["Maximum"] for point in points), default=0.0))


def _changes(plan: Mapping[str, Any], resource_type: str) -> list[dict[str, Any]]:
    changes = plan.get("resource_changes", [])
    return [entry["change"] for entry in changes if entry["mode"] == "managed" and entry["type"] == resource_type]


def _creates(plan: Mapping[str, Any], resource_type: str) -> bool:
    return any(change["actions"] == ["create"] for change in _changes(plan, resource_type))


def _added(plan: Mapping[str, Any], kind: _Kind) -> int:
    wanted = kind.matching or {}
    changes = _changes(plan, kind.resource_type)

    def count(action: str, when: str) -> int:
        fitting = [change[when] for change in changes if action in change["actions"]]
        return sum(all((state or {}).get(key) == value for key, value in wanted.items()) for state in fitting)

    return count("create", "after") - count("delete", "before")


def _listed(operation: str, key: str) -> Callable[[EnvironmentConfig], int]:
    """How many a listing of EC2's has, over all its pages."""

    def count(config: EnvironmentConfig) -> int:
        ec2 = client(config, "ec2")

        def listed() -> int:
            if ec2.can_paginate(operation):
                return sum(len(page[key]) for page in ec2.get_paginator(operation).paginate())
            return len(getattr(ec2, operation)()[key])

        return ask(listed, f"what is in use (ec2:{_camel_case(operation)})")

    return count


def _camel_case(operation: str) -> str:
    return "".join(word.capitalize() for word in operation.split("_"))


def _nat_gateways(config: EnvironmentConfig) -> int:
    """In the fullest of the zones that get one: the quota is by zone, and a plan adds one to each."""
    ec2 = client(config, "ec2")
    used = ask(
        lambda: [
            gateway["SubnetId"]
            for page in ec2.get_paginator("describe_nat_gateways").paginate(
                Filters=[{"Name": "state", "Values": ["pending", "available"]}]
            )
            for gateway in page["NatGateways"]
        ],
        "NAT gateways in use (ec2:DescribeNatGateways)",
    )
    if not used:
        return 0
    zones = ask(
        lambda: {
            subnet["SubnetId"]: subnet["AvailabilityZone"]
            for page in ec2.get_paginator("describe_subnets").paginate()
            for subnet in page["Subnets"]
        },
        "zones of NAT gateways in use (ec2:DescribeSubnets)",
    )
    by_zone = Counter(zones.get(subnet) for subnet in used)
    letters = config.network.availability_zones[: config.network.nat_gateways]
    return max(by_zone[config.availability_zone_names[letter]] for letter in letters)


def _load_balancers(type_: str) -> Callable[[EnvironmentConfig], int]:
    def count(config: EnvironmentConfig) -> int:
        elb = client(config, "elbv2")
        types = ask(
            lambda: [
                balancer["Type"]
                for page in elb.get_paginator("describe_load_balancers").paginate()
                for balancer in page["LoadBalancers"]
            ],
            "load balancers in use (elasticloadbalancing:DescribeLoadBalancers)",
        )
        return types.count(type_)

    return count


def _policies(operation: str, key: str) -> Callable[[EnvironmentConfig], int]:
    """CloudFront's policies of the account's own, over all pages."""

    def count(config: EnvironmentConfig) -> int:
        list_ = getattr(client(config, "cloudfront", CLOUDFRONT_REGION), operation)

        def pages() -> int:
            marker: dict[str, str] = {}
            total = 0
            while True:
                page = list_(Type="custom", MaxItems="100", **marker)[key]
                total += len(page.get("Items", []))
                if not page.get("NextMarker"):
                    return total
                marker = {"Marker": page["NextMarker"]}

        return ask(pages, f"what is in use (cloudfront:{_camel_case(operation)})")

    return count


def _distributions(config: EnvironmentConfig) -> bool:
    cloudfront = client(config, "cloudfront", CLOUDFRONT_REGION)
    answer = ask(
        lambda: cloudfront.list_distributions(MaxItems="1"), "distributions in use (cloudfront:ListDistributions)"
    )
    return bool(answer["DistributionList"].get("Items"))


_KINDS = (
    _Kind(
        resource_type="aws_vpc",
        quota="VPCs per Region",
        service="vpc",
        code="L-F678F1CE",
        in_use=_listed("describe_vpcs", "Vpcs"),
    ),
    _Kind(
        resource_type="aws_internet_gateway",
        quota="Internet gateways per Region",
        service="vpc",
        code="L-A4707A72",
        in_use=_listed("describe_internet_gateways", "InternetGateways"),
    ),
    _Kind(
        resource_type="aws_eip",
        quota="EC2-VPC Elastic IPs",
        service="ec2",
        code="L-0263D0A3",
        in_use=_listed("describe_addresses", "Addresses"),
    ),
    _Kind(
        resource_type="aws_nat_gateway",
        quota="NAT gateways per Availability Zone",
        service="vpc",
        code="L-FE5A380F",
        in_use=_nat_gateways,
        at_most=1,
    ),
    _Kind(
        resource_type="aws_lb",
        quota="Network Load Balancers per Region",
        service="elasticloadbalancing",
        code="L-69A177A2",
        in_use=_load_balancers("network"),
        matching={"load_balancer_type": "network"},
    ),
    _Kind(
        resource_type="aws_lb",
        quota="Application Load Balancers per Region",
        service="elasticloadbalancing",
        code="L-53DA6B97",
        in_use=_load_balancers("application"),
        matching={"load_balancer_type": "application"},
    ),
    _Kind(
        resource_type="aws_cloudfront_cache_policy",
        quota="Cache policies per AWS account",
        service="cloudfront",
        code="L-7D134442",
        region=CLOUDFRONT_REGION,
        in_use=_policies("list_cache_policies", "CachePolicyList"),
    ),
    _Kind(
        resource_type="aws_cloudfront_response_headers_policy",
        quota="Response headers policies per AWS account",
        service="cloudfront",
        code="L-CF0D4FC5",
        region=CLOUDFRONT_REGION,
        in_use=_policies("list_response_headers_policies", "ResponseHeadersPolicyList"),
    ),
)
