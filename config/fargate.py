"""The cpu and memory pairs that Fargate offers.

Source: Amazon ECS developer guide, "Fargate task definition considerations: task CPU and memory".
"""

from __future__ import annotations

# cpu units (1024 = one vCPU) -> memory in MiB
MEMORY_MIB_BY_CPU: dict[int, tuple[int, ...]] = {
    256: (512, 1024, 2048),
    512: tuple(range(1024, 4096 + 1, 1024)),
    1024: tuple(range(2048, 8192 + 1, 1024)),
    2048: tuple(range(4096, 16384 + 1, 1024)),
    4096: tuple(range(8192, 30720 + 1, 1024)),
    8192: tuple(range(16384, 61440 + 1, 4096)),
    16384: tuple(range(32768, 122880 + 1, 8192)),
}


def allowed_memory(cpu: int) -> str:
    """The memory sizes that exist with `cpu`, for people to read."""
    sizes = MEMORY_MIB_BY_CPU[cpu]
    if len(sizes) == 3:
        return ", ".join(map(str, sizes))
    return f"{sizes[0]} to {sizes[-1]} in steps of {sizes[1] - sizes[0]}"
