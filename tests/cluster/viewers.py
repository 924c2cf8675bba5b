"""Low-latency viewers without a picture: blocking reloads, every new part, every playlist checked."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Self

import aiohttp

from tests.cluster.loops import Loop
from tests.container.checker import Checker, Playlist, PlaylistError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.cluster.network import Host

PATIENCE_SECONDS = 10  # hls.js: maxTimeToFirstByteMs
RETRY_SECONDS = 1  # hls.js: retryDelayMs
MEDIA_ATTEMPTS = 3  # what is still missing then is skipped


class Failure(NamedTuple):
    """A request that was not answered with 200."""

    at: float
    took: float
    what: str  # "404 playlist", "time-out part"


class Seen(NamedTuple):
    """A whole segment, when its viewer first knew of it (seconds since 1970)."""

    at: float
    msn: int
    discontinuity_sequence: int


@dataclass
class Viewer:
    """One viewer of one rendition."""

    base: str  # http://<balancer>/hls/<id>/<rendition>
    checker: Checker
    requests: int = 0
    failures: list[Failure] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)  # broken rules of playlists
    media: list[float] = field(default_factory=list)  # arrivals of new media, in seconds since 1970
    segments: list[Seen] = field(default_factory=list)
    ended: bool = False
    _next: tuple[int, int] = (0, 0)  # the media sequence number and part that come next
    _joined: int = 0  # the media sequence number of the first segment that it plays

    async def watch(self, http: aiohttp.ClientSession) -> None:
        """Watch until the playlist ends or the task is cancelled."""
        query = ""
        while not self.ended:
            body = await self._get(http, f"index.m3u8{query}", "playlist")
            query = ""
            if body is None:
                await asyncio.sleep(RETRY_SECONDS)
                continue
            try:
                playlist = self.checker.check(body.decode())
            except PlaylistError as error:
                self.problems.append(str(error))
                await asyncio.sleep(RETRY_SECONDS)
                continue
            await self._take(http, playlist)
            self.ended = playlist.ended
            query = "?_HLS_msn={}&_HLS_part={}".format(*playlist.next_part)

    async def _take(self, http: aiohttp.ClientSession, playlist: Playlist) -> None:
        if self._next == (0, 0):  # the newest segment is where a player begins
            self._joined = playlist.segments[-1].msn
            self._next = (self._joined, 0)
        if playlist.next_part < self._next and not playlist.ended:
            self.problems.append(f"the live edge went back from {self._next} to {playlist.next_part}")
        known = self.segments[-1].msn if self.segments else -1
        for segment in playlist.segments:
            if segment.complete and segment.msn > known:
                self.segments.append(Seen(time.time(), segment.msn, segment.discontinuity_sequence))
            if segment.msn < self._next[0] or segment.gap:
                continue
            first = self._next[1] if segment.msn == self._next[0] else 0
            names = [part.uri for part in segment.parts[first:]]
            if not segment.parts and segment.complete:
                names = [segment.uri]
            for name in names:
                await self._fetch(http, name)
        self._next = max(self._next, playlist.next_part)

    async def _fetch(self, http: aiohttp.ClientSession, name: str) -> None:
        for attempt in range(MEDIA_ATTEMPTS):
            if attempt:
                await asyncio.sleep(RETRY_SECONDS)
            if await self._get(http, name, "media") is not None:
                self.media.append(time.time())
                return

    async def _get(self, http: aiohttp.ClientSession, name: str, kind: str) -> bytes | None:
        self.requests += 1
        began = time.time()
        try:
            async with http.get(f"{self.base}/{name}") as response:
                body = await response.read()
                if response.status == 200:
                    return body
                what = f"{response.status} {kind}"
        except TimeoutError:
            what = f"time-out {kind}"
        except aiohttp.ClientError as error:
            what = f"{type(error).__name__} {kind}"
        self.failures.append(Failure(began, time.time() - began, what))
        return None

    @property
    def discontinuities(self) -> int:
        """How many it played over; what was in the playlist's window before it joined is not shown."""
        return len({seen.discontinuity_sequence for seen in self.segments if seen.msn >= self._joined}) - 1

    def longest_gap(self, until: float) -> float:
        """Seconds without new media, at most."""
        times = self.media if self.ended else [*self.media, until]
        return max((after - before for before, after in itertools.pairwise(times)), default=0.0)


@dataclass(frozen=True)
class Figures:
    """What an audience saw, all together."""

    viewers: int
    requests: int
    failures: Counter[str]
    slowest_failure: float
    longest_gap: float
    discontinuities: int  # at one viewer, at most

    def __str__(self) -> str:
        failed = ", ".join(f"{count} x {what}" for what, count in self.failures.most_common())
        text = f"{self.viewers} viewers, {self.requests} requests, {sum(self.failures.values())} failed"
        text += f" ({failed}; slowest {self.slowest_failure:.1f} s)" if failed else ""
        return f"{text}, longest gap {self.longest_gap:.1f} s, {self.discontinuities} discontinuities"


class Audience:
    """Viewers of some broadcasts, spread evenly over them and their renditions."""

    def __init__(
        self, host: Host, url: str, playback_ids: Sequence[str], renditions: Sequence[str], count: int
    ) -> None:
        places = itertools.cycle(itertools.product(renditions, playback_ids))
        self.viewers = [
            Viewer(f"{url}/hls/{playback_id}/{rendition}", Checker(renditions=len(renditions)))
            for rendition, playback_id in itertools.islice(places, count)
        ]
        self._loop = Loop(host)
        self._watching = asyncio.run_coroutine_threadsafe(self._watch(), self._loop.loop)
        self._until: float | None = None

    async def _watch(self) -> None:
        timeout = aiohttp.ClientTimeout(total=PATIENCE_SECONDS)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as http:
            await asyncio.gather(*(viewer.watch(http) for viewer in self.viewers))

    def of(self, playback_id: str) -> list[Viewer]:
        return [viewer for viewer in self.viewers if f"/{playback_id}/" in viewer.base]

    @property
    def requests(self) -> int:
        return sum(viewer.requests for viewer in self.viewers)

    def failures(self, since: float = 0) -> list[Failure]:
        """Failed requests that began after this moment."""
        return [failure for viewer in self.viewers for failure in viewer.failures if failure.at >= since]

    @property
    def problems(self) -> list[str]:
        return [problem for viewer in self.viewers for problem in viewer.problems]

    def watching(self, since: float) -> bool:
        """Whether every viewer got new media after this moment."""
        return all(viewer.media and viewer.media[-1] > since for viewer in self.viewers)

    def stop(self) -> Figures:
        """Send them home, and say what they saw."""
        if self._until is None:
            self._until = time.time()
            self._loop.__exit__()
        if self._watching.done() and not self._watching.cancelled() and (error := self._watching.exception()):
            raise error
        failures = self.failures()
        return Figures(
            viewers=len(self.viewers),
            requests=self.requests,
            failures=Counter(failure.what for failure in failures),
            slowest_failure=max((failure.took for failure in failures), default=0.0),
            longest_gap=max(viewer.longest_gap(self._until) for viewer in self.viewers),
            discontinuities=max(viewer.discontinuities for viewer in self.viewers),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
