"""Provider schemas in memory and as JSON: attributes and nested blocks, as Terraform core understands them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

CtyType = str | list[Any]
"""A type in cty's JSON notation: `"string"`, `["set", "string"]`, `["list", ["object", {...}]]`, `"dynamic"`."""

Nesting = Literal["single", "list", "set"]


@dataclass(frozen=True, kw_only=True)
class Attribute:
    """An argument (required or optional), an exported value (computed), or an argument with a value of AWS's own."""

    type: CtyType
    required: bool = False
    optional: bool = False
    computed: bool = False

    def to_json(self) -> dict[str, Any]:
        flags = {name: True for name in ("required", "optional", "computed") if getattr(self, name)}
        return {"type": self.type, **flags}


@dataclass(frozen=True, kw_only=True)
class NestedBlock:
    """A block inside a block; `max_items` 0 means any number."""

    nesting: Nesting
    block: Block
    min_items: int = 0
    max_items: int = 0

    def to_json(self) -> dict[str, Any]:
        return {
            "nesting": self.nesting,
            "block": self.block.to_json(),
            "min_items": self.min_items,
            "max_items": self.max_items,
        }


@dataclass(frozen=True, kw_only=True)
class Block:
    """The body of a resource, a data source, the provider, or of a block inside one of them."""

    attributes: dict[str, Attribute] = field(default_factory=dict)
    blocks: dict[str, NestedBlock] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "attributes": {name: attribute.to_json() for name, attribute in self.attributes.items()},
            "blocks": {name: nested.to_json() for name, nested in self.blocks.items()},
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Block:
        return cls(
            attributes={name: Attribute(**attribute) for name, attribute in document["attributes"].items()},
            blocks={
                name: NestedBlock(**{**nested, "block": cls.from_json(nested["block"])})
                for name, nested in document["blocks"].items()
            },
        )


@dataclass(frozen=True, kw_only=True)
class ProviderSchema:
    """What the stand-in offers to Terraform core.

    `unsupported_resources` and `unsupported_data_sources` map the types that the bindings have and our tables do not to
    the names of their attributes: core then accepts their configuration, so that the stand-in itself can refuse it with
    a message that helps.
    """

    provider: Block
    resources: dict[str, Block]
    data_sources: dict[str, Block]
    unsupported_resources: dict[str, list[str]]
    unsupported_data_sources: dict[str, list[str]]

    def to_json(self) -> dict[str, Any]:
        return {
            "provider": self.provider.to_json(),
            "resources": {name: block.to_json() for name, block in self.resources.items()},
            "data_sources": {name: block.to_json() for name, block in self.data_sources.items()},
            "unsupported_resources": self.unsupported_resources,
            "unsupported_data_sources": self.unsupported_data_sources,
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> ProviderSchema:
        return cls(
            provider=Block.from_json(document["provider"]),
            resources={name: Block.from_json(block) for name, block in document["resources"].items()},
            data_sources={name: Block.from_json(block) for name, block in document["data_sources"].items()},
            unsupported_resources=document["unsupported_resources"],
            unsupported_data_sources=document["unsupported_data_sources"],
        )
