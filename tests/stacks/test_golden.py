"""What synthesis writes is what was reviewed."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import pytest

from tests.golden_files import addresses_path, addresses_text, golden_names, template_path

if TYPE_CHECKING:
    from pathlib import Path

    from tests.template import Template


def difference(expected: str, actual: str, path: Path) -> str:
    lines = difflib.unified_diff(expected.splitlines(), actual.splitlines(), str(path), "synthesized", lineterm="", n=2)
    return "\n".join([*lines][:80]) + "\n(make golden rewrites the golden files, once the change is what you meant)"


@pytest.mark.parametrize("name", golden_names())
def test_the_terraform_is_the_golden_one(synthesized: Path, name: str) -> None:
    """Any change of the output shows in the diff of a pull request."""
    expected = template_path(name).read_text()
    actual = (synthesized / name / "cdk.tf.json").read_text()

    assert expected == actual, difference(expected, actual, template_path(name))


@pytest.mark.parametrize("name", golden_names())
def test_terraform_addresses_are_pinned(templates: dict[str, Template], name: str) -> None:
    """A new address for the same thing destroys and creates it: a rename needs a `move_from_id`."""
    expected = addresses_path(name).read_text()
    actual = addresses_text(templates[name])

    assert expected == actual, difference(expected, actual, addresses_path(name))
