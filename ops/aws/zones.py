"""Are the environment's zones there, and do they carry a CloudFront VPC origin? Only the account can tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from config.zones import VPC_ORIGIN_REGIONS, ZONE_IDS_WITHOUT_VPC_ORIGINS
from ops.aws.asking import Findings, ask, client

if TYPE_CHECKING:
    from config.environment import EnvironmentConfig


def look_at_zones(config: EnvironmentConfig) -> Findings:
    """Resolve the zones' letters to AZ ids, which mean the same in every account.

    Raises:
        UnansweredError: AWS did not tell.
    """
    region = config.aws.region
    if region not in VPC_ORIGIN_REGIONS:
        return Findings(problems=[f"aws.region = {region}: CloudFront VPC origins are not to be had there"])
    ec2 = client(config, "ec2")
    answer = ask(ec2.describe_availability_zones, "the zones of the region (ec2:DescribeAvailabilityZones)")
    ids = {
        zone["ZoneName"].removeprefix(region): zone["ZoneId"]
        for zone in answer["AvailabilityZones"]
        if zone.get("State") == "available" and zone.get("ZoneType", "availability-zone") == "availability-zone"
    }
    good = {letter: zone_id for letter, zone_id in ids.items() if zone_id not in ZONE_IDS_WITHOUT_VPC_ORIGINS}
    wrong = [
        f"zone {letter} of {region} "
        + (f"is {ids[letter]}, which carries no CloudFront VPC origin" if letter in ids else "is none of this account")
        for letter in config.network.availability_zones
        if letter not in good
    ]
    if not wrong:
        return Findings()
    would_do = ", ".join(f"{letter} ({zone_id})" for letter, zone_id in sorted(good.items()))
    return Findings(problems=[f"network.availability_zones: {'; '.join(wrong)}. Zones that would do: {would_do}"])
