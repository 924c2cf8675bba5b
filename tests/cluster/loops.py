"""An asyncio loop in a thread of its own, on a host of the bed or beside them all."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, Self, TypeVar

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from tests.cluster.network import Host

T = TypeVar("T")


class Loop:
    """Runs coroutines for threads that are no coroutines."""

    def __init__(self, host: Host | None = None) -> None:
        """`host`: where connections come from. Listening sockets keep the host that made them."""
        self.loop = asyncio.new_event_loop()
        ready = threading.Event()

        def run() -> None:
            if host:
                host.enter()
            ready.set()
            self.loop.run_forever()

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()
        ready.wait()

    def run(self, work: Coroutine[Any, Any, T], seconds: float = 60) -> T:
        """The result of a coroutine that the loop runs."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(seconds)

    def serve(self, application: web.Application, host: Host, address: str, port: int) -> web.AppRunner:
        """Answer HTTP at an address of a host, until the runner is closed or the loop ends."""
        listening = host.listen(address, port)

        async def start() -> web.AppRunner:
            runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            await web.SockSite(runner, listening).start()
            return runner

        return self.run(start())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        async def end() -> None:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        self.run(end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()
