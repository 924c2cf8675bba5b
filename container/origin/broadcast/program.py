"""What is made of a source right now: a generation, the renditions that are copied, and the FFmpeg for the others."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from origin.broadcast.encoder import Chatter, Encoder, KeyFrames
from origin.broadcast.meter import GopCache
from origin.media.codecs import picture
from origin.media.packets import Media, VideoConfig, VideoPacket
from origin.packaging.ladder import RenditionPlan
from origin.packaging.rendition import Rendition
from origin.packaging.segmenter import Segmenter
from origin.packaging.stream import Stream
from origin.packaging.timeline import Generation

_LOG = logging.getLogger(__name__)

_FLUSH_SECONDS = 5
# A source that pauses: so long after its last picture FFmpeg has nothing more to give, but for what it keeps for order.
_AT_REST_SECONDS, _KEPT_MS, _PATIENCE_MS = 0.2, 250, 1500
_HELD_PICTURES = 3  # the newest, the one that it works on, and the one before, whose length it does not know yet
_BACKLOG_BYTES = 64 << 20  # of origin's memory, whatever the bit rate; the cache that a new FFmpeg gets has a quarter
_RESTART_DELAYS_SECONDS = (0.0, 0.2, 0.5, 0.5)  # before each restart in a row that gave no picture
_CRASHES_PER_MINUTE = 8


class EncoderGivenUpError(Exception):
    """FFmpeg cannot do anything with this source; the text is the last that it said."""


@dataclass(frozen=True, kw_only=True)
class Events:
    """What a program tells the session that runs it."""

    advanced: Callable[[], None]  # something was packaged
    crashed: Callable[[], None]
    lost: Callable[[str], None]  # encoding has to begin anew at the next key frame, for this reason
    behind: Callable[[], None]  # as `lost`, with less to encode: FFmpeg does not keep up
    failed: Callable[[Exception], None]  # EncoderGivenUpError


@dataclass(frozen=True, slots=True)
class _Lag:
    """How things stood when an encoder was found to be behind."""

    at: int  # ms of the source
    ms: int
    pictures_out: int
    seen: float  # the loop's time


class Program:
    """One way of making a stream's renditions, until the source or the decision about it changes."""

    def __init__(
        self,
        stream: Stream,
        generation: Generation,
        plans: Sequence[RenditionPlan],
        config: VideoConfig,
        cache: GopCache,
        *,
        segment_ms: int,
        patience_seconds: float,
        events: Events,
        chatter: Chatter,
    ) -> None:
        self.generation = generation
        self.plans = plans
        self.encoder: Encoder | None = None
        self._stream = stream
        self._config = config
        self._cache = cache
        self._segment_ms = segment_ms
        self._patience_seconds, self._patience_ms = patience_seconds, 1000 * patience_seconds
        self._events = events
        self._chatter = chatter
        self._encoded_plans = [plan for plan in plans if not plan.copied]
        renditions = dict(zip(plans, stream.prepare(plans), strict=True))
        # Renditions of an earlier session with a larger picture, or left out because FFmpeg did not keep up: their
        # viewers go on with the top one of those that there are.
        others = [each for each in stream.renditions.values() if each not in renditions.values()]
        self.copied = [renditions[plan] for plan in plans if plan.copied]
        self.encoded = [renditions[plan] for plan in self._encoded_plans]
        self._like_top_encoded = [] if self.copied else others
        self.copied += others if self.copied else []
        self._watcher: asyncio.Task[None] | None = None
        self._retired = False
        self._barren_runs = 0
        self._crashes: list[float] = []
        self._lag: _Lag | None = None
        self._newest: int | None = None  # dts of the last picture that came
        self._too_slow = False
        self._gave = 0.0  # when FFmpeg gave something last

    @property
    def renditions(self) -> list[Rendition]:
        return [*self.copied, *self.encoded]

    @property
    def resume_point(self) -> int:
        """Where an encoder would have to begin now, in ms: the earliest segment that an encoded rendition is in."""
        return min((self._position(each) for each in self.encoded), default=self.generation.start_pts)

    def _position(self, rendition: Rendition) -> int:
        segmenter = rendition.segmenter
        return segmenter.position if segmenter.generation is self.generation else self.generation.start_pts

    def start(self, keys: KeyFrames, now: float, *, after: "Program | None") -> None:
        """Begin; what the program before has still to give out comes first."""
        for rendition in self.copied:
            rendition.segmenter.begin(self.generation, now)
            rendition.segmenter.configure(self._config)
        if self.encoded:
            since = self.generation.start_pts if keys.start_ms is None else keys.start_ms
            self._encode(keys, since, after.encoder if after else None)

    def feed(self, packet: VideoPacket, now: float) -> None:
        """The next picture of the source. `now`, here and elsewhere, is the loop's time."""
        if self.encoder:
            self.encoder.encode(packet)
        for rendition in self.copied:
            rendition.segmenter.add(packet, now)
        self._check_pace(packet.dts, now)

    def hold(self, until: int, newest: int, now: float) -> None:
        """The newest picture, of the second time, is shown until the first one, in ms of presentation, at least."""
        for rendition in self.copied:
            rendition.segmenter.hold(until, now, newest=newest)
        for rendition in [*self.encoded, *self._like_top_encoded]:
            segmenter = rendition.segmenter
            # What FFmpeg works on is waited for, but not for ever: of some sources it keeps the last pictures.
            at_rest = now - self._gave >= _AT_REST_SECONDS and segmenter.newest_dts >= newest - _KEPT_MS
            if segmenter.generation is self.generation and (at_rest or until - newest > _PATIENCE_MS):
                segmenter.hold(until, now, newest=newest)

    @property
    def held_until(self) -> int | None:
        """Up to when a pause is out already, in ms of presentation, if there is one."""
        held = [each.segmenter.held_until for each in self.renditions if each.segmenter.generation is self.generation]
        return max((until for until in held if until is not None), default=None)

    @property
    def can_repeat(self) -> bool:
        """Whether every rendition can go on for ever with the picture that it has."""
        return all(each.segmenter.can_repeat for each in self.renditions)

    def retire(self, now: float, *, sound_until: int | None = None) -> None:
        """No more pictures. What was copied ends here, FFmpeg gives out the rest, unless it is too far behind."""
        self._retired = True
        if self.encoder and self._too_slow:
            self.encoder.kill()
        elif self.encoder:
            self.encoder.finish()
        if sound_until is not None:
            for rendition in self.copied:
                rendition.segmenter.finish(now, sound_until=sound_until)

    def hurry(self) -> None:
        """Leave out what is not out yet."""
        if self.encoder:
            self.encoder.kill()

    async def finish(self) -> None:
        """Return when everything is out."""
        self.retire(asyncio.get_running_loop().time())
        if self.encoder is None:
            return
        try:
            async with asyncio.timeout(_FLUSH_SECONDS):
                await self.encoder.ended.wait()
        except TimeoutError:
            _LOG.warning("FFmpeg does not end, killing it", extra={"stream": self._stream.label})
            self.encoder.kill()
            await self.encoder.ended.wait()

    # --- encoding ---

    def _encode(self, keys: KeyFrames, since: int, before: Encoder | None) -> None:
        encoder = Encoder(
            self._stream.label,
            picture(self._config),
            self._encoded_plans,
            keys,
            self._sink,
            chatter=self._chatter,
            after=before,
        )
        encoder.configure(self._config)
        for packet in self._cache.since(since) or []:
            encoder.encode(packet)
        self.encoder, self._lag = encoder, None
        self._watcher = asyncio.create_task(self._watch(encoder))

    def _sink(self, name: str, media: Media) -> None:
        rendition, now = self._stream.renditions[name], asyncio.get_running_loop().time()
        self._gave = now
        self._take(rendition.segmenter, media, now)
        if rendition is self.encoded[0]:
            for follower in self._like_top_encoded:
                self._take(follower.segmenter, media, now)
        self._events.advanced()

    def _take(self, segmenter: Segmenter, media: Media, now: float) -> None:
        if segmenter.generation is not self.generation:
            if segmenter.generation and segmenter.generation.number > self.generation.number:
                return  # too late: the next program has begun
            segmenter.begin(self.generation, now)
        if isinstance(media, VideoPacket):
            segmenter.add(media, now)
        elif isinstance(media, VideoConfig) and not segmenter.configure(media):
            self._events.lost("the encoder's configuration changed")

    # --- encoders that fail ---

    async def _watch(self, encoder: Encoder) -> None:
        await encoder.ended.wait()
        if not encoder.failed or self._retired:
            return
        self._events.crashed()
        now = time.monotonic()
        self._crashes = [at for at in self._crashes if now - at < 60] + [now]
        self._barren_runs = 0 if encoder.pictures_out else self._barren_runs + 1
        if self._barren_runs >= len(_RESTART_DELAYS_SECONDS) or len(self._crashes) > _CRASHES_PER_MINUTE:
            _LOG.error("FFmpeg ends again and again, giving up", extra={"stream": self._stream.label})
            self._events.failed(EncoderGivenUpError(self._chatter.last))
            return
        await asyncio.sleep(_RESTART_DELAYS_SECONDS[self._barren_runs])
        if not self._retired:
            self._replace()

    def _replace(self) -> None:
        """Another FFmpeg, from where the last one stopped: what is there already is left out by the renditions."""
        if self._given:  # else it is the first one for viewers, and nothing breaks
            self._stream.timeline.break_at_next()
        start = self.resume_point
        if self._cache.since(start) is None:
            self.encoder = None
            self._events.lost("the encoder lost its place")
            return
        _LOG.warning("FFmpeg is replaced", extra={"stream": self._stream.label, "crashes": len(self._crashes)})
        on_grid = KeyFrames(start_ms=start, every_ms=self._segment_ms)
        self._encode(on_grid if self.generation.every_key else KeyFrames(), start, None)

    @property
    def _given(self) -> bool:
        """Whether FFmpeg has given out any picture yet."""
        segmenters = [each.segmenter for each in self.encoded]
        return any(each.generation is self.generation and each.newest_dts >= 0 for each in segmenters)

    def _check_pace(self, newest: int, now: float) -> None:
        """An FFmpeg too far behind is no use to viewers, and its backlog would fill the memory.

        It is judged after a while by both clocks: ten seconds of pictures that come at once, after a hole in the
        network, are no fault of FFmpeg's. Nor is what it holds of slides that come seconds apart.
        """
        distance = newest - (newest if self._newest is None else self._newest)
        self._newest = newest
        if self.encoder is None or self._too_slow:
            return
        patience_ms = self._patience_ms + _HELD_PICTURES * distance
        lag = _Lag(newest, newest - self._reached, self.encoder.pictures_out, now)
        before = self._lag
        if self.encoder.backlog_bytes > _BACKLOG_BYTES:
            self._judge(lag, lag)
        elif lag.ms <= patience_ms:
            self._lag = None
        elif before is None:
            self._lag = lag
        elif newest - before.at > patience_ms and now - before.seen > self._patience_seconds:
            self._lag = None
            self._judge(before, lag)

    @property
    def _reached(self) -> int:
        """How far the slowest encoded rendition got, in ms."""
        segmenters = [each.segmenter for each in self.encoded]
        begun = [each.newest_dts for each in segmenters if each.generation is self.generation]
        reached = min(begun) if len(begun) == len(segmenters) else self.generation.start_pts
        return max(reached, self.generation.start_pts)

    def _judge(self, before: _Lag, now: _Lag) -> None:
        assert self.encoder
        context = {"stream": self._stream.label, "lag_ms": now.ms}
        if now.pictures_out == before.pictures_out:
            _LOG.error("FFmpeg hangs, replacing it", extra=context)
            self.encoder.abort()
        elif now.ms >= before.ms:
            _LOG.error("FFmpeg does not keep up, giving it less to do", extra=context)
            self._too_slow = True
            self._events.behind()
