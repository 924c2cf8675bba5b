"""Streamers: small pictures in real time, and a reconnect after a pause when the connection breaks, as OBS has it."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Self

from tests.cluster.services import stop
from tests.container import publisher

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.cluster.network import Host

RATE = 10
# The top rendition fits the ladder of `bed.LADDER`, so that it is copied.
OPTIONS = ["--size", "384x216", "--rate", str(RATE), "--gop", str(2 * RATE), "--kbps", "250"]
# A server that accepts and then says nothing is given up, as OBS does.
OPTIONS += ["--extra=-rw_timeout", "--extra=5000000"]  # microseconds
RECONNECT_SECONDS = 1.5


class Broadcast:
    """One streamer with one key."""

    def __init__(self, host: Host, url: str, key: tuple[str, str], log: Path, *, clock: bool = False) -> None:
        """`clock`: pictures carry the wall clock instead of their index."""
        self.key, self.playback_id = key
        self.connected: list[float] = []  # when each connection was begun, in seconds since 1970
        self.cuts = 0  # connections that ended without `stop` or `reconnect`
        options = [*OPTIONS, "--clock"] if clock else OPTIONS
        self._command = publisher.program(f"{url}/{self.key}", *options)
        self._host, self._log = host, log
        self._over = threading.Event()
        self._meant = threading.Event()
        self._process = self._connect()
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    def _connect(self) -> subprocess.Popen[str]:
        self.connected.append(time.time())
        return self._host.popen(self._command, log=self._log)

    def _keep(self) -> None:
        while True:
            self._process.wait()
            if self._over.is_set():
                return
            if not self._meant.is_set():
                self.cuts += 1
            self._meant.clear()
            stop(self._process)
            if self._over.wait(RECONNECT_SECONDS):
                return
            self._process = self._connect()

    def reconnect(self) -> None:
        """The streamer hangs up and comes back."""
        self._meant.set()
        stop(self._process)

    def stop(self) -> None:
        """The end of the show."""
        self._over.set()
        stop(self._process)
        self._thread.join(10)
        stop(self._process)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
