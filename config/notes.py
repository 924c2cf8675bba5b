"""What is valid and yet probably not meant: a line each, told before synthesis goes on."""

from __future__ import annotations

from ipaddress import IPv4Network
from itertools import combinations
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from config.environment import EnvironmentConfig

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


def _overlapping_networks(environments: Sequence[EnvironmentConfig]) -> Iterator[str]:
    for one, other in combinations(environments, 2):
        if IPv4Network(one.network.vpc_cidr).overlaps(IPv4Network(other.network.vpc_cidr)):
            yield (
                f"{one.name}, {other.name}: network.vpc_cidr overlaps ({one.network.vpc_cidr}, "
                f"{other.network.vpc_cidr}): their VPCs can never be peered, nor reached through one VPN"
            )
