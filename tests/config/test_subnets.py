"""The CIDR plan."""

from __future__ import annotations

from ipaddress import IPv4Network
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from config.subnets import SMALLEST_SUBNET_PREFIX, ZONE_LETTERS, plan_subnets, smallest_vpc_prefix

zones = st.lists(st.sampled_from(ZONE_LETTERS), min_size=2, max_size=6, unique=True).map(tuple)
prefixes = st.integers(min_value=16, max_value=smallest_vpc_prefix())


@given(prefixes, zones)
def test_subnets_lie_in_the_vpc_apart_from_each_other_and_large_enough(prefix: int, letters: tuple[str, ...]) -> None:
    """Holds for every VPC size and choice of zones that a file may have."""
    vpc = IPv4Network(f"10.0.0.0/{prefix}")

    plan = plan_subnets(str(vpc), letters)
    networks = [IPv4Network(cidr) for zone in plan for cidr in (zone.public_cidr, zone.private_cidr)]

    assert [zone.zone_letter for zone in plan] == list(letters)
    assert all(network.subnet_of(vpc) for network in networks)
    assert all(network.prefixlen <= SMALLEST_SUBNET_PREFIX for network in networks)
    assert not any(one.overlaps(other) for one, other in combinations(networks, 2))


@given(zones, zones)
def test_a_zones_subnets_do_not_depend_on_the_other_zones(some: tuple[str, ...], others: tuple[str, ...]) -> None:
    """Adding, removing or reordering zones replaces no subnet of those that stay."""
    first = {zone.zone_letter: zone for zone in plan_subnets("10.0.0.0/16", some)}
    second = {zone.zone_letter: zone for zone in plan_subnets("10.0.0.0/16", others)}

    assert all(first[letter] == second[letter] for letter in first.keys() & second.keys())


def test_the_plan_of_a_large_vpc() -> None:
    """An example for people: /16 gives /20 subnets, public ones in the lower half."""
    first, second = plan_subnets("10.20.0.0/16", ("a", "c"))

    assert (first.public_cidr, first.private_cidr) == ("10.20.0.0/20", "10.20.128.0/20")
    assert (second.public_cidr, second.private_cidr) == ("10.20.32.0/20", "10.20.160.0/20")
