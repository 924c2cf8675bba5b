"""Checks that many resource types share, in the wording of the AWS provider where it has one."""

from __future__ import annotations

import ipaddress
import json
import re
from typing import TYPE_CHECKING, Any

from offline_terraform.values import find, is_set, is_unknown

from .model import Check, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


def _each(path: str, message: Callable[[Any], str | None]) -> Check:
    """A check of every known value at `path`, in a list each: `message` says what is wrong with it, or None."""

    def check(config: Mapping[str, Any]) -> Iterator[Problem]:
        for at, found in find(config, path):
            for value in found if isinstance(found, list) else [found]:
                text = None if value is None or is_unknown(value) else message(value)
                if text:
                    yield Problem(summary=text, path=at)

    return check


def one_of(path: str, allowed: tuple[str, ...]) -> Check:
    expected = " ".join(json.dumps(value) for value in allowed)
    return _each(
        path,
        lambda value: None if value in allowed else f"expected {path} to be one of [{expected}], got {value}",
    )


def matches(path: str, pattern: str, explanation: str) -> Check:
    return _each(
        path,
        lambda value: None if re.fullmatch(pattern, value) else f'invalid value for {path} ({explanation}): "{value}"',
    )


def between(path: str, low: int, high: int) -> Check:
    return _each(
        path,
        lambda value: (
            None if low <= float(value) <= high else f"expected {path} to be in the range ({low} - {high}), got {value}"
        ),
    )


def cidr(path: str) -> Check:
    def message(value: str) -> str | None:
        try:
            ipaddress.ip_network(value)
        except ValueError as error:
            return f'"{value}" is not a valid CIDR block: {error}'
        return None

    return _each(path, message)


def json_document(path: str) -> Check:
    def message(value: str) -> str | None:
        try:
            json.loads(value)
        except ValueError as error:
            return f'"{path}" contains an invalid JSON: {error}'
        return None

    return _each(path, message)


def arn(path: str) -> Check:
    return _each(
        path,
        lambda value: (
            None if re.match(r"arn:aws[a-z-]*:[a-z0-9-]+:", value) else f'"{path}" ({value}) is an invalid ARN'
        ),
    )


def exactly_one_of(*names: str) -> Check:
    def check(config: Mapping[str, Any]) -> Iterator[Problem]:
        given = [name for name in names if is_set(config.get(name))]
        if len(given) != 1:
            yield Problem(
                summary="Invalid combination of arguments",
                detail=f"one of `{','.join(names)}` must be specified, got {', '.join(given) or 'none'}",
            )

    return check


def at_most_one_of(*names: str) -> Check:
    def check(config: Mapping[str, Any]) -> Iterator[Problem]:
        given = [name for name in names if is_set(config.get(name))]
        if len(given) > 1:
            yield Problem(
                summary="Conflicting configuration arguments",
                detail=f"{' conflicts with '.join(json.dumps(name) for name in given)}",
                path=(given[0],),
            )

    return check
