"""Any viewer on any task: a request is answered from here, or by the task that has the stream."""

import asyncio
import gzip
import logging
import math
import re
import time
from urllib.parse import parse_qsl, urlencode

from origin.cache import Cache
from origin.delivery import NOT_FOUND, Delivery, Response
from origin.leases import LOOK_SECONDS
from origin.metrics import Metrics
from origin.peers import PeerError, Peers
from origin.registry import Holder, StreamRegistry
from origin.settings import Settings

_LOG = logging.getLogger(__name__)

# All that a holder could have: an id and a multivariant playlist, or a rendition's playlist, part, segment or init.
_PATH = re.compile(r"([A-Za-z0-9_-]{1,128})/(master\.m3u8|[A-Za-z0-9]{1,16}/[A-Za-z0-9]+(\.[A-Za-z0-9]+){1,8})")
_DIRECTIVES = ("_HLS_msn", "_HLS_part", "_HLS_skip")
_LONGEST_NAME = 100
_HANDOVERS = 2  # the holder asked first, and the one after it
_READY_SECONDS = 10  # delivery holds a request for a stream that is just beginning for that long
_SPARE_SECONDS = 5
_COMPLAIN_SECONDS = 10


class Router:
    """Local streams from delivery, others from their holders: one fetch for many viewers, kept as its headers say."""

    def __init__(
        self, delivery: Delivery, registry: StreamRegistry, peers: Peers, settings: Settings, metrics: Metrics
    ) -> None:
        self._delivery = delivery
        self._registry = registry
        self._peers = peers
        self._metrics = metrics
        self._cache = Cache(settings.peer_cache_bytes)
        self._fetching: dict[str, asyncio.Task[Response]] = {}
        # Longer than any holder that is well holds a request (RFC 8216bis 6.2.5.2).
        self._patience = max(_READY_SECONDS, 3 * math.ceil(settings.segment_seconds)) + _SPARE_SECONDS
        self._complained = float("-inf")

    async def get(self, path: str, query: str, *, gzip_accepted: bool, hop: bool) -> Response:
        """The response to `GET /hls/<path>?<query>`; `hop`: another task asks, so that nobody else is asked."""
        playback_id = path.partition("/")[0]
        if self._registry.holds(playback_id):
            return await self._delivery.get(path, query, gzip_accepted=gzip_accepted)
        known = _PATH.fullmatch(path)
        if known is None or len(path) > len(playback_id) + _LONGEST_NAME:
            return NOT_FOUND
        if hop and not self._delivery.has(playback_id):
            return NOT_FOUND
        for _ in range(_HANDOVERS):
            holder = await self._registry.holder(playback_id)
            if holder is None or holder == self._registry.me:
                # Nobody's, or ours as far as anyone can tell: what is left of it here, if anything is.
                return await self._delivery.get(path, query, gzip_accepted=gzip_accepted)
            if hop:
                break
            try:
                response = await self._from(holder, playback_id, _target(path, query))
            except PeerError as error:
                self._complain(holder, error)
            else:
                return _decoded(response, gzip_accepted=gzip_accepted)
        return NOT_FOUND

    async def _from(self, holder: Holder, playback_id: str, target: str) -> Response:
        key = f"{holder.task}/{target}"
        if kept := self._cache.get(key):
            return kept
        task = self._fetching.get(key)
        if task is None:
            task = self._fetching[key] = asyncio.create_task(self._fetch(holder, playback_id, target, key))
            task.add_done_callback(lambda _: self._fetching.pop(key, None))
        return await asyncio.shield(task)

    async def _fetch(self, holder: Holder, playback_id: str, target: str, key: str) -> Response:
        """PeerError when the holder does not answer, or while it is silent stops being the holder."""
        asking = asyncio.create_task(self._peers.get(holder, target, seconds=self._patience))
        try:
            while not (await asyncio.wait({asking}, timeout=LOOK_SECONDS))[0]:
                if await self._registry.holder(playback_id) != holder:
                    raise PeerError("silent, and not the holder any more")
            response = asking.result()
        finally:
            asking.cancel()
        self._cache.put(key, response)
        return response

    def _complain(self, holder: Holder, error: PeerError) -> None:
        self._metrics.emit({"PeerFailures": (1, "Count")}, properties={"peer": holder.task})
        now = time.monotonic()
        if now - self._complained > _COMPLAIN_SECONDS:
            self._complained = now
            _LOG.warning("no answer from the task that has a stream: %s", error, extra={"peer": holder.task})


def _target(path: str, query: str) -> str:
    """What is asked for, and nothing that does not count: strangers' parameters cost no fetch of their own."""
    if not path.endswith("/index.m3u8") or "_HLS_" not in query:
        return path
    values = dict(parse_qsl(query, keep_blank_values=True))
    return f"{path}?{urlencode([(name, values[name]) for name in _DIRECTIVES if name in values])}"


def _decoded(response: Response, *, gzip_accepted: bool) -> Response:
    if response.gzipped and not gzip_accepted:
        return response._replace(body=gzip.decompress(response.body), gzipped=False)
    return response
