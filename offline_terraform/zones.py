"""The availability zones of the stand-in's account: which letters a region has, and the AZ id behind each.

In regions from before November 2012 every account has a mapping of its own; this is one that an account might have.
"""

from __future__ import annotations

_NUMBERS = {
    "ap-northeast-1": {"a": 4, "c": 1, "d": 3},
    "ap-northeast-2": {"a": 1, "b": 2, "c": 3, "d": 4},
    "ca-central-1": {"a": 1, "b": 2, "d": 4},
    "us-east-1": {"a": 6, "b": 1, "c": 2, "d": 4, "e": 3, "f": 5},
    "us-west-1": {"a": 3, "b": 1},
    "us-west-2": {"a": 2, "b": 1, "c": 3, "d": 4},
}
_MOST_REGIONS = {"a": 1, "b": 2, "c": 3}
_COMPASS = {"northeast": "ne", "northwest": "nw", "southeast": "se", "southwest": "sw"}


def zone_ids(region: str) -> dict[str, str]:
    """Zone name to AZ id: `ap-northeast-2a` to `apne2-az1`."""
    area, *directions, number = region.split("-")
    short = area + "".join(_COMPASS.get(direction, direction[0]) for direction in directions) + number
    return {f"{region}{letter}": f"{short}-az{zone}" for letter, zone in _NUMBERS.get(region, _MOST_REGIONS).items()}
