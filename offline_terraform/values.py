"""Values of Terraform configuration as Python: null is None, blocks and objects are dicts, collections are lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgpack

if TYPE_CHECKING:
    from collections.abc import Iterator

Path = tuple[str | int, ...]
"""Steps from the top of a resource to a value in it: names, and positions in lists and sets."""

UNKNOWN = msgpack.ExtType(0, b"\x00")
"""cty's unknown value: "known after apply". Refined unknowns are ExtType too, with another code."""


def is_unknown(value: Any) -> bool:
    return isinstance(value, msgpack.ExtType)


def contains_unknown(value: Any) -> bool:
    if isinstance(value, dict):
        return any(contains_unknown(inner) for inner in value.values())
    if isinstance(value, list):
        return any(contains_unknown(inner) for inner in value)
    return is_unknown(value)


def is_set(value: Any) -> bool:
    """Given in the configuration, known or not. An absent block is an empty list."""
    return value is not None and value != []


def find(value: Any, dotted: str) -> Iterator[tuple[Path, Any]]:
    """Each place that `health_check.interval` names, with what is there; through every element of a repeated block."""
    yield from _find(value, tuple(dotted.split(".")), ())


def _find(value: Any, names: tuple[str, ...], at: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, list) and names:
        for index, element in enumerate(value):
            yield from _find(element, names, (*at, index))
    elif not names:
        yield at, value
    elif isinstance(value, dict):
        yield from _find(value.get(names[0]), names[1:], (*at, names[0]))


def collect(value: Any, dotted: str) -> list[Any]:
    """What `find` finds, without the places."""
    return [found for _, found in find(value, dotted)]
