"""Several nginx, so that one that dies takes only its own broadcasts along; and which of them newcomers come to.

Newcomers go to an nginx with the fewest broadcasts: what a stranger sends meets those who are live as seldom as can be.
See docs/adr/0014-several-nginx.md.
"""

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Iterable
from itertools import count
from typing import Any, Self

from origin.ingest import listeners
from origin.ingest.nginx import Nginx, Sockets
from origin.ingest.nginx_log import Refused
from origin.ingest.refusals import Refusals
from origin.metrics import INGEST_CRASHES, Metrics
from origin.settings import Settings

_LOG = logging.getLogger(__name__)

_MINUTE = 60.0
_DEATHS_A_MINUTE = 5
_PAUSE_SECONDS = (0.0, 0.2, 0.5, 1.0, 2.0)  # before it is started again, by its deaths within a minute
_CHECK_SECONDS = 0.2


class _Slot:
    """A place for one nginx after the other: the same sockets, the same folder."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.play = listeners.loopback()
        self.nginx: Nginx | None = None  # while it runs
        self._deaths: deque[float] = deque(maxlen=_DEATHS_A_MINUTE + 1)

    def died(self) -> None:
        self._deaths.append(time.monotonic())

    @property
    def deaths(self) -> int:
        """How many within the last minute."""
        return sum(time.monotonic() - at < _MINUTE for at in self._deaths)

    @property
    def tired(self) -> bool:
        """Whether it dies again and again, and is better left alone for a while."""
        return self.deaths > _DEATHS_A_MINUTE


class Instances:
    """All nginx of this task."""

    def __init__(self, settings: Settings, metrics: Metrics, refusals: Refusals) -> None:
        """ConfigurationError if the port is taken."""
        self._settings = settings
        self._metrics = metrics
        self._refusals = refusals
        number = settings.rtmp_instances
        self._listeners = listeners.Listeners(settings.rtmp_host, settings.rtmp_port, number)
        self._slots = [_Slot(index) for index in range(number)]
        self._numbers = count(1)
        self._broadcasts: Counter[str] = Counter()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Let go of the port; none runs any more."""
        self._listeners.close()
        for slot in self._slots:
            slot.play.close()

    async def run(self) -> None:
        """Keep them running; return when not one of them can be kept."""
        tasks = [asyncio.create_task(self._keep(slot)) for slot in self._slots]
        try:
            while any(slot.nginx or not slot.tired for slot in self._slots):
                done, _ = await asyncio.wait(tasks, timeout=_CHECK_SECONDS, return_when=asyncio.FIRST_EXCEPTION)
                for task in done:
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def drop(self, name: str, client: str) -> None:
        """Hang up on the publisher of a name, if it is still that connection (`<instance>/<number there>`)."""
        instance, _, number = client.partition("/")
        if nginx := self._find(instance):
            await nginx.drop(name, number)

    def play_port(self, instance: str) -> int:
        """Where to play what a publisher sends to this nginx; 0 if it does not run any more."""
        nginx = self._find(instance)
        return nginx.play_port if nginx else 0

    def balance(self, clients: Iterable[str]) -> None:
        """These are live: from now on, newcomers go where the fewest of them are."""
        broadcasts = Counter(client.partition("/")[0] for client in clients)
        if broadcasts != self._broadcasts:
            self._broadcasts = broadcasts
            self._steer()

    def status(self) -> list[dict[str, Any]]:
        return [
            {
                "instance": nginx.number,
                "slot": slot.index,
                "master_pid": nginx.master,
                "worker_pid": nginx.worker,
                "broadcasts": self._broadcasts[nginx.number],
            }
            for slot in self._slots
            if (nginx := slot.nginx)
        ]

    def _find(self, number: str) -> Nginx | None:
        return next((slot.nginx for slot in self._slots if slot.nginx and slot.nginx.number == number), None)

    def _steer(self) -> None:
        loads = {slot.index: self._broadcasts[slot.nginx.number] for slot in self._slots if slot.nginx}
        if loads:
            least = min(loads.values())
            self._listeners.steer([index for index, load in loads.items() if load == least])

    async def _keep(self, slot: _Slot) -> None:
        """One nginx after the other."""
        while True:
            await self._one_run(slot)
            self._steer()
            if slot.tired:
                _LOG.error("nginx dies again and again, leaving it alone for a while", extra={"slot": slot.index})
            await asyncio.sleep(_PAUSE_SECONDS[min(slot.deaths, len(_PAUSE_SECONDS)) - 1])
            while slot.tired:
                self._listeners.turn_away(slot.index)
                await asyncio.sleep(_CHECK_SECONDS)

    async def _one_run(self, slot: _Slot) -> None:
        """From its start until nothing of it is left."""

        def worker_died(how: str) -> None:
            self._lost(slot, "nginx worker", how)
            if slot.tired:
                nginx.kill()  # or its master would start the next one at once, for ever

        nginx = Nginx(
            self._settings,
            str(next(self._numbers)),
            self._settings.runtime_dir / "nginx" / str(slot.index),
            Sockets(self._listeners.sockets[slot.index], slot.play),
            worker_died=worker_died,
            refused=self._refused,
        )
        try:
            await nginx.start()
            slot.nginx = nginx
            self._steer()
            how = await nginx.run()
            if not nginx.killed:
                self._lost(slot, "nginx", how)
                nginx.kill()
        except OSError as error:
            self._lost(slot, "nginx", f"cannot be started: {error.strerror}")
        finally:
            slot.nginx = None
            await nginx.stop()

    def _refused(self, refused: Refused) -> None:
        self._refusals.tell("invalid_name", {"detail": refused.detail, "addr": refused.addr})

    def _lost(self, slot: _Slot, what: str, how: str) -> None:
        slot.died()
        extra = {"slot": slot.index, "how": how, "deaths_within_a_minute": slot.deaths}
        _LOG.error("%s died, and the broadcasts on it are cut", what, extra=extra)
        self._metrics.emit({INGEST_CRASHES: 1}, properties=extra)
