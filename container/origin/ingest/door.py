"""Who may publish: nginx-rtmp's hooks, answered. One session for each publisher that was let in."""

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from origin.broadcast.intake import UnsupportedSourceError
from origin.broadcast.program import EncoderGivenUpError
from origin.broadcast.session import Session, SessionContext
from origin.cluster.registry import Answer, RegistryUnavailableError, StreamRegistry, StreamTakenError
from origin.cluster.renewal import keep
from origin.ingest import rtmp
from origin.ingest.authorization import Authority
from origin.ingest.refusals import Refusals
from origin.ingest.rtmp_source import RtmpSource
from origin.ingest.verdict import BackendUnavailableError, UnauthorizedError
from origin.logs import fingerprint
from origin.names import NAME
from origin.packaging.catalogue import Catalogue
from origin.packaging.stream import Stream

_LOG = logging.getLogger(__name__)

APP = "live"
Reason = Literal[
    "unauthorized",
    "backend_unavailable",
    "registry_unavailable",
    "capacity",
    "duplicate",
    "draining",
    "invalid_name",
    "unsupported_source",
]

# A healthy publisher sends something every 50 ms. Within this time of silence a second one is told from a comeback.
_GHOST_SECONDS = 1.2
_GOODBYE_SECONDS = 1.0
_CHECK_SECONDS = 0.05
_FLUSH_SECONDS = 1.0  # for FFmpeg to give out the last of a broadcast while its streamer waits to come back


