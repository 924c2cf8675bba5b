"""What is valid and yet probably not meant: a line each, told before synthesis goes on."""

from __future__ import annotations

from ipaddress import IPv4Network
from itertools import combinations
from typing import TYPE_CHECKING

from config.loader import PLACEHOLDER_ACCOUNT
from config.zones import ZONE_LETTERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from config.environment import EnvironmentConfig

_SHARED = IPv4Network("100.64.0.0/10")  # RFC 6598; AWS takes it for VPCs, too
_MOST_STREAMS_PER_VCPU = 3  # the shipped environments have 1.5; beyond this, encoders will not keep up


def notes(environments: Sequence[EnvironmentConfig]) -> list[str]:
    """One line for each thing that an operator should look at again."""
    return [
        *(f"{config.name}: {note}" for config in environments for note in _notes_on(config)),
        *_overlapping_networks(environments),
    ]


def _notes_on(config: EnvironmentConfig) -> Iterator[str]:
    if config.viewer.certificate_arn is not None and config.viewer.domain_name is None:
        yield (
            "viewer.certificate_arn is set and viewer.domain_name is not: viewers get CloudFront's own name and "
            "certificate, and yours is for nothing; set the name that it is for, or remove it"
        )
    if config.task.max_streams * 1024 > config.task.cpu * _MOST_STREAMS_PER_VCPU:
        yield (
            f"task.max_streams = {config.task.max_streams} on {config.task.cpu / 1024:g} vCPU: the shipped "
            "environments have 3 on 2; encoders that do not keep up leave renditions out, and newcomers are turned away"
        )

    network = IPv4Network(config.network.vpc_cidr)
    if not network.is_private and not network.subnet_of(_SHARED):
        yield (
            f"network.vpc_cidr = {network} are addresses of the internet: whoever has them there cannot be reached "
            "from the VPC; take some of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16"
        )
    yield from _unknown_zones(config)
    yield from _certificates_of_others(config)


def _unknown_zones(config: EnvironmentConfig) -> Iterator[str]:
    known = ZONE_LETTERS.get(config.aws.region)
    unknown = [letter for letter in config.network.availability_zones if known and letter not in known]
    if known and unknown:
        yield (
            f"network.availability_zones has {', '.join(unknown)}, and {config.aws.region} has no zones but "
            f"{', '.join(known)}, as far as is known here: a deploy looks at those of your account"
        )


def _certificates_of_others(config: EnvironmentConfig) -> Iterator[str]:
    if config.aws.account == PLACEHOLDER_ACCOUNT:
        return  # nobody said which account it will be
    certificates = {
        "ingest.certificate_arn": config.ingest.certificate_arn,
        "viewer.certificate_arn": config.viewer.certificate_arn,
    }
    for key, arn in certificates.items():
        if arn is not None and (account := arn.split(":")[4]) != config.aws.account:
            yield (
                f"{key} is of account {account} and the environment of {config.aws.account}: no other account's "
                "certificates can be used; issue or import one there"
            )


def _overlapping_networks(environments: Sequence[EnvironmentConfig]) -> Iterator[str]:
    for one, other in combinations(environments, 2):
        if IPv4Network(one.network.vpc_cidr).overlaps(IPv4Network(other.network.vpc_cidr)):
            yield (
                f"{one.name}, {other.name}: network.vpc_cidr overlaps ({one.network.vpc_cidr}, "
                f"{other.network.vpc_cidr}): their VPCs can never be peered, nor reached through one VPN"
            )
