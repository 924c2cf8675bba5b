"""Rates as they are told."""

import pytest
from origin.packaging import rates


@pytest.mark.parametrize(("measured", "usual"), [(29.9, 29.97), (30.01, 30), (59.9, 59.94), (17.3, 17.3), (24.98, 25)])
def test_measured_rates_are_told_as_usual_ones(measured: float, usual: float) -> None:
    assert rates.usual_rate(measured) == usual
