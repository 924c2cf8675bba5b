"""nginx-rtmp: its configuration, its process, and hanging up on publishers through its control interface."""

import asyncio
import contextlib
import ctypes
import logging
import os
import signal
import string
from pathlib import Path

import aiohttp

from origin.ingest import APP
from origin.settings import Settings

_LOG = logging.getLogger(__name__)
_TEMPLATE = Path(__file__).parent.parent / "nginx" / "nginx.conf.template"


def render(settings: Settings) -> str:
    """The configuration file's text."""
    template = string.Template(_TEMPLATE.read_text())
    return template.substitute(
        module=settings.rtmp_module,
        user="user root;" if os.geteuid() == 0 else "",  # otherwise the worker could not write into the runtime folder
        run=settings.runtime_dir / "nginx",
        rtmp_listen=f"{settings.rtmp_host}:{settings.rtmp_port}",
        hooks=f"http://127.0.0.1:{settings.hooks_port}/hooks",
        control_listen=f"127.0.0.1:{settings.control_port}",
        app=APP,
    )


def _end_with_parent() -> None:
    """Linux's PR_SET_PDEATHSIG: an origin that is killed outright must not leave its ports taken."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


class Nginx:
    """The nginx of this origin."""

    def __init__(self, settings: Settings, http: aiohttp.ClientSession) -> None:
        self._settings = settings
        self._http = http
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it in the foreground, with its log on our pipe."""
        run = self._settings.runtime_dir / "nginx"
        run.mkdir(parents=True, exist_ok=True)
        config = run / "nginx.conf"
        config.write_text(render(self._settings))
        self._process = await asyncio.create_subprocess_exec(
            "nginx", "-c", str(config), "-p", str(run), "-e", "stderr",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # a group of its own: its worker can be ended with it
            preexec_fn=_end_with_parent,  # one system call, no locks; origin has no threads by then
        )  # fmt: skip

    async def wait(self) -> int:
        """Log what it says until its master ends; its exit code."""
        assert self._process
        logging_task = asyncio.create_task(self._log())
        try:
            return await self._process.wait()
        finally:
            logging_task.cancel()

    async def _log(self) -> None:
        assert self._process
        assert self._process.stderr
        async for line in self._process.stderr:
            text = line.decode("utf-8", "replace").strip()
            _LOG.log(logging.INFO if "[notice]" in text or "[info]" in text else logging.WARNING, "nginx: %s", text)

    async def stop(self) -> None:
        """End master and worker."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        try:
            async with asyncio.timeout(3):
                await self._process.wait()
        except TimeoutError:
            pass
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    async def drop(self, name: str, client: str) -> None:
        """Hang up on the publisher of a name, if it is still that connection."""
        url = f"http://127.0.0.1:{self._settings.control_port}/control/drop/publisher"
        try:
            async with self._http.get(
                url, params={"app": APP, "name": name, "clientid": client}, timeout=aiohttp.ClientTimeout(total=2)
            ) as response:
                await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            _LOG.warning("nginx did not take a drop command: %s", type(error).__name__)
