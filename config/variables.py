"""What differs between people rather than between environments: `.env` and the process's own environment."""

from __future__ import annotations

import difflib
import io
import os
import re
from typing import TYPE_CHECKING

from dotenv.parser import parse_stream

from config.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from dotenv.parser import Binding

_LARGEST = 64 << 10  # bytes
_SHOWN = 60  # characters of a name
_OURS = re.compile(r"(CDK_DEFAULT|BACKEND_URL|CERTIFICATE_ARN)(_[A-Z0-9_]{1,32})?")
_NAMES = ("CDK_DEFAULT_ACCOUNT", "CDK_DEFAULT_REGION", "BACKEND_URL", "CERTIFICATE_ARN")
_ALMOST = 0.8  # of difflib's ratio: another name's letters in another order, one too many, one too few


def operator_variables(root: Path) -> dict[str, str]:
    """Name to value; the process comes before `root/.env`, and what is set but empty is left out.

    Raises:
        ConfigurationError: `.env` has mistakes; one line for each, none with a value, which may be a secret.
    """
    return {name: value for name, value in {**_file(root / ".env"), **os.environ}.items() if value}


def unknown_names(root: Path, environments: Iterable[str]) -> list[str]:
    """A line for each name in `root/.env` that nothing reads and that looks like one that something does."""
    suffixes = [name.upper().replace("-", "_") for name in environments]
    known = {*_NAMES[:3]} | {f"{name}_{suffix}" for name in _NAMES[2:] for suffix in suffixes}
    notes = []
    for name in _file(root / ".env"):
        close = difflib.get_close_matches(name.upper(), sorted(known), n=1, cutoff=_ALMOST)
        if name not in known and (close or _OURS.fullmatch(name)):
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(sorted(known))}"
            notes.append(f".env: nothing reads {name[:_SHOWN]}; {hint}")
    return notes


def _file(path: Path) -> dict[str, str]:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigurationError(
            f".env: cannot be read: {error.strerror}; it must be a file of lines NAME=value"
        ) from None
    return parse(raw)


def parse(raw: bytes) -> dict[str, str]:
    """The variables of a `.env` file's bytes; as `operator_variables`."""
    if len(raw) > _LARGEST:
        raise ConfigurationError(f".env: has {len(raw)} bytes, must have at most {_LARGEST}")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(f".env, line {line}: is not in UTF-8; save the file as UTF-8") from None
    bindings = list(parse_stream(io.StringIO(text)))
    if mistakes := list(_mistakes(bindings)):
        raise ConfigurationError("\n".join(mistakes))
    return {each.key: each.value for each in bindings if each.key and each.value is not None}


def _mistakes(bindings: list[Binding]) -> Iterator[str]:
    """What a reader of the file would take for something else. Names that are not ours are others' business."""
    lines: dict[str, int] = {}
    for each in bindings:
        text = each.original.string
        line = each.original.line + text[: len(text) - len(text.lstrip())].count("\n")  # empty lines come with the next
        if each.error or "\0" in text:
            yield f".env, line {line}: is no NAME=value; a quote that was opened must be closed"
        elif each.key and _OURS.fullmatch(each.key):
            if each.value is None:
                yield f".env, line {line}: {each.key} has no value: must be {each.key}=value, or left out"
            elif "$" in each.value:
                yield f".env, line {line}: {each.key} has a $ in it: nothing is expanded here; write the value out"
            if each.key in lines:
                yield f".env, line {line}: {each.key} stands in line {lines[each.key]} already; leave one of them"
            lines[each.key] = line
