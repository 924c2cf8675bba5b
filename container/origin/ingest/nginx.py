"""One nginx-rtmp: its configuration, its master and worker, and hanging up on publishers through its control interface.

A worker takes all its connections along when it dies: several nginx share the publishers (`instances`).
"""

import asyncio
import contextlib
import logging
import os
import re
import signal
import socket
import string
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import aiohttp

from origin.ingest import nginx_log
from origin.ingest.door import APP
from origin.settings import Settings
from origin.sparing import Sparing

_LOG = logging.getLogger(__name__)
_LOG.addFilter(Sparing(lines=100, seconds=10))  # strangers can make it say something for each connection
_TEMPLATE = Path(__file__).parents[2] / "nginx" / "nginx.conf.template"

# An origin that is killed outright must not leave its ports taken.
_UNTIL_ORIGIN_ENDS = ("setpriv", "--pdeathsig", "TERM", "--")
_LOOK_SECONDS = 1.0
_START_SECONDS = 0.1
# A worker that does not answer twice in a row, for so long each time, hangs. Once may be a machine that slept.
_SILENCE_SECONDS, _SILENCES = 5.0, 2
# What its master logs (ngx_process.c). A stranger can make a worker log the same: it is believed of a dead one only.
_WORKER_DIED = re.compile(r"worker process (\d+) exited on (signal \d+)")


def render(settings: Settings, number: str, run: Path, play_port: int) -> str:
    """The configuration file's text."""
    template = string.Template(_TEMPLATE.read_text())
    return template.substitute(
        module=settings.rtmp_module,
        user="user root;" if os.geteuid() == 0 else "",  # otherwise the worker could not write into the runtime folder
        run=run,
        rtmp_listen=f"{settings.rtmp_host}:{settings.rtmp_port}",
        play_listen=f"127.0.0.1:{play_port}",
        hooks=f"http://127.0.0.1:{settings.hooks_port}/hooks",
        instance=number,
        app=APP,
    )


def _environment(sockets: Sequence[int]) -> dict[str, str]:
    """Sockets as for nginx's own upgrades; of ours nothing else, for the backend's token is in it."""
    return {"PATH": os.environ.get("PATH", os.defpath), "NGINX": "".join(f"{number};" for number in sockets)}


class Sockets(NamedTuple):
    """Where it listens."""

    public: socket.socket
    play: socket.socket


class Nginx:
    """One run of one nginx: started once, and never again. It takes connections from sockets that it inherits."""

    def __init__(
        self,
        settings: Settings,
        number: str,
        run: Path,
        sockets: Sockets,
        *,
        worker_died: Callable[[str], None],
        refused: Callable[[nginx_log.Refused], None],
    ) -> None:
        """`number` is this run's own; `worker_died` is told how; `refused`, whom it turned away by itself."""
        self.number = number
        self.play_port: int = sockets.play.getsockname()[1]
        self.worker: int | None = None  # its process id, as last seen
        self.killed = False  # by us
        self._death = ("", "")  # of which worker, and how
        self._settings = settings
        self._run = run
        self._sockets = sockets
        self._worker_died = worker_died
        self._refused = refused
        self._process: asyncio.subprocess.Process | None = None
        self._control = aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(run / "control")))

    @property
    def master(self) -> int | None:
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Start it in the foreground, with its log on our pipe."""
        self._run.mkdir(parents=True, exist_ok=True)
        (self._run / "control").unlink(missing_ok=True)  # of a master that was killed
        config = self._run / "nginx.conf"
        config.write_text(render(self._settings, self.number, self._run, self.play_port))
        inherited = [each.fileno() for each in self._sockets]
        self._process = await asyncio.create_subprocess_exec(
            *_UNTIL_ORIGIN_ENDS, "nginx", "-c", str(config), "-p", str(self._run), "-e", "stderr",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=_environment(inherited),
            pass_fds=inherited,
            start_new_session=True,  # a group of its own: its worker can be ended with it
        )  # fmt: skip

    async def run(self) -> str:
        """Log what it says until its master ends or its worker hangs; what happened."""
        assert self._process
        logging_task = asyncio.create_task(self._log())
        ending, watching = asyncio.create_task(self._process.wait()), asyncio.create_task(self._watch())
        try:
            await asyncio.wait({ending, watching}, return_when=asyncio.FIRST_COMPLETED)
            if not ending.done():
                return "hangs"
            # A worker that outlives its master holds the pipe open: what is to be read is there by now.
            await asyncio.wait({logging_task}, timeout=_START_SECONDS)
            code = ending.result()
            return f"exit code {code}" if code >= 0 else f"signal {-code}"
        finally:
            for task in (logging_task, ending, watching):
                task.cancel()

    async def _log(self) -> None:
        assert self._process
        assert self._process.stderr
        async for line in self._process.stderr:
            if died := _WORKER_DIED.search(line.decode("utf-8", "replace")):
                self._death = (died[1], died[2])
            if refused := nginx_log.refused(line):
                self._refused(refused)
                continue
            level, text = nginx_log.entry(line)
            _LOG.log(level, "nginx: %s", text)

    async def _watch(self) -> None:
        """Tell of each worker that died, after which its master has started another; return when none answers."""
        silences = 0
        while silences < _SILENCES:
            try:
                worker = await self._answering()
            except TimeoutError:
                silences += 1
                continue
            silences = 0
            if worker and self.worker and worker != self.worker:
                process, how = self._death
                self._worker_died(how if process == str(self.worker) else "unknown")
            self.worker = worker or self.worker
            await asyncio.sleep(_LOOK_SECONDS if self.worker else _START_SECONDS)

    async def _answering(self) -> int | None:
        """The process id of the worker that answers; TimeoutError if it takes its time."""
        limit = aiohttp.ClientTimeout(total=_SILENCE_SECONDS)
        try:
            async with self._control.get("http://nginx/worker", timeout=limit) as response:
                text = await response.text()
        except TimeoutError:
            raise
        except (aiohttp.ClientError, OSError):  # it died while it was asked, or does not listen yet
            return None
        return int(text) if text.isdecimal() else None

    def kill(self) -> None:
        """End master and worker at once."""
        self.killed = True
        if self._process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def stop(self) -> None:
        """End master and worker."""
        if self._process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(3):
                    await self._process.wait()
            self.kill()
        await self._control.close()

    async def drop(self, name: str, client: str) -> None:
        """Hang up on the publisher of a name, if it is still that connection."""
        url = "http://nginx/control/drop/publisher"
        try:
            async with self._control.get(
                url, params={"app": APP, "name": name, "clientid": client}, timeout=aiohttp.ClientTimeout(total=2)
            ) as response:
                await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            _LOG.warning("nginx did not take a drop command: %s", type(error).__name__)
