"""The engine that the tests of this folder share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from offline_terraform.engine import OfflineTerraform, Stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from offline_terraform.samples import Document


@pytest.fixture(scope="session")
def engine() -> Iterator[OfflineTerraform]:
    """Real Terraform core with one long-lived stand-in behind it."""
    with OfflineTerraform() as running:
        yield running


@pytest.fixture
def initialized(engine: OfflineTerraform) -> Callable[[Document], Stack]:
    """Makes a working copy of a stack, ready for any command."""

    def make(document: Document) -> Stack:
        stack = engine.stack(document)
        stack.init()
        return stack

    return make
