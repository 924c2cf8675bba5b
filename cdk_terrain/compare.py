"""What two syntheses of the same stacks have in common: everything but who made them, and for which provider."""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

# Of the core, of the bindings' provider, and how its source is spelled ("aws" is short for "hashicorp/aws").
VERSION_FIELDS = (
    ("//", "metadata", "version"),
    ("terraform", "required_providers", "aws", "version"),
    ("terraform", "required_providers", "aws", "source"),
)


def differences(ours: Path, theirs: Path) -> dict[str, str]:
    """Stack name to a unified diff, for each that differs in more than the version fields, of two `stacks` folders."""
    names = sorted({path.parent.name for folder in (ours, theirs) for path in folder.glob("*/cdk.tf.json")})
    diffs = {name: _diff(_lines(ours / name), _lines(theirs / name)) for name in names}
    return {name: diff for name, diff in diffs.items() if diff}


def _diff(ours: list[str], theirs: list[str]) -> str:
    return "\n".join(difflib.unified_diff(ours, theirs, "cdktf", "cdktn", lineterm=""))


def _lines(stack: Path) -> list[str]:
    path = stack / "cdk.tf.json"
    if not path.exists():
        return []
    document = json.loads(path.read_text())
    for *parents, name in VERSION_FIELDS:
        _at(document, parents)[name] = "..."
    return json.dumps(document, indent=2, sort_keys=True).splitlines()


def _at(document: dict[str, Any], path: list[str]) -> dict[str, Any]:
    for name in path:
        document = document[name]
    return document
