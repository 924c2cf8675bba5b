"""The whole of it: everything put together, started, watched and stopped."""

import asyncio
import logging
import math
import signal
import time
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
from aiohttp import web

from origin import metrics
from origin.broadcast.admission import Admission
from origin.broadcast.fitness import KnownMisfits
from origin.broadcast.session import Session, SessionContext
from origin.cluster.dynamodb_table import DynamoDbTable
from origin.cluster.identity import identity
from origin.cluster.leases import LeaseRegistry
from origin.cluster.registry import Holder, InProcessRegistry, StreamRegistry
from origin.cluster.task_protection import TaskProtection
from origin.delivery.answers import Delivery
from origin.delivery.peers import Peers
from origin.delivery.routing import Router
from origin.delivery.web import server
from origin.ingest import hooks
from origin.ingest.authorization import Authorization
from origin.ingest.backend import Backend
from origin.ingest.door import Door
from origin.ingest.instances import Instances
from origin.ingest.refusals import Refusals
from origin.logs import Concealer
from origin.metrics import Metric, Metrics
from origin.packaging.catalogue import Catalogue
from origin.packaging.rates import usual_rate
from origin.settings import Settings
from origin.version import VERSION

_LOG = logging.getLogger(__name__)

_REPORT_SECONDS = 10
_SWEEP_SECONDS = 1
_FINISH_SECONDS = 5  # of the stop time-out, for finishing playlists before the SIGKILL that follows it
_FAREWELL_RELOADS = 2  # an ordinary player reloads a playlist once a target duration (RFC 8216 6.3.4)
_BACKLOG = 4096


