"""What a plan does, as one number: the same plan made again has the same, whoever makes it."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_NOTHING = (["no-op"], ["read"])
_WHAT_HAPPENS = ("actions", "before", "after", "after_unknown", "replace_paths", "importing")


def fingerprint(plan: Mapping[str, Any]) -> str:
    """SHA-256, in hexadecimal, of all changes of a plan (`terraform show -json`), of resources and of outputs.

    Two plans with the same fingerprint do the same to the same: what a reviewer saw of one holds for the other. It
    says nothing of the values: they are hashed, secrets among them, and a hash of many unknown ones gives none away.
    """
    changes = [
        [entry["address"], entry.get("previous_address"), {key: entry["change"].get(key) for key in _WHAT_HAPPENS}]
        for entry in plan.get("resource_changes", [])
        if entry["change"]["actions"] not in _NOTHING or entry.get("previous_address")
    ]
    outputs = {
        name: {key: change.get(key) for key in _WHAT_HAPPENS}
        for name, change in plan.get("output_changes", {}).items()
        if change.get("actions") not in _NOTHING
    }
    changes.sort(key=lambda change: str(change[0]))
    text = json.dumps([changes, outputs], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
