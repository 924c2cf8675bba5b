"""One task that knows by itself."""

from origin.cluster.registry import Grant, Holder, InProcessRegistry, clock_msn
from origin.packaging.position import Position


async def test_registry_numbers_rise() -> None:
    registry = InProcessRegistry(Holder("task", "http://127.0.0.1:8080"))
    began = clock_msn()
    first = (await registry.acquire("id", "s1")).position
    assert began <= first.next_msn <= clock_msn() + 1
    await registry.release("id", "s1", Position(first.next_msn + 10_000, 3))
    expected = Grant(Position(first.next_msn + 10_000, 3), continued=True, by_another=False)
    assert await registry.acquire("id", "s2") == expected
