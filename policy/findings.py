"""What a check found, and where."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

Json = dict[str, Any]


class PolicyError(ValueError):
    """The review cannot be made: input is missing or cannot be understood. One line."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One failed check on one Terraform address of one stack."""

    check: str
    stack: str
    address: str
    message: str

    @property
    def environment(self) -> str:
        """The environment of the stack, which is the end of its name."""
        return self.stack.partition("-")[2]


@dataclass(frozen=True, kw_only=True, slots=True)
class StackDocument:
    """A synthesized stack: its name and its Terraform JSON."""

    name: str
    document: Json

    def resources(self, *types: str) -> dict[str, Json]:
        """Address to arguments, of all resources of these types."""
        return {
            f"{type_}.{name}": arguments
            for type_ in types
            for name, arguments in self.document.get("resource", {}).get(type_, {}).items()
        }

    def data_sources(self, type_: str) -> dict[str, Json]:
        """Address to arguments, of all data sources of this type."""
        return {
            f"data.{type_}.{name}": arguments
            for name, arguments in self.document.get("data", {}).get(type_, {}).items()
        }

    def construct_path(self, address: str) -> str | None:
        """The path of the construct that is at an address, as CDKTF writes it beside each resource."""
        section = self.document.get("data" if address.startswith("data.") else "resource", {})
        type_, _, id_ = address.removeprefix("data.").partition(".")
        path = section.get(type_, {}).get(id_, {}).get("//", {}).get("metadata", {}).get("path")
        return path if isinstance(path, str) else None

    def argument(self, path: str) -> Any:
        """What stands in the JSON at "type.id.argument"; None when nothing does."""
        type_, id_, argument = path.split(".", 2)
        return self.document.get("resource", {}).get(type_, {}).get(id_, {}).get(argument)

    def address_of(self, logical_id: str) -> str:
        """The address of the resource or data source with this id; CDKTF's ids are unique in a stack."""
        for prefix, section in (("", "resource"), ("data.", "data")):
            for type_, named in self.document.get(section, {}).items():
                if logical_id in named:
                    return f"{prefix}{type_}.{logical_id}"
        return logical_id


def read_stacks(folder: Path) -> list[StackDocument]:
    """Read every stack below `folder` (`cdktf.out/stacks`).

    Raises:
        PolicyError: when there is none.
    """
    stacks = [
        StackDocument(name=path.parent.name, document=json.loads(path.read_text()))
        for path in sorted(folder.glob("*/cdk.tf.json"))
    ]
    if not stacks:
        raise PolicyError(f"{folder}: holds no synthesized stack; run make synth first")
    return stacks
