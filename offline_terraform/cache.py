"""The derived schema, kept on disk for each version of the bindings."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .bindings import Bindings, find_bindings
from .data_sources import DATA_SOURCES
from .derive import derive
from .resources import RESOURCES
from .schema import Block, NestedBlock, ProviderSchema

if TYPE_CHECKING:
    from collections.abc import Mapping

REPOSITORY = Path(__file__).resolve().parents[1]
CACHE_ROOT = REPOSITORY / ".cache" / "offline_terraform"


def load_schema(cache_root: Path = CACHE_ROOT) -> ProviderSchema:
    """The schema of all supported types; derived on first use (about three seconds), then read back."""
    return _complete(_derived(find_bindings(), cache_root))


def cached_schema_file(bindings: Bindings, cache_root: Path = CACHE_ROOT) -> Path:
    """Named by all that it depends on, so that it is never stale: bindings, type names, and the deriving code."""
    here = Path(__file__).parent
    fingerprint = hashlib.sha256()
    for part in (
        *((here / source).read_bytes() for source in ("bindings.py", "derive.py", "schema.py")),
        *(name.encode() for name in (*sorted(RESOURCES), *sorted(DATA_SOURCES))),
    ):
        fingerprint.update(hashlib.sha256(part).digest())
    return cache_root / bindings.version / f"schema-{fingerprint.hexdigest()[:12]}.json"


def write_atomically(file: Path, content: str | bytes, mode: int = 0o644) -> None:
    """Whole or not at all, also when several processes write the same file at once: the last one wins."""
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
        temporary.chmod(mode)
        temporary.replace(file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _derived(bindings: Bindings, cache_root: Path) -> ProviderSchema:
    file = cached_schema_file(bindings, cache_root)
    try:
        return ProviderSchema.from_json(json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        schema = derive(bindings, RESOURCES, DATA_SOURCES)
    write_atomically(file, json.dumps(schema.to_json(), separators=(",", ":")))
    return schema


def _complete(schema: ProviderSchema) -> ProviderSchema:
    """The derived schema with what our tables know and the bindings do not."""
    return ProviderSchema(
        provider=schema.provider,
        resources={
            name: _with_computed(_with_parts(block, RESOURCES[name].schema_parts), RESOURCES[name].computed)
            for name, block in schema.resources.items()
        },
        data_sources={name: _with_computed(block, ()) for name, block in schema.data_sources.items()},
        unsupported_resources=schema.unsupported_resources,
        unsupported_data_sources=schema.unsupported_data_sources,
    )


_ALWAYS_COMPUTED = ("id", "region", "tags_all")


def _with_computed(block: Block, names: tuple[str, ...], prefix: str = "") -> Block:
    wanted = {*names, *_ALWAYS_COMPUTED} if not prefix else {*names}
    attributes = {
        name: replace(attribute, computed=True) if prefix + name in wanted else attribute
        for name, attribute in block.attributes.items()
    }
    blocks = {
        name: replace(nested, block=_with_computed(nested.block, names, f"{prefix}{name}."))
        for name, nested in block.blocks.items()
    }
    return Block(attributes=attributes, blocks=blocks)


def _with_parts(block: Block, parts: Mapping[str, NestedBlock], prefix: str = "") -> Block:
    """`block` with hand-written nested blocks in the place of attributes whose type the bindings do not tell."""
    own = {name: parts[prefix + name] for name in block.attributes if prefix + name in parts}
    derived = {
        name: replace(nested, block=_with_parts(nested.block, parts, f"{prefix}{name}."))
        for name, nested in block.blocks.items()
    }
    attributes = {name: attribute for name, attribute in block.attributes.items() if name not in own}
    return Block(attributes=attributes, blocks={**derived, **own})
