"""What viewers get: playlists, parts, segments. Requests in, responses out; no socket in sight.

Cache headers agree with the CloudFront policies: playlists a second, media for good, errors a second.
"""

import asyncio
import gzip
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode
from weakref import WeakKeyDictionary

from origin.packaging import playlists
from origin.packaging.rendition import Rendition
from origin.packaging.segments import Part, Segment
from origin.packaging.stream import Stream
from origin.packaging.window import Window
from origin.settings import Settings

PLAYLIST_TYPE = "application/vnd.apple.mpegurl"
FOR_A_SECOND = "max-age=1"
FOR_GOOD = "public, max-age=86400, immutable"
_READY_SECONDS = 10
_PART_PATIENCE = 6  # part targets
_BLOCKED_TARGET_DURATIONS = 3  # RFC 8216bis 6.2.5.2
_GZIP_LEVEL = 4
_POLL_SECONDS = 0.05


class Response(NamedTuple):
    """Status, body and the headers that differ."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain"
    cache_control: str = FOR_A_SECOND
    gzipped: bool = False
    more: tuple[bytes, ...] = ()  # what follows the body: a segment's parts, as they lie in memory for all who ask


NOT_FOUND = Response(404, b"not found\n")
_TOO_FAR = Response(400, b"_HLS_msn and _HLS_part must be near the live edge\n")
_LATE = Response(503, b"nothing new in time\n")


class BadDirectiveError(ValueError):
    """Delivery directives that do not parse or do not go together."""


@dataclass(frozen=True, slots=True)
class Directives:
    """The `_HLS_` parameters of a playlist request (RFC 8216bis 6.2.5)."""

    msn: int | None = None
    part: int | None = None
    skip: bool = False

    @classmethod
    def parse(cls, query: str) -> "Directives":
        """BadDirectiveError for numbers that are none, or a part without its segment."""
        if "_HLS_" not in query:
            return _NO_DIRECTIVES
        values = dict(parse_qsl(query, keep_blank_values=True))
        numbers = [values.get(name) for name in ("_HLS_msn", "_HLS_part")]
        if any(number is not None and not (number.isdecimal() and len(number) < 16) for number in numbers):
            raise BadDirectiveError(query)
        msn, part = (None if number is None else int(number) for number in numbers)
        if part is not None and msn is None:
            raise BadDirectiveError(query)
        return cls(msn, part, values.get("_HLS_skip") in {"YES", "v2"})

    @property
    def query(self) -> str:
        """The same for all that mean the same."""
        numbers = {"_HLS_msn": self.msn, "_HLS_part": self.part}
        named: dict[str, object] = {name: number for name, number in numbers.items() if number is not None}
        return urlencode(named | {"_HLS_skip": "YES"} if self.skip else named)


_NO_DIRECTIVES = Directives()


class Delivery:
    """Answers requests below /hls/ from the streams of this task."""

    def __init__(self, streams: Mapping[str, Stream], settings: Settings) -> None:
        self._streams = streams
        self._settings = settings
        self._rendered: WeakKeyDictionary[Window, _Rendered] = WeakKeyDictionary()
        # Whole pictures make parts shorter than what was asked for; the target is what none exceeds.
        self._advance_parts = max(3, 3000 / settings.part_ms)

    @property
    def longest_hold_seconds(self) -> float:
        """No request waits for longer than this."""
        blocked = _BLOCKED_TARGET_DURATIONS * math.ceil(self._settings.segment_seconds)
        return max(_READY_SECONDS, blocked, self._part_patience_seconds)

    @property
    def _part_patience_seconds(self) -> float:
        return _PART_PATIENCE * self._settings.part_ms / 1000

    def stream(self, playback_id: str) -> Stream | None:
        return self._streams.get(playback_id)

    async def get(self, path: str, query: str, *, gzip_accepted: bool) -> Response:
        """The response to `GET /hls/<path>?<query>`."""
        playback_id, _, rest = path.partition("/")
        stream = self._streams.get(playback_id)
        if stream is None:
            return NOT_FOUND
        if rest == "master.m3u8":
            return await self._multivariant(stream, gzip_accepted=gzip_accepted)
        name, _, file = rest.partition("/")
        rendition = stream.renditions.get(name)
        if rendition is None:
            return NOT_FOUND
        if file == "index.m3u8":
            return await self._playlist(stream, rendition, query, gzip_accepted=gzip_accepted)
        return await self._media(rendition.window, file)

    async def _multivariant(self, stream: Stream, *, gzip_accepted: bool) -> Response:
        try:
            async with asyncio.timeout(_READY_SECONDS):
                while stream.live and not stream.renditions:  # noqa: ASYNC110 # a moment, until the first picture
                    await asyncio.sleep(_POLL_SECONDS)
                # A first part tells all that is said here, and players get ready while the first segment grows.
                for rendition in list(stream.renditions.values()):
                    while not rendition.window.begun:
                        await rendition.window.changed()
        except TimeoutError:
            return NOT_FOUND
        if not stream.renditions:
            return NOT_FOUND
        text = playlists.multivariant(variant(stream, rendition) for rendition in stream.renditions.values())
        return _playlist(_Body.of(text), gzip_accepted=gzip_accepted)

    async def _playlist(self, stream: Stream, rendition: Rendition, query: str, *, gzip_accepted: bool) -> Response:
        try:
            directives = Directives.parse(query)
        except BadDirectiveError:
            return _TOO_FAR
        window = rendition.window
        if directives.msn is None:
            # A playlist without a whole segment makes players back off: hold it until there is one.
            if not await _until(window, lambda: window.playable, _READY_SECONDS):
                return NOT_FOUND
        else:
            msn, part = directives.msn, directives.part
            if self._too_far(window, msn, part):
                return _TOO_FAR
            patience = _BLOCKED_TARGET_DURATIONS * stream.timeline.target_duration
            if not await _until(window, lambda: window.has(msn, part), patience):
                return _LATE
        # Each playlist reports on all others (RFC 8216bis B.1), so that each of these must have begun.
        if _begun(stream) < len(stream.renditions):
            for other in list(stream.renditions.values()):
                if not await _until(other.window, partial(bool, other.window.segments), _READY_SECONDS):
                    return _LATE
        return _playlist(self._body(stream, rendition, skip=directives.skip), gzip_accepted=gzip_accepted)

    def _too_far(self, window: Window, msn: int, part: int | None) -> bool:
        if window.ended:
            return False
        next_msn, next_part = window.next_part
        last = window.segments[-1].msn if window.segments else next_msn - 1
        if part is None or msn < next_msn:
            return msn > last + 2
        # Of a segment after the next part's nothing is known but that it begins with part 0: without a limit, every
        # number would be a request of its own that is held, here and on its way to another task.
        begun = next_part if msn == next_msn else 0
        return msn > last + 2 or part > begun + self._advance_parts

    def _body(self, stream: Stream, rendition: Rendition, *, skip: bool) -> "_Body":
        rendered = self._rendered.get(rendition.window)
        if rendered is None or rendered.version != rendition.window.version:
            rendered = self._rendered[rendition.window] = _Rendered(rendition.window.version)
        # What it reports on others changes with it, a part at most behind them, but for which of them there are.
        kind = (skip, _begun(stream))
        body = rendered.bodies.get(kind)
        if body is None:
            form = playlists.Form(
                target_seconds=stream.timeline.target_duration,
                part_target_ms=stream.part_target_ms,
                listed_segments=self._settings.playlist_segments,
            )
            windows = {name: each.window for name, each in stream.renditions.items()}
            body = rendered.bodies[kind] = _Body.of(playlists.media(rendition.name, windows, form, skip=skip))
        return body

    async def _media(self, window: Window, file: str) -> Response:
        media = window.media.get(file)
        if media is None and file == window.hint:
            await _until(window, lambda: file in window.media, self._part_patience_seconds)
            media = window.media.get(file)
        match media:
            case Part():
                return Response(200, media.data, "video/mp4", FOR_GOOD)
            case Segment() if media.complete and media.parts:
                first, *more = (part.data for part in media.parts)
                return Response(200, first, "video/mp4", FOR_GOOD, more=tuple(more))
            case bytes():
                return Response(200, media, "video/mp4", FOR_GOOD)
        return NOT_FOUND


def _begun(stream: Stream) -> int:
    """How many of its renditions have something."""
    return sum([bool(each.window.segments) for each in stream.renditions.values()])


async def _until(window: Window, condition: Callable[[], bool], seconds: float) -> bool:
    if condition():
        return True
    try:
        async with asyncio.timeout(seconds):
            while not condition():
                await window.changed()
    except TimeoutError:
        return False
    return True


@dataclass(slots=True)
class _Body:
    """A playlist's bytes, compressed once for all who ask."""

    plain: bytes
    packed: bytes = b""

    @classmethod
    def of(cls, text: str) -> "_Body":
        return cls(text.encode())

    @property
    def gzipped(self) -> bytes:
        if not self.packed:
            self.packed = gzip.compress(self.plain, _GZIP_LEVEL, mtime=0)
        return self.packed


@dataclass(slots=True)
class _Rendered:
    """A window's playlists as they are at a version of it, by what else makes them differ."""

    version: int
    bodies: dict[tuple[bool, int], _Body] = field(default_factory=dict)


def _playlist(body: _Body, *, gzip_accepted: bool) -> Response:
    return Response(200, body.gzipped if gzip_accepted else body.plain, PLAYLIST_TYPE, gzipped=gzip_accepted)


def variant(stream: Stream, rendition: Rendition) -> playlists.Variant:
    """A rendition's line in the multivariant playlist: what was measured, and never less than what was configured."""
    picture, sound, rates = rendition.segmenter.picture, stream.sound, rendition.rates
    assert picture
    assert sound
    video_kbps, audio_kbps = stream.kbps[rendition.name]
    average = max((video_kbps + audio_kbps) * 1000, rates.average_kbps * 1000)
    peak = max(average * 1.1, rates.peak_kbps * 1100)
    return playlists.Variant(
        name=rendition.name,
        bandwidth=round(peak),
        average_bandwidth=round(average),
        width=picture.shown[0],
        height=picture.shown[1],
        frame_rate=rates.frame_rate,
        codecs=f"{rendition.segmenter.codec},{sound.codec_name}",
    )
