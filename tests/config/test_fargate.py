"""The cpu and memory pairs of Fargate."""

from __future__ import annotations

import pytest

from config.fargate import MEMORY_MIB_BY_CPU, allowed_memory


@pytest.mark.parametrize(
    ("cpu", "memory_mib", "exists"),
    [
        (256, 512, True),
        (256, 4096, False),
        (512, 4096, True),
        (1024, 1024, False),
        (2048, 4096, True),
        (4096, 31744, False),
        (8192, 18432, False),
        (16384, 122880, True),
    ],
)
def test_pairs_of_the_aws_table(cpu: int, memory_mib: int, *, exists: bool) -> None:
    """Samples from AWS's table, at its edges and between its steps."""
    assert (memory_mib in MEMORY_MIB_BY_CPU[cpu]) is exists


def test_allowed_memory_is_told_as_a_range() -> None:
    """What an operator reads in the error."""
    assert allowed_memory(256) == "512, 1024, 2048"
    assert allowed_memory(8192) == "16384 to 61440 in steps of 4096"