class PublisherRefusedError(Exception):
    """The publisher is turned away for this reason."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(detail or reason)
        self.reason = reason


class Publisher(NamedTuple):
    """What nginx-rtmp says about a publisher. The name is the stream key."""

    name: str
    app: str
    addr: str
    client: str  # its connection: which nginx has it, and the number there
    port: int = 0  # on loopback: where that nginx plays what the publisher sends

    def __repr__(self) -> str:
        """Fit for logs and exceptions."""
        return f"Publisher({fingerprint(self.name)}, addr={self.addr!r}, client={self.client!r})"


@dataclass(eq=False)
class _Live:
    session: Session
    task: asyncio.Task[None]


Drop = Callable[[str, str], Awaitable[None]]


class Door:
    """Lets publishers in, runs their sessions, and sends them away."""

    def __init__(
        self,
        context: SessionContext,
        catalogue: Catalogue,
        backend: Authority,
        registry: StreamRegistry,
        drop: Drop,
        *,
        refusals: Refusals,
    ) -> None:
        """`drop` makes nginx hang up on the publisher of a name, if it is still that connection."""
        self.draining = False
        self._catalogue = catalogue
        self._context = context
        self._backend = backend
        self._registry = registry
        self._drop = drop
        self._live: dict[str, _Live] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._refusals = refusals

    @property
    def sessions(self) -> list[Session]:
        return [live.session for live in self._live.values()]

    async def publish(self, publisher: Publisher) -> None:
        """Let a publisher in, or raise PublisherRefusedError. When this returns, its session is already listening."""
        try:
            await self._admit(publisher)
        except PublisherRefusedError as refusal:
            self._refusals.tell(
                refusal.reason,
                {"detail": str(refusal), "key": fingerprint(publisher.name), "addr": publisher.addr},
            )
            raise

    async def _admit(self, publisher: Publisher) -> None:
        if publisher.app != APP or not NAME.fullmatch(publisher.name):
            raise PublisherRefusedError("invalid_name", _what_is_wrong(publisher.name))
        if self.draining:
            raise PublisherRefusedError("draining")
        try:
            playback_id = await self._backend.authorize(name=publisher.name, app=publisher.app, addr=publisher.addr)
        except UnauthorizedError as error:
            raise PublisherRefusedError("unauthorized", str(error)) from None
        except BackendUnavailableError as error:
            raise PublisherRefusedError("backend_unavailable", str(error)) from None
        with self._context.concealer.concealing(publisher.name):
            async with self._locks.setdefault(playback_id, asyncio.Lock()):
                await self._begin(publisher, playback_id)

    async def _begin(self, publisher: Publisher, playback_id: str) -> None:
        if present := self._live.get(playback_id):
            await self._displace(present, publisher.addr)
        if self.draining:
            raise PublisherRefusedError("draining")
        context = self._context
        name = _session_name()
        claim = object()
        if not context.admission.enter(claim):
            raise PublisherRefusedError(
                "capacity", f"{context.admission.used} of {context.admission.capacity} units are taken"
            )
        try:
            stream = await self._stream(publisher, playback_id, name)
            player = await self._listen(publisher, stream, name)
        except StreamTakenError as error:
            raise PublisherRefusedError("duplicate", str(error)) from None
        except RegistryUnavailableError as error:
            raise PublisherRefusedError("registry_unavailable", str(error)) from None
        else:
            source = RtmpSource(player)
            session = Session(name, publisher.name, stream, source, context, client=publisher.client)
            context.admission.hand_over(claim, session)
        finally:
            context.admission.release(claim)
        task = asyncio.create_task(self._run_concealed(session, playback_id))
        self._live[playback_id] = _Live(session, task)
        _LOG.info(
            "publisher let in",
            extra={"stream": stream.label, "key": fingerprint(publisher.name), "addr": publisher.addr, "session": name},
        )

    async def _stream(self, publisher: Publisher, playback_id: str, session: str) -> Stream:
        grant = await self._registry.acquire(playback_id, session)
        stream = None if grant.by_another else self._catalogue.go_on(playback_id)
        if stream is None:
            label = fingerprint(publisher.name) if playback_id == publisher.name else playback_id
            stream = self._catalogue.begin(playback_id, label, grant.position, continued=grant.continued)
        return stream

    async def _listen(self, publisher: Publisher, stream: Stream, session: str) -> rtmp.Player:
        try:
            return await rtmp.Player.connect("127.0.0.1", publisher.port, APP, publisher.name)
        except (OSError, EOFError, TimeoutError, rtmp.RtmpError) as error:  # EOFError: it hung up in the handshake
            await self._registry.release(stream.playback_id, session, stream.position)
            raise PublisherRefusedError("backend_unavailable", f"no RTMP from nginx: {type(error).__name__}") from None

    async def make_room(self, playback_id: str) -> Answer:
        """Another task has a publisher for this id, with the key: the same rule as for a second one here."""
        present = self._live.get(playback_id)
        if present is None:
            lock = self._locks.get(playback_id)
            # Being let in, or being given back: either way it is ours until the table says otherwise.
            here = (lock and lock.locked()) or self._registry.holds(playback_id)
            return Answer.WELL if here else Answer.ABSENT
        try:
            await self._displace(present, "another task")
        except PublisherRefusedError:
            return Answer.WELL
        return Answer.YIELDED

    async def _displace(self, present: _Live, addr: str) -> None:
        """Make room if the present publisher is a ghost: its network died and nginx does not know yet."""
        session = present.session
        heard = session.intake.meter.last_arrival
        while not present.task.done():
            if session.intake.meter.last_arrival > heard:
                raise PublisherRefusedError("duplicate", "the key is live and its publisher is well")
            if session.intake.idle_seconds > _GHOST_SECONDS:
                break
            await asyncio.sleep(_CHECK_SECONDS)
        if not present.task.done():
            _LOG.warning(
                "ghost displaced",
                extra={"stream": session.label, "idle": round(session.intake.idle_seconds, 2), "addr": addr},
            )
            await self._drop(session.key, session.client)
            session.stop()
            await asyncio.wait({present.task}, timeout=_FLUSH_SECONDS)
            session.hurry()
            await asyncio.wait({present.task})

    def done(self, publisher: Publisher) -> None:
        """A publisher has left. nginx also says so of one that was refused as a duplicate: compare the connection."""
        for live in self._live.values():
            if live.session.key == publisher.name and live.session.client == publisher.client:
                # Its last packets may still be on their way to us; the session ends by itself after them.
                asyncio.get_running_loop().call_later(_GOODBYE_SECONDS, live.session.stop)

    async def _run_concealed(self, session: Session, playback_id: str) -> None:
        with self._context.concealer.concealing(session.key):
            await self._run(session, playback_id)

    async def _run(self, session: Session, playback_id: str) -> None:
        reason: Reason | None = None
        began = time.monotonic()
        keeping = asyncio.create_task(keep(self._registry, session.stream, session.name, self._context.metrics))
        keeping.add_done_callback(lambda _: session.stop())
        try:
            await session.run()
        except UnsupportedSourceError as error:
            reason = "unsupported_source"
            _LOG.warning("source refused: %s", error, extra={"stream": session.label})
        except EncoderGivenUpError as error:
            reason = "unsupported_source"
            _LOG.warning("source refused: FFmpeg cannot encode it: %s", error, extra={"stream": session.label})
        except Exception:  # noqa: BLE001 # whatever it was, it must not take the other broadcasts along
            _LOG.exception("session failed", extra={"stream": session.label})
        finally:
            self._context.admission.release(session)
            if self._live.get(playback_id) and self._live[playback_id].session is session:
                del self._live[playback_id]
        if reason:
            self._context.metrics.rejected(reason)
        # For a publisher that is gone already this does nothing.
        await self._drop(session.key, session.client)
        if keeping.done():  # another task has the stream now, and what is here must not be taken for it
            self._catalogue.forget(session.stream)
        else:
            keeping.cancel()
        await self._registry.release(playback_id, session.name, session.stream.position)
        _LOG.info("broadcast over", extra={"stream": session.label, "seconds": round(time.monotonic() - began, 1)})

    def sweep(self) -> None:
        """End streams whose publisher did not come back, and forget the ones that ended a while ago."""
        self._refusals.sweep()
        for playback_id in self._catalogue.sweep(time.monotonic(), self._busy):
            self._locks.pop(playback_id, None)

    def _busy(self, playback_id: str) -> bool:
        """Whether a publisher has the id, or is being let in right now."""
        lock = self._locks.get(playback_id)
        return playback_id in self._live or bool(lock and lock.locked())

    async def close(self) -> None:
        """Send every publisher away and finish every playlist."""
        for live in list(self._live.values()):
            await self._drop(live.session.key, live.session.client)
            live.session.stop()
        tasks = {live.task for live in self._live.values()}
        if tasks:
            await asyncio.wait(tasks, timeout=10)
        self._catalogue.end()


def _what_is_wrong(name: str) -> str:
    """With a stream key, without a part of it."""
    if not name:
        return "the stream key is empty; in OBS it goes into Settings, Stream, Stream Key"
    if "/" in name:
        return "the stream key has a slash; the server ends with /live, and the key is what comes after that"
    return f"stream keys match {NAME.pattern}"


def _session_name() -> str:
    """Unique for each publish session, so that a media name never means two things to a cache."""
    return f"{int(time.time()):x}{secrets.token_hex(3)}"
