"""Small plan documents with strings of one's choice in them. What Terraform really writes, `plans.py` has."""

from __future__ import annotations

from typing import Any


def document(*changes: dict[str, Any], **parts: Any) -> dict[str, Any]:
    return {"format_version": "1.2", "terraform_version": "1.14.0", "resource_changes": list(changes), **parts}


def change(
    address: str = "aws_lb.Ingest_4069586C", actions: tuple[str, ...] = ("update",), **parts: Any
) -> dict[str, Any]:
    type_, _, name = address.partition(".")
    return {
        "address": address,
        "type": parts.pop("type", type_),
        "name": parts.pop("name", name or "x"),
        "mode": "managed",
        "change": {"actions": list(actions), "before": {"name": "a"}, "after": {"name": "b"}, **parts},
    }