class Origin:
    """One origin process."""

    def __init__(self, settings: Settings, concealer: Concealer) -> None:
        """`concealer` is that of the logs."""
        self._settings = settings
        self._concealer = concealer
        self._metrics = Metrics(
            namespace=settings.metrics_namespace,
            cluster_name=settings.cluster_name,
            service_name=settings.service_name,
        )
        self._admission = Admission(settings.max_streams)
        self._speeds: dict[str, float] = {}
        self._reported: dict[Session, tuple[float, int]] = {}
        self._stop_requests = 0
        self._stop = asyncio.Event()
        self._stop_now = asyncio.Event()

    async def run(self) -> int:
        """Serve until told to stop: exit code 0. 1: no nginx can be kept running, or a chore died."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._on_signal)
        async with AsyncExitStack() as stack:
            context = SessionContext(
                settings=self._settings,
                metrics=self._metrics,
                admission=self._admission,
                misfits=KnownMisfits(),
                concealer=self._concealer,
            )
            backend = Backend(self._settings.backend_url, self._settings.backend_token, await _client(stack))
            peers = Peers()
            stack.push_async_callback(peers.close)
            registry = self._registry(await identity(self._settings, await _client(stack)), peers, stack)
            refusals = Refusals(self._metrics)
            self._instances = await stack.enter_async_context(Instances(self._settings, self._metrics, refusals))
            self._catalogue = Catalogue(self._settings)
            authority = Authorization(backend)
            self._door = Door(context, self._catalogue, authority, registry, self._instances.drop, refusals=refusals)
            delivery = Delivery(self._catalogue, self._settings)
            self._router = Router(delivery, registry, peers, cache_bytes=self._settings.peer_cache_bytes)
            await self._listen(stack)
            chores = [self._sweep, self._report, self._server.sweep]
            if self._settings.ecs_agent_uri:
                http = await _client(stack)
                chores.append(TaskProtection(self._settings.ecs_agent_uri, http, self._metrics, self._needed).run)
            running = [asyncio.create_task(chore(), name=f"{chore.__qualname__} died") for chore in chores]
            for chore_task in running:
                stack.callback(chore_task.cancel)
            return await self._serve(running)

    def _registry(self, me: Holder, peers: Peers, stack: AsyncExitStack) -> StreamRegistry:
        if self._settings.leases_table is None:
            return InProcessRegistry(me)
        table = DynamoDbTable(self._settings.leases_table, self._settings.aws_region)
        stack.callback(table.close)
        return LeaseRegistry(me, table, peers.make_room)

    async def _listen(self, stack: AsyncExitStack) -> None:
        settings = self._settings
        self._server = server(self._router, self._door.make_room, settings.cors_allow_origin)
        public = web.ServerRunner(self._server)
        private = web.AppRunner(hooks.application(self._door, self._instances, self.status), access_log=None)
        for runner, host, port in (
            (public, settings.http_host, settings.http_port),
            (private, "127.0.0.1", settings.hooks_port),
        ):
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, host, port, backlog=_BACKLOG, shutdown_timeout=1).start()

    async def _serve(self, chores: Sequence[asyncio.Task[None]]) -> int:
        """Until told to stop, or until something ends without which nobody would be served for long."""
        nginx = asyncio.create_task(self._instances.run(), name="nginx ended again and again")
        stopping = asyncio.create_task(self._drain())
        settings = self._settings
        where = {
            "version": VERSION,
            "environment": settings.environment,
            "http": settings.http_port,
            "rtmp": settings.rtmp_port,
        }
        _LOG.info("origin is up", extra=where)
        vital = {nginx, *chores}
        await asyncio.wait({stopping, *vital}, return_when=asyncio.FIRST_COMPLETED)
        dead = None if self._stop.is_set() else next((task for task in vital if task.done()), None)
        if dead:
            _LOG.critical("%s, and so does origin", dead.get_name(), exc_info=dead.exception())
            stopping.cancel()
            await self._door.close()
        else:
            await stopping
            _LOG.info("origin stops")
        nginx.cancel()
        await asyncio.wait({nginx})
        return 1 if dead else 0

    def _on_signal(self) -> None:
        self._stop_requests += 1
        if self._stop_requests > 1:
            self._stop_now.set()
        self._stop.set()

    async def _drain(self) -> None:
        """After the first signal: no new publishers, and the live ones go on for as long as the platform lets us.

        Who drops off now may come back to another task, and viewers go on there: playlists are not ended before their
        time. When they are, the process stays until viewers have had time to ask for the end.
        """
        await self._stop.wait()
        self._door.draining = True
        spare = max(0.0, self._settings.stop_timeout_seconds - _FINISH_SECONDS)
        farewell = min(spare, _FAREWELL_RELOADS * math.ceil(self._settings.segment_seconds))
        limit = spare - farewell
        _LOG.info("draining", extra={"live": len(self._door.sessions), "limit_seconds": limit})
        await self._unless_at_once(self._idle(), limit)
        await self._door.close()
        if self._catalogue:
            await self._unless_at_once(asyncio.sleep(farewell))

    async def _idle(self) -> None:
        while self._needed():  # noqa: ASYNC110 # playlists end by time, which nothing signals
            await asyncio.sleep(_SWEEP_SECONDS)

    async def _unless_at_once(self, waiting: Coroutine[Any, Any, None], limit: float | None = None) -> None:
        """Wait for it, until the limit, or until a second signal says that nobody is to be waited for."""
        tasks = {asyncio.create_task(waiting), asyncio.create_task(self._stop_now.wait())}
        await asyncio.wait(tasks, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()

    def _needed(self) -> bool:
        """Whether stopping this task would cut anyone off: a publisher, one being let in, or viewers.

        A stream without a publisher counts until its playlists have ended: a streamer who reconnects within that time
        carries on with what is in this task's memory, and viewers are still fetching the last of it.
        """
        return self._admission.used > 0 or any(not stream.ended for stream in self._catalogue.values())

    # --- chores ---

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            self._door.sweep()
            self._instances.balance(session.client for session in self._door.sessions)

    async def _report(self) -> None:
        minute = 0
        while True:
            self._look()
            values: dict[Metric, float] = {
                metrics.ACTIVE_STREAMS: len(self._door.sessions),
                metrics.STREAMS_PER_TASK: self._admission.used,
                metrics.OVERCOMMITTED_UNITS: self._admission.excess,
            }
            if self._speeds:
                values[metrics.ENCODER_SPEED] = min(self._speeds.values())
            if failures := self._router.failures():
                values[metrics.PEER_FAILURES] = failures
            if refusals := self._router.refusals():
                values[metrics.REFUSED_LOOKUPS] = refusals
            if minute != (minute := int(time.time() // 60)):  # once in each: the sum over a minute counts tasks
                values[metrics.BUSY_TASKS] = int(self._needed())
            self._metrics.emit(values, properties={"streams": [self._summary(each) for each in self._door.sessions]})
            await asyncio.sleep(_REPORT_SECONDS)

    def _look(self) -> None:
        """Measure what needs two moments: encoder speed."""
        now = time.monotonic()
        reached = {session: (now, session.slowest_dts) for session in self._door.sessions}
        self._speeds = {
            session.label: round((dts - self._reported[session][1]) / 1000 / (at - self._reported[session][0]), 3)
            for session, (at, dts) in reached.items()
            if dts >= 0 and session in self._reported and self._reported[session][1] >= 0
        }
        self._reported = reached

    def _summary(self, session: Session) -> dict[str, Any]:
        return {
            "stream": session.label,
            "session": session.name,
            "ingest_kbps": round(session.intake.meter.video_kbps),
            "frame_rate": round(usual_rate(session.intake.meter.frame_rate), 2),
            "renditions": session.rendition_names,
            "top": "encoded" if session.encoding_all else "copied",
            "encoder_speed": self._speeds.get(session.label),
            "time_to_first_segment": session.first_segment_seconds,
        }

    def status(self) -> dict[str, Any]:
        """For people and tests on this machine; never public."""
        return {
            "draining": self._door.draining,
            "capacity": self._settings.max_streams,
            "used": self._admission.used,
            "ingest": self._instances.status(),
            "streams": [
                self._summary(session)
                | {
                    "instance": session.client.partition("/")[0],
                    "encoder_pid": session.encoder_pid,
                    "idle_seconds": round(session.intake.idle_seconds, 2),
                    "lag_ms": session.lag_ms,
                }
                for session in self._door.sessions
            ],
        }


async def _client(stack: AsyncExitStack) -> aiohttp.ClientSession:
    """A client for one purpose: what is slow to answer takes no connection from anything else.

    Each purpose bounds its requests itself; nobody's cookies are kept.
    """
    connector = aiohttp.TCPConnector(limit=0)
    return await stack.enter_async_context(
        aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
    )
