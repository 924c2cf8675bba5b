"""One publisher's broadcast from first packet to last: what is copied, what is encoded, and when that changes."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from origin.allowance import Allowance
from origin.broadcast.admission import Admission
from origin.broadcast.decision import Begin, Decision, EncodeTop, Facts, GiveUp, GoOn, decide
from origin.broadcast.encoder import Chatter, KeyFrames
from origin.broadcast.fitness import Fitness, KnownMisfits
from origin.broadcast.intake import Intake, UnsupportedSourceError
from origin.broadcast.left_out import LeftOut
from origin.broadcast.meter import GopCache
from origin.broadcast.pause import Pause
from origin.broadcast.program import Events, Program
from origin.broadcast.source import Source
from origin.logs import Concealer, fingerprint
from origin.media.codecs import Picture, picture
from origin.media.packets import AudioPacket, VideoPacket
from origin.metrics import ENCODER_BEHIND, ENCODER_FAILURES, TIME_TO_FIRST_SEGMENT, Metrics
from origin.packaging import ladder
from origin.packaging.rendition import Rendition
from origin.packaging.segmenter import LONGEST_HOLD_MS, PAUSE_MS
from origin.packaging.stream import Stream
from origin.packaging.timeline import Generation
from origin.settings import Settings

_LOG = logging.getLogger(__name__)

_CACHE_BYTES = 16 << 20
_KNOWN_AFTER_MS = 10_000  # then bit rate, key frames and picture rate have shown themselves
_FORMS_A_SECOND, _FORMS_AT_ONCE = 0.1, 12  # each is another FFmpeg, and a break for viewers


@dataclass(frozen=True, kw_only=True)
class SessionContext:
    """What all sessions of a task share."""

    settings: Settings
    metrics: Metrics
    admission: Admission
    misfits: KnownMisfits
    concealer: Concealer = field(default_factory=Concealer)


class Session:
    """Reads one publisher's stream and keeps the renditions coming until the publisher is gone."""

    def __init__(
        self, name: str, key: str, stream: Stream, source: Source, context: SessionContext, *, client: str
    ) -> None:
        self.name = name
        self.stream = stream
        self.client = client  # nginx's number for the publisher's connection
        self.key = key
        self.intake = Intake(source)
        self.first_segment_seconds: float | None = None
        self._source = source
        self._context = context
        self._began = time.monotonic()
        self._fitness = Fitness(
            self.intake.meter,
            limit_kbps=ladder.limit_kbps(context.settings.ladder),
            latest_key_ms=stream.timeline.latest_ms,
        )
        self._pause = Pause()
        self._cache = GopCache(_CACHE_BYTES)
        self._chatter = Chatter(stream.label)
        self._forms = Allowance(_FORMS_A_SECOND, _FORMS_AT_ONCE)
        self._program: Program | None = None
        self._generations = 0
        self._due: str | None = "start"  # why the next key frame begins a new generation
        self._jumps = 0
        self._wall_offset: float | None = None
        self._misfit: str | None = None  # what is wrong with the picture itself, whatever was seen of it over time
        self._charged_for: Generation | None = None
        self._lost_at: int | None = None  # since when encoding cannot go on without a key frame
        self._left_out = LeftOut(len(context.settings.ladder) - 1)
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._stopping = asyncio.Event()

    # --- what others may ask and tell ---

    @property
    def label(self) -> str:
        return self.stream.label

    @property
    def renditions(self) -> list[Rendition]:
        return self._program.renditions if self._program else []

    @property
    def rendition_names(self) -> list[str]:
        """Of the ones that are made of their own; the viewers of others get the top one of these."""
        return [plan.name for plan in self._program.plans] if self._program else []

    @property
    def slowest_dts(self) -> int:
        """How far the slowest rendition got, ms."""
        return min((each.segmenter.newest_dts for each in self.renditions), default=-1)

    @property
    def lag_ms(self) -> int:
        """How far the slowest rendition is behind the source."""
        return self.intake.last_dts - self.slowest_dts if self.slowest_dts >= 0 else 0

    @property
    def encoding_all(self) -> bool:
        return self._program is not None and not self._program.copied

    @property
    def encoder_pid(self) -> int | None:
        return self._program.encoder.pid if self._program and self._program.encoder else None

    def stop(self) -> None:
        """The publisher is gone, or has to go."""
        self._stopping.set()

    def hurry(self) -> None:
        """Somebody waits for the end: what FFmpeg has not given out by now is left out."""
        if self._program:
            self._program.hurry()

    # --- the life of a session ---

    async def run(self) -> None:
        """Return when the publisher is gone; UnsupportedSourceError or EncoderGivenUpError: it has to be sent away."""
        async with self.stream.writing:
            self.stream.live = True
            try:
                await self._broadcast()
            finally:
                self.stream.live = False

    async def _broadcast(self) -> None:
        reading = asyncio.create_task(self._read())
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            ends: set[asyncio.Future[Any]] = {reading, stopping, self._failure}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for end in ends:
                if end.done():
                    end.result()
        finally:
            reading.cancel()
            stopping.cancel()
            self._source.close()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await reading
            await self._finish()

    async def _finish(self) -> None:
        if self._program:
            await self._program.finish()
        self.stream.finish_session(asyncio.get_running_loop().time())

    async def _read(self) -> None:
        clock = asyncio.get_running_loop()
        async for packet in self.intake.packets():
            if isinstance(packet, VideoPacket):
                self._pause.see_picture(packet.pts)
                self._forward(packet, clock.time())
            else:
                self._hear(packet, clock.time())

    def _hear(self, packet: AudioPacket, now: float) -> None:
        """Sound is in its track by now. It also tells when no picture came that should have."""
        until, program = self._pause.see_sound(packet.dts), self._program
        if program and until - self._pause.newest > PAUSE_MS:
            program.hold(until, self._pause.newest, now)
            if until - self._pause.newest > LONGEST_HOLD_MS and not program.can_repeat:
                raise UnsupportedSourceError(
                    f"no picture for {LONGEST_HOLD_MS // 1000} s, while its sound went on; start the broadcast anew"
                )
        for rendition in self.renditions:
            rendition.segmenter.flush(now)

    # --- pictures ---

    def _forward(self, packet: VideoPacket, now: float) -> None:
        self._note_what_changed(packet)
        while not isinstance(decision := decide(packet, self._facts(packet)), GoOn):
            self._carry_out(decision, packet, now)
        program = self._program
        assert program
        self._fitness.see(packet, program.generation)
        self._take_stock(packet, program)
        program.feed(packet, now)
        self._cache.add(packet)
        self._cache.trim(program.resume_point if program.encoded else packet.pts)
        self._note_first_segment()

    def _note_what_changed(self, packet: VideoPacket) -> None:
        change = self.intake.take_change()
        self._due = self._due or change
        if self.intake.jumps != self._jumps:
            self._jumps = self.intake.jumps
            self._wall_offset = None
            self._due = self._due or "the source's clock jumped"
        admission = self._context.admission
        if packet.key and self._left_out.try_again(packet.dts, admission.broadcasts, admission.excess):
            self._left_out.reset()
            self._due = self._due or "there may be room for all renditions again"

    def _facts(self, packet: VideoPacket) -> Facts:
        copied = self._program.copied if self._program else []
        began = copied[0].segmenter.position if copied else 0
        return Facts(
            due=self._due,
            misfit=self._fitness.why_not_copy(packet, segment_began=began) if copied else None,
            lost_ms=None if self._lost_at is None else packet.dts - self._lost_at,
        )

    def _carry_out(self, decision: Decision, packet: VideoPacket, now: float) -> None:
        match decision:
            case Begin():
                self._begin(packet, now)
            case EncodeTop(reason):
                self._change_over(reason, packet, now)
            case GiveUp(text):
                raise UnsupportedSourceError(text)

    def _take_stock(self, packet: VideoPacket, program: Program) -> None:
        """What the broadcast costs, once that is known; and whether the key may begin with copying next time."""
        generation = program.generation
        if self._charged_for is not generation and packet.dts - generation.start_pts > _KNOWN_AFTER_MS:
            self._charged_for = generation
            self._charge(program)
        if not program.copied and self._misfit is None and self._fitness.fits_again(packet, generation):
            self._context.misfits.forget(self.key)

    # --- programs ---

    def _begin(self, packet: VideoPacket, now: float) -> None:
        """A new generation from this key frame on."""
        if not self._forms.take(1, now):
            raise UnsupportedSourceError(f"begins anew again and again, now because: {self._due}")
        settings = self._context.settings
        source = self._picture()
        self._make_room(source)
        self._misfit = misfit = ladder.misfit(source, settings.ladder)
        remembered = self._context.misfits.recall(self.key)
        plans = self._plan(copy=not (misfit or remembered or self.encoding_all))
        copying = any(plan.copied for plan in plans)
        _LOG.info(
            "broadcast goes on in a new form" if self._program else "broadcast begins",
            extra={
                "stream": self.label,
                "cause": self._due,
                "source": source.described,
                "sound": self.intake.soundtrack.sound.codec_name if self.intake.has_sound else None,
                "renditions": [plan.name for plan in plans],
                "top": "copied" if copying else "encoded",
                "why_encoded": None if copying else misfit or remembered,
            },
        )
        self._due = None
        if self._program:
            self._program.retire(now)
        self._cache.clear()
        keys = KeyFrames() if copying else KeyFrames(every_ms=settings.segment_ms)
        self._start(plans, self._generation(packet.pts, every_key=not copying), keys, now)

    def _make_room(self, source: Picture) -> None:
        """A picture larger than 1080p takes more than the door has asked for: it gets what is free, or has to go.

        Unlike what shows only on air this is known at its first picture. Alone on a task it harms nobody.
        """
        admission, needs = self._context.admission, ladder.cost(self._plan(copy=False), 0, source.pixels)
        if needs > ladder.ENCODED_COST and not admission.fits(self, needs):
            raise UnsupportedSourceError(
                f"{source.described} takes {needs} of the task's {admission.capacity} units and not as many"
                " are free; send at most 1920x1080"
            )

    def _change_over(self, reason: str, packet: VideoPacket, now: float) -> None:
        """From here on the top rendition is encoded as well. Nothing is lost: the encoder begins where copying ends."""
        settings = self._context.settings
        start = self._fitness.newest_pts + 1
        if self._program and (held := self._program.held_until):
            start = max(held, packet.pts - PAUSE_MS // 2)  # room for pictures that are shown before this one
        _LOG.warning(
            "source does not fit, top rendition is encoded from now on: %s",
            reason,
            extra={"stream": self.label, "key": fingerprint(self.key)},
        )
        self._context.misfits.remember(self.key, reason)
        plans = self._plan(copy=False)
        if self._program:
            self._program.retire(now, sound_until=start)
        keys = KeyFrames(start_ms=start, every_ms=settings.segment_ms)
        self._start(plans, self._generation(start, every_key=True), keys, now)

    def _plan(self, *, copy: bool) -> tuple[ladder.RenditionPlan, ...]:
        return ladder.lighter(
            ladder.plan(self._picture(), self._context.settings.ladder, copy=copy), self._left_out.count
        )

    def _cost(self, plans: Sequence[ladder.RenditionPlan]) -> int:
        return ladder.cost(plans, self.intake.meter.frame_rate, self._picture().pixels)

    def _charge(self, program: Program) -> None:
        """Count what this broadcast costs. It is live: it is never cut for that."""
        admission = self._context.admission
        if admission.charge(self, self._cost(program.plans)):
            _LOG.warning(
                "task carries more than its capacity",
                extra={"stream": self.label, "used": admission.used, "capacity": admission.capacity},
            )

    def _fell_behind(self) -> None:
        """FFmpeg does not keep up: from the next key frame on with a rendition less, or only from there on."""
        self._context.metrics.emit({ENCODER_BEHIND: 1}, properties={"stream": self.label})
        self._left_out.one_more(self.intake.last_dts, self._context.admission.broadcasts)
        self._lost("FFmpeg did not keep up")

    def _picture(self) -> Picture:
        assert self.intake.video_config
        return picture(self.intake.video_config)

    def _generation(self, start: int, *, every_key: bool) -> Generation:
        self._generations += 1
        if self._wall_offset is None:
            self._wall_offset = time.time() - start / 1000
        return Generation(
            session=self.name,
            number=self._generations,
            start_pts=start,
            wall_offset=self._wall_offset,
            soundtrack=self.intake.soundtrack,
            every_key=every_key,
        )

    def _start(
        self, plans: Sequence[ladder.RenditionPlan], generation: Generation, keys: KeyFrames, now: float
    ) -> None:
        config = self.intake.video_config
        assert config
        self.stream.sound = generation.soundtrack.sound
        self._lost_at = None
        before = self._program
        self._program = Program(
            self.stream,
            generation,
            plans,
            config,
            self._cache,
            segment_ms=self._context.settings.segment_ms,
            patience_seconds=self._context.settings.encoder_patience_seconds,
            events=Events(
                advanced=self._note_first_segment,
                crashed=self._note_crash,
                lost=self._lost,
                behind=self._fell_behind,
                failed=self._fail,
            ),
            chatter=self._chatter,
        )
        if not self._program.copied:
            self._charge(self._program)
        self._program.start(keys, now, after=before)

    def _note_first_segment(self) -> None:
        """Once, when every rendition has a whole segment of this session."""
        if self.first_segment_seconds is not None or not all(
            any(
                segment.complete and segment.boundary.generation.session == self.name
                for segment in each.window.segments
            )
            for each in self.renditions
        ):
            return
        self.first_segment_seconds = seconds = round(time.monotonic() - self._began, 3)
        self._context.metrics.emit({TIME_TO_FIRST_SEGMENT: seconds}, properties={"stream": self.label})

    def _note_crash(self) -> None:
        self._context.metrics.emit({ENCODER_FAILURES: 1}, properties={"stream": self.label})

    def _lost(self, reason: str) -> None:
        self._due = self._due or reason
        self._lost_at = self.intake.last_dts if self._lost_at is None else self._lost_at

    def _fail(self, error: Exception) -> None:
        if not self._failure.done():
            self._failure.set_exception(error)
