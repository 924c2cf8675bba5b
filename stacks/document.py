"""What synthesis wrote of a stack, read: for whoever reviews, plans or tests it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

Json = dict[str, Any]

CONFIGURATION = "cdk.tf.json"  # in a folder of the stack's name


@dataclass(frozen=True, kw_only=True, slots=True)
class StackDocument:
    """A synthesized stack: its name and its Terraform JSON."""

    name: str
    document: Json

    @classmethod
    def read(cls, folder: Path) -> StackDocument:
        """The stack in a folder of `cdktf.out/stacks`."""
        return cls(name=folder.name, document=json.loads((folder / CONFIGURATION).read_text(encoding="utf-8")))

    @property
    def addresses(self) -> list[str]:
        """Of all resources and data sources, sorted."""
        return sorted(
            f"{prefix}{type_}.{name}"
            for prefix, section in (("", "resource"), ("data.", "data"))
            for type_, named in self.document.get(section, {}).items()
            for name in named
        )

    @property
    def outputs(self) -> dict[str, Any]:
        """Output name to value."""
        return {name: output["value"] for name, output in self.document.get("output", {}).items()}

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
