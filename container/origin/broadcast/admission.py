"""How much one task takes on, in copied broadcasts; an encoded one counts twice."""

from origin.packaging.ladder import ENCODED_COST


class Admission:
    """Decides at the door, and only there, whether a broadcast is taken on; then counts what each one costs.

    A newcomer counts as encoded until it has shown what it is, and is let in while one unit is free: a task carries at
    most one unit more than its capacity because of that. A live broadcast may come to cost more than there is left:
    then the task is overcommitted, and nobody else is let in until it is not.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._costs: dict[object, int] = {}

    @property
    def used(self) -> int:
        return sum(self._costs.values())

    @property
    def broadcasts(self) -> int:
        return len(self._costs)

    @property
    def excess(self) -> int:
        """What is carried beyond the capacity."""
        return max(0, self.used - self.capacity)

    def enter(self, broadcast: object) -> bool:
        """Take a newcomer on, if there is room."""
        if self.used >= self.capacity:
            return False
        self._costs[broadcast] = ENCODED_COST
        return True

    def hand_over(self, before: object, broadcast: object) -> None:
        """The place of one is another's from now on."""
        self._costs[broadcast] = self._costs.pop(before)

    def fits(self, broadcast: object, cost: int) -> bool:
        """Whether there is room for a broadcast to cost this much, or nobody but itself to suffer from it."""
        charged = self._costs.get(broadcast, 0)
        others = self.used - charged
        return cost <= charged or others == 0 or others + cost <= self.capacity

    def charge(self, broadcast: object, cost: int) -> bool:
        """What a live broadcast costs from now on; whether that is more than there was left for it."""
        dearer = cost > self._costs.get(broadcast, 0)
        self._costs[broadcast] = cost
        return dearer and self.excess > 0

    def release(self, broadcast: object) -> None:
        self._costs.pop(broadcast, None)
