"""Any viewer on any task: a request is answered from here, or by the task that has the stream."""

import asyncio
import gzip
import logging
import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakSet

from origin.cluster.registry import Holder, RegistryBusyError, StreamRegistry
from origin.collapse import Collapsed
from origin.delivery.answers import NOT_FOUND, BadDirectiveError, Delivery, Directives, Response
from origin.delivery.cache import Cache
from origin.delivery.peers import PeerBusyError, PeerError, Peers
from origin.names import NAME

if TYPE_CHECKING:
    from origin.packaging.stream import Stream

_LOG = logging.getLogger(__name__)

# All that a holder could have: an id and a multivariant playlist, or a rendition's playlist, part, segment or init.
# Nothing in it can be read as another path (RFC 3986 5.2.4, 6.2.2): no empty or dotted segments, nothing encoded.
_PATH = re.compile(rf"({NAME.pattern})/(master\.m3u8|[A-Za-z0-9]{{1,16}}/(?=.{{1,80}}$)[A-Za-z0-9]+(\.[A-Za-z0-9]+)+)")
_HANDOVERS = 2  # the holder asked first, and the one after it
_SPARE_SECONDS = 5
_LOOK_SECONDS = 1
_COMPLAIN_SECONDS = 10
_BUSY = Response(503, b"too much is being asked, ask again\n")
_BAD_DIRECTIVES = "_HLS_msn="  # stands for all that do not parse


class _Question(NamedTuple):
    """What another task is asked, and nothing that does not count: strangers' parameters cost no fetch of their own."""

    playback_id: str
    target: str

    @classmethod
    def of(cls, playback_id: str, path: str, query: str) -> "_Question":
        if not path.endswith("/index.m3u8"):
            return cls(playback_id, path)
        try:
            directives = Directives.parse(query)
        except BadDirectiveError:
            return cls(playback_id, f"{path}?{_BAD_DIRECTIVES}")
        text = directives.query
        return cls(playback_id, f"{path}?{text}" if text else path)


class Router:
    """Local streams from delivery, others from their holders: one fetch for many viewers, kept as its headers say."""

    def __init__(self, delivery: Delivery, registry: StreamRegistry, peers: Peers, *, cache_bytes: int) -> None:
        self._delivery = delivery
        self._registry = registry
        self._peers = peers
        self._cache = Cache(cache_bytes)
        self._fetching: Collapsed[Response | None] = Collapsed()
        self._patience = delivery.longest_hold_seconds + _SPARE_SECONDS
        # Local streams that another task was seen to go on with: their end is not the end of the broadcast.
        self._superseded: WeakSet[Stream] = WeakSet()
        self._failures = self._unlogged = self._refusals = 0
        self._complained = float("-inf")

    async def get(self, path: str, query: str, *, gzip_accepted: bool, hop: bool) -> Response:
        """The response to `GET /hls/<path>?<query>`.

        `hop`: another task asks. It gets what there is here, and nobody else is asked: two tasks
        that take each other for the holder make no loop.
        """
        playback_id = path.partition("/")[0]
        if self._registry.holds(playback_id):
            return await self._delivery.get(path, query, gzip_accepted=gzip_accepted)
        if not _PATH.fullmatch(path) or (hop and not self._delivery.stream(playback_id)):
            return NOT_FOUND
        try:
            return await self._route(path, query, gzip_accepted=gzip_accepted, hop=hop)
        except RegistryBusyError:
            self._refusals += 1
            return _BUSY

    async def _route(self, path: str, query: str, *, gzip_accepted: bool, hop: bool) -> Response:
        playback_id = path.partition("/")[0]
        failed: Holder | None = None
        for _ in range(_HANDOVERS):
            holder = await self._registry.holder(playback_id)
            if self._is_here(playback_id, holder):
                return await self._delivery.get(path, query, gzip_accepted=gzip_accepted)
            if holder is None or holder in {self._registry.me, failed} or hop:
                break
            response = await self._from(holder, _Question.of(playback_id, path, query))
            if response:
                return _decoded(response, gzip_accepted=gzip_accepted)
            failed = holder
        return NOT_FOUND

    def failures(self) -> int:
        """How many fetches failed since the last look."""
        count, self._failures = self._failures, 0
        return count

    def refusals(self) -> int:
        """How many requests were told to ask again since the last look."""
        count, self._refusals = self._refusals, 0
        return count

    def _is_here(self, playback_id: str, holder: Holder | None) -> bool:
        """Whether what is here of a stream is what viewers are to get."""
        stream = self._delivery.stream(playback_id)
        if holder is not None and holder != self._registry.me:
            if stream:
                self._superseded.add(stream)
            return False
        if stream is None:
            return False
        # Nobody has it: then only the end of a broadcast may be shown, and only if it was the last one.
        return holder is not None or (stream.ended and stream not in self._superseded)

    async def _from(self, holder: Holder, question: _Question) -> Response | None:
        """The holder's answer; None if there is none to be had."""
        key = f"{holder.task}/{question.target}"
        return self._cache.get(key) or await self._fetching.get(key, lambda: self._fetch(holder, question, key))

    async def _fetch(self, holder: Holder, question: _Question, key: str) -> Response | None:
        asking = asyncio.create_task(self._peers.get(holder, question.target, seconds=self._patience))
        leaving = asyncio.create_task(self._left(holder, question.playback_id))
        try:
            await asyncio.wait({asking, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                raise PeerError("silent, and not the holder any more")  # noqa: TRY301 # handled like its other failures
            response = asking.result()
        except PeerError as error:
            self._complain(holder, error)
            return _BUSY if isinstance(error, PeerBusyError) else None
        finally:
            asking.cancel()
            leaving.cancel()
        self._cache.put(key, response)
        return response

    async def _left(self, holder: Holder, playback_id: str) -> None:
        """Return when the registry does not name this holder any more: nothing else tells of one that went silent."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            with suppress(RegistryBusyError):  # then nothing tells that it left
                if await self._registry.holder(playback_id) != holder:
                    return

    def _complain(self, holder: Holder, error: PeerError) -> None:
        self._failures += 1
        self._unlogged += 1
        now = time.monotonic()
        if now - self._complained >= _COMPLAIN_SECONDS:
            extra = {"peer": holder.task, "failures": self._unlogged}
            _LOG.warning("no answer from the task that has a stream: %s", error, extra=extra)
            self._complained, self._unlogged = now, 0


def _decoded(response: Response, *, gzip_accepted: bool) -> Response:
    if response.gzipped and not gzip_accepted:
        return response._replace(body=gzip.decompress(response.body), gzipped=False)
    return response
