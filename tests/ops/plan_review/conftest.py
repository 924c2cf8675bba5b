"""Stacks that are applied once, for plans against them, and a maker of plans that are kept from run to run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from offline_terraform.engine import OfflineTerraform
from tests.ops.plan_review.plans import Plans
from tests.ops.plan_review.terraform_plans import AppliedStack, applied

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.template import Template


@pytest.fixture(scope="session")
def plans() -> Iterator[Plans]:
    with Plans() as maker:
        yield maker


@pytest.fixture(scope="session")
def engine() -> Iterator[OfflineTerraform]:
    with OfflineTerraform() as running:
        yield running


@pytest.fixture(scope="session")
def applied_dev(engine: OfflineTerraform, dev: Template) -> AppliedStack:
    """The streaming stack of dev."""
    return applied(engine, dev)


@pytest.fixture(scope="session")
def applied_everything(engine: OfflineTerraform, everything: Template) -> AppliedStack:
    """The streaming stack of an environment with every option on."""
    return applied(engine, everything)


@pytest.fixture(scope="session")
def applied_bootstrap(engine: OfflineTerraform, bootstrap: Template) -> AppliedStack:
    """The bootstrap stack of prod."""
    return applied(engine, bootstrap)
