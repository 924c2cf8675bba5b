"""Which addresses each subnet has.

The VPC is cut into sixteen equal blocks. A zone's letter picks its block, so that adding, removing or reordering zones
never moves another zone's subnets (a moved subnet is a replaced subnet, and takes the load balancers with it).
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network

ZONE_LETTERS = "abcdefgh"
SMALLEST_SUBNET_PREFIX = 27  # an Application Load Balancer wants at least a /27 with 8 free addresses in each subnet
_BLOCKS_PREFIX = 4  # 2**4 blocks: eight public, eight private


@dataclass(frozen=True, kw_only=True, slots=True)
class ZoneSubnets:
    """The two subnets of one availability zone, as CIDR blocks."""

    zone_letter: str
    public_cidr: str
    private_cidr: str


def smallest_vpc_prefix() -> int:
    """The longest VPC prefix whose subnets are still large enough for a load balancer."""
    return SMALLEST_SUBNET_PREFIX - _BLOCKS_PREFIX


def plan_subnets(vpc_cidr: str, zone_letters: tuple[str, ...]) -> tuple[ZoneSubnets, ...]:
    """Return the subnets of each zone, in the order of `zone_letters`."""
    blocks = [str(block) for block in IPv4Network(vpc_cidr).subnets(prefixlen_diff=_BLOCKS_PREFIX)]
    half = len(blocks) // 2
    return tuple(
        ZoneSubnets(
            zone_letter=letter,
            public_cidr=blocks[ZONE_LETTERS.index(letter)],
            private_cidr=blocks[half + ZONE_LETTERS.index(letter)],
        )
        for letter in zone_letters
    )
