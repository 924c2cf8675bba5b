"""A maker of plans that are kept from run to run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.ops.plan_review.plans import Plans

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def plans() -> Iterator[Plans]:
    with Plans() as maker:
        yield maker
