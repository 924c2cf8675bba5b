"""Telling of publishers that were turned away: each by itself, or, when there are many, how many."""

import logging
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping

from origin.allowance import Allowance
from origin.metrics import Metrics

_LOG = logging.getLogger(__name__)

_EACH_SECOND = 5
_AT_ONCE = 30


class Refusals:
    """Log lines and metrics of refusals. Strangers can cause hundreds a second, and each line costs money."""

    def __init__(self, metrics: Metrics, clock: Callable[[], float] = time.monotonic) -> None:
        self._metrics = metrics
        self._clock = clock
        # By reason: none keeps another from sight.
        self._allowances: defaultdict[str, Allowance] = defaultdict(lambda: Allowance(_EACH_SECOND, _AT_ONCE))
        self._untold: Counter[str] = Counter()

    def tell(self, reason: str, extra: Mapping[str, object]) -> None:
        """One publisher was refused for this reason."""
        if not self._allowances[reason].take(1, self._clock()):
            self._untold[reason] += 1
            return
        self._metrics.rejected(reason)
        _LOG.warning("publisher refused", extra={"reason": reason, **extra})

    def sweep(self) -> None:
        """Once a second: the number of those that were not told one by one."""
        for reason, number in self._untold.items():
            self._metrics.rejected(reason, number)
            _LOG.warning("more publishers refused", extra={"reason": reason, "number": number})
        self._untold.clear()
