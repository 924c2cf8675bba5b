"""One maker of plans for all tests here."""

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
