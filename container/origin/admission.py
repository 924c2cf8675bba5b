"""How much one task takes on, in copied broadcasts; an encoded one counts twice."""


class Admission:
    """Counts what the live broadcasts cost."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._costs: dict[object, int] = {}

    @property
    def used(self) -> int:
        return sum(self._costs.values())

    def admit(self, broadcast: object, cost: int) -> bool:
        """Take a broadcast on, or change what it costs. An empty task takes anything: nowhere else is there more."""
        others = self.used - self._costs.get(broadcast, 0)
        if others and others + cost > self.capacity:
            return False
        self._costs[broadcast] = cost
        return True

    def release(self, broadcast: object) -> None:
        self._costs.pop(broadcast, None)
