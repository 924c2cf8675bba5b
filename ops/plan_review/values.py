"""Values of a plan as people read them: JSON in strings opened, lists of named things by name, secrets covered.

A view is a tree of dicts; its leaves are JSON's scalars, tuples of them, `UNKNOWN` and `Secret`. What is empty is None:
Terraform writes null, [], {} and nothing at all for the same thing.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

Path = tuple[str, ...]


class Marker(Enum):
    """What stands where a value is not to be had."""

    UNKNOWN = "known after apply"
    SENSITIVE = "sensitive"

    def __str__(self) -> str:
        return f"({self.value})"


UNKNOWN: Final = Marker.UNKNOWN
SENSITIVE: Final = Marker.SENSITIVE


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """A value that can be compared, and is not shown."""

    raw: str

    def __repr__(self) -> str:
        return "Secret(…)"


# The first of these that all members of a list have, and that tells them apart, names them.
_NAMING_KEYS = ("name", "Sid", "sid", "path_pattern", "origin_id", "error_code", "id", "key", "region_name")
_PAIRS = (frozenset({"name", "value"}), frozenset({"name", "valueFrom"}))
_SECRET_NAME = re.compile(r"secret|token|passw|passphrase|credential|private|api_?key|stream_?key|auth", re.IGNORECASE)
# A name that says where a secret is, not what it is.
_NO_SECRET_NAME = re.compile(r"(arn|arns|_id|url|name|timeout|seconds|valueFrom)$|^authenticat", re.IGNORECASE)
_CREDENTIALS_IN_URL = re.compile(r"(?<=://)[^/\s@]+(?=@)")
_JSON_IN_JSON = 3  # a ladder in an environment variable in container definitions is two
_TREE_DEPTH = 64


def parse_path(text: str) -> Path:
    """`a.b.0` as a path; an element that holds a dot is only to be had as a tuple."""
    return tuple(text.split("."))


def view(value: Any, *, sensitive: Any = False, unknown: Any = False) -> Any:
    """The view of a value, with Terraform's marks of the same shape as the value."""
    return _view(value, sensitive, unknown, depth=0, inside=0)


def _view(value: Any, sensitive: Any, unknown: Any, *, depth: int, inside: int) -> Any:
    if unknown is True:
        return SENSITIVE if sensitive is True else UNKNOWN
    if sensitive is True and value is not None:
        return Secret(json.dumps(value, sort_keys=True))
    if value is None and isinstance(unknown, dict):
        value = {}
    match value:
        case dict() | list() if depth > _TREE_DEPTH:
            value = json.dumps(value, sort_keys=True)
        case dict():
            value = _mapping(value, sensitive, unknown, depth=depth, inside=inside)
        case list():
            value = _sequence(value, sensitive, unknown, depth=depth, inside=inside)
        case str():
            value = _text(value, depth=depth, inside=inside)
    return value


def _mapping(value: dict[str, Any], sensitive: Any, unknown: Any, *, depth: int, inside: int) -> Any:
    marked = [name for name in unknown if name not in value] if isinstance(unknown, dict) else []
    tree = {}
    for name in (*value, *marked):
        if inside and isinstance(value.get(name), str) and _names_secret(name):
            tree[name] = Secret(value[name])
            continue
        member = _view(value.get(name), _at(sensitive, name), _at(unknown, name), depth=depth + 1, inside=inside)
        if member is not None:
            tree[name] = member
    return tree or None


def _names_secret(name: str) -> bool:
    return bool(_SECRET_NAME.search(name)) and not _NO_SECRET_NAME.search(name)


def _sequence(value: list[Any], sensitive: Any, unknown: Any, *, depth: int, inside: int) -> Any:
    if value and all(isinstance(member, dict) for member in value):
        if inside and any(frozenset(value[0]) == pair for pair in _PAIRS):
            collapsed = _collapsed(value)
            if collapsed is not None:
                return _mapping(collapsed, False, False, depth=depth, inside=inside)
        names = _names(value)
        tree = {
            name: _view(member, _at(sensitive, index), _at(unknown, index), depth=depth + 1, inside=inside)
            for index, (name, member) in enumerate(zip(names, value, strict=True))
        }
        return {name: member for name, member in tree.items() if member is not None} or None
    members = [
        _view(member, _at(sensitive, index), _at(unknown, index), depth=depth + 1, inside=inside)
        for index, member in enumerate(value)
    ]
    if any(isinstance(member, dict) for member in members):
        return {str(index): member for index, member in enumerate(members) if member is not None}
    return tuple(members) or None


def _collapsed(pairs: list[dict[str, Any]]) -> dict[str, Any] | None:
    """[{name, value}] as {name: value}, where names tell them apart."""
    flat: dict[str, Any] = {}
    for pair in pairs:
        if frozenset(pair) not in _PAIRS or not isinstance(pair["name"], str) or pair["name"] in flat:
            return None
        flat[pair["name"]] = pair.get("value", pair.get("valueFrom"))
    return flat


def _names(members: list[dict[str, Any]]) -> list[str]:
    for key in _NAMING_KEYS:
        names = [member.get(key) for member in members]
        if all(isinstance(name, str | int) and name != "" for name in names) and len(set(names)) == len(names):
            return [str(name) for name in names]
    return [str(index) for index in range(len(members))]


def _text(value: str, *, depth: int, inside: int) -> Any:
    if inside < _JSON_IN_JSON and value[:1] in ("{", "["):
        try:
            parsed = json.loads(value)
        except (ValueError, RecursionError):
            pass
        else:
            return _view(parsed, False, False, depth=depth, inside=inside + 1)
    if "://" in value and _CREDENTIALS_IN_URL.search(value):
        return Secret(value)
    return value or None


def _at(marks: Any, key: str | int) -> Any:
    if marks is True:
        return True
    if isinstance(key, str):
        return marks.get(key, False) if isinstance(marks, dict) else False
    return marks[key] if isinstance(marks, list) and key < len(marks) else False


def value_at(tree: Any, path: Path) -> Any:
    """What a view has at a path: None where it has nothing, a marker where it is not to be had."""
    for name in path:
        if not isinstance(tree, dict):
            return tree if isinstance(tree, Marker) else (SENSITIVE if isinstance(tree, Secret) else None)
        tree = tree.get(name)
    return SENSITIVE if isinstance(tree, Secret) else tree


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where two views differ, as deep as both can be followed."""

    path: Path
    before: Any
    after: Any

    @property
    def name(self) -> str:
        return ".".join(self.path)


def differences(before: Any, after: Any, path: Path = ()) -> list[Difference]:
    """All places where two views differ, in order of their paths."""
    # Not by ==: to Python, True is 1.
    if type(before) is type(after) and before == after:
        return []
    opened = isinstance(before, dict), isinstance(after, dict)
    if not all(opened) and not (any(opened) and None in (before, after)):
        return [Difference(path, before, after)]
    before, after = before or {}, after or {}
    return [
        difference
        for name in sorted(before.keys() | after.keys())
        for difference in differences(before.get(name), after.get(name), (*path, name))
    ]
