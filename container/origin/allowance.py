"""How much of something one source may bring: so much a second for ever, and more at once for a while."""


class Allowance:
    """A token bucket. Times are seconds of any clock that does not go back."""

    def __init__(self, per_second: float, burst: float) -> None:
        self._per_second, self._burst = per_second, burst
        self._left = burst
        self._since: float | None = None

    def take(self, amount: float, now: float) -> bool:
        """Whether this much more is within it; if not, nothing is taken."""
        if self._since is not None:
            self._left = min(self._burst, self._left + (now - self._since) * self._per_second)
        self._since = now
        if amount > self._left:
            return False
        self._left -= amount
        return True
