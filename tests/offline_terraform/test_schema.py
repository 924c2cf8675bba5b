"""The derived schema, and the tables that complete it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from offline_terraform.bindings import find_bindings
from offline_terraform.cache import REPOSITORY, cached_schema_file, load_schema, write_atomically
from offline_terraform.resources import RESOURCES
from offline_terraform.schema import Attribute, Block, NestedBlock, ProviderSchema

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_DERIVE = "import sys, pathlib; from offline_terraform.cache import load_schema; load_schema(pathlib.Path(sys.argv[1]))"


@pytest.fixture(scope="module")
def schema() -> ProviderSchema:
    return load_schema()


def _find(block: Block, path: str) -> Attribute | NestedBlock | None:
    name, _, rest = path.partition(".")
    if rest:
        return _find(block.blocks[name].block, rest) if name in block.blocks else None
    return block.attributes.get(name) or block.blocks.get(name)


def _computed(block: Block, prefix: str = "") -> Iterator[str]:
    for name, attribute in block.attributes.items():
        if attribute.computed:
            yield prefix + name
    for name, nested in block.blocks.items():
        yield from _computed(nested.block, f"{prefix}{name}.")


def test_the_derived_schema_says_what_the_provider_documents(schema: ProviderSchema) -> None:
    """One example of each thing that has to be read out of the bindings."""
    load_balancer = schema.resources["aws_lb"]
    assert load_balancer.attributes["arn"] == Attribute(type="string", computed=True)
    assert load_balancer.attributes["subnets"] == Attribute(type=["set", "string"], optional=True, computed=True)
    assert load_balancer.attributes["tags"] == Attribute(type=["map", "string"], optional=True)
    assert schema.resources["aws_subnet"].attributes["vpc_id"] == Attribute(type="string", required=True)

    logs, mapping, timeouts = (load_balancer.blocks[name] for name in ("access_logs", "subnet_mapping", "timeouts"))
    assert (logs.nesting, logs.min_items, logs.max_items) == ("list", 0, 1)
    assert (mapping.nesting, mapping.max_items) == ("set", 0)
    assert timeouts.nesting == "single"
    behaviour = schema.resources["aws_cloudfront_distribution"].blocks["default_cache_behavior"]
    assert (behaviour.nesting, behaviour.min_items, behaviour.max_items) == ("list", 1, 1)
    assert behaviour.block.attributes["viewer_protocol_policy"].required

    rules = schema.resources["aws_security_group"].attributes["ingress"]
    assert isinstance(rules.type, list)
    assert rules.type[:1] == ["set"]
    assert rules.type[1][1]["from_port"] == "number"
    assert schema.provider.blocks["default_tags"].block.attributes["tags"].type == ["map", "string"]


def test_hand_written_parts_leave_no_type_open(schema: ProviderSchema) -> None:
    """`any` in the bindings is a gap that somebody has to fill in `schema_parts`."""

    def open_types(block: Block, path: str) -> Iterator[str]:
        yield from (
            f"{path}.{name}" for name, attribute in block.attributes.items() if "dynamic" in str(attribute.type)
        )
        for name, nested in block.blocks.items():
            yield from open_types(nested.block, f"{path}.{name}")

    blocks = {**schema.resources, **schema.data_sources}
    assert [path for name, block in blocks.items() for path in open_types(block, name)] == []


@pytest.mark.parametrize("type_name", sorted(RESOURCES))
def test_each_table_speaks_of_what_its_type_has(schema: ProviderSchema, type_name: str) -> None:
    """No misspelt path in any column; and each value that AWS would choose is there."""
    rules, block = RESOURCES[type_name], schema.resources[type_name]
    columns = (
        rules.force_new,
        rules.computed,
        rules.defaults,
        rules.allowed,
        rules.json_documents,
        rules.values,
        rules.schema_parts,
    )
    assert [path for column in columns for path in column if _find(block, path) is None] == []
    # `region` and `tags_all` come from the provider's configuration.
    assert set(_computed(block)) - {*rules.values, "region", "tags_all"} == set()


def test_fails_when_a_cached_file_cannot_be_written_whole(tmp_path: Path) -> None:
    """What was there before stays, and nothing half-written stands beside it."""
    file = tmp_path / "schema.json"
    file.write_text("before")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(file, "a lone surrogate cannot be encoded: \ud800")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("schema.json", "before")]


@pytest.mark.slow
def test_two_derivations_at_once_both_succeed(tmp_path: Path) -> None:
    """Each has its own derivation, one of them stays, and no temporary file does."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _DERIVE, str(tmp_path)], cwd=REPOSITORY, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    assert [(process.communicate()[1], process.returncode) for process in processes] == [("", 0), ("", 0)]
    file = cached_schema_file(find_bindings(), tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [file]
    assert load_schema(tmp_path) == load_schema()
