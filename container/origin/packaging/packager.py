"""From packets to parts and segments, one rendition at a time.

A part's last picture has a duration only when the next picture is there. That costs one picture of delay and makes two
promises safe: durations are exact, and EXT-X-PRELOAD-HINT never names a part that will not exist, because the picture
that opens it has already arrived.

A picture that is shown for longer than the part target lasts over several parts: no part may exceed the target (RFC
8216bis 4.4.4.9). The parts that no picture begins in have sound only.
"""

import asyncio
import logging
from collections import deque
from dataclasses import dataclass, field

from origin.media import fmp4
from origin.media.codecs import Picture, picture, video_codec_name
from origin.media.packets import VideoConfig, VideoPacket
from origin.packaging.timeline import Boundary, Generation, Soundtrack, Timeline

_LOG = logging.getLogger(__name__)

# Sound that is on its way is waited for: a hole would stall players, and sound in the wrong part delays them.
_SOUND_PATIENCE_SECONDS = 1.5
# A source whose pictures are this far ahead of its sound, and that has sent no sound for so long, has fallen silent.
# The first alone may be a publisher that always sends its sound late, the second a network that held both up.
_SILENT_AFTER_MS = 700
_SILENT_SECONDS = 0.3
_CLOCK_ROUNDING_MS = 1


@dataclass(frozen=True, slots=True)
class Part:
    """A partial segment (RFC 8216bis 4.4.4.9)."""

    name: str
    duration_ms: int
    independent: bool
    data: bytes


@dataclass(slots=True)
class Segment:
    """A media segment, growing by parts until it is complete. Without parts it is a gap."""

    boundary: Boundary
    parts: list[Part] = field(default_factory=list)
    complete: bool = False
    gap_ms: int = 0
    pictures: int = 0

    @property
    def msn(self) -> int:
        return self.boundary.msn

    @property
    def name(self) -> str:
        return f"{self.boundary.generation.session}.{self.msn}.m4s"

    @property
    def duration_ms(self) -> int:
        return self.gap_ms or sum(part.duration_ms for part in self.parts)

    @property
    def gap(self) -> bool:
        return self.complete and not self.parts

    def part_name(self, index: int) -> str:
        return f"{self.boundary.generation.session}.{self.msn}.{index}.m4s"

    @property
    def init_name(self) -> str:
        return f"{self.boundary.generation.name}.mp4"

    @property
    def size(self) -> int:
        return sum(len(part.data) for part in self.parts)


@dataclass(frozen=True, slots=True)
class _Cut:
    """A part that waits for its sound."""

    boundary: Boundary
    packets: list[VideoPacket]  # those that begin in it
    start_dts: int
    end_dts: int
    shown_until: int  # when the last picture ends: later than the part, if it goes on in the next
    sound_until: int | None  # ms; None takes all that there is
    last: bool
    since: float


class Rendition:
    """One rendition of one stream: what is served of it, and what is still being put together."""

    def __init__(self, name: str, timeline: Timeline, *, part_seconds: float, kept_segments: int) -> None:
        self.name = name
        self.segments: deque[Segment] = deque()
        self.media: dict[str, Part | Segment | bytes] = {}
        self.picture: Picture | None = None
        self.codec = ""
        self.peak_kbps = 0.0
        self.average_kbps = 0.0
        self.frame_rate = 0.0
        self.rendered: dict[object, object] = {}  # playlists as they are now, for delivery
        self.ended = False
        self.generation: Generation | None = None
        self._timeline = timeline
        self.part_target_ms = round(part_seconds * 1000)
        self._kept = kept_segments
        self._waiters: list[asyncio.Future[None]] = []
        self._sequence = 0
        self._config: VideoConfig | None = None
        self._boundary: Boundary | None = None
        self._buffer: list[VideoPacket] = []
        self._part_start = 0
        self._cuts: deque[_Cut] = deque()
        self._soundtrack: Soundtrack | None = None
        self._sound_next = 0
        self._last_dts = -1

    # --- what delivery sees ---

    @property
    def next_part(self) -> tuple[int, int]:
        """Media sequence number and index of the part that comes next."""
        if not self.segments:
            return self._timeline.next_msn, 0
        last = self.segments[-1]
        return (last.msn + 1, 0) if last.complete else (last.msn, len(last.parts))

    @property
    def hint(self) -> str | None:
        """The name of the part that comes next; None while nothing is known to come."""
        if self.generation is None or self.ended or not self.segments:
            return None
        last = self.segments[-1]
        if not last.complete:
            return last.part_name(len(last.parts))
        return f"{self.generation.session}.{last.msn + 1}.0.m4s"

    def has(self, msn: int, part: int | None) -> bool:
        """Whether the playlist already shows this part, or this whole segment."""
        if self.ended:
            return True
        if part is None:
            return self.next_part >= (msn + 1, 0)
        newest = self.segments[-1] if self.segments else None
        if newest and newest.msn == msn and newest.complete and part >= len(newest.parts):
            msn, part = msn + 1, 0  # a part beyond the end stands for the first of the next segment (6.2.5.2)
        return self.next_part > (msn, part)

    @property
    def longest_part_ms(self) -> int:
        """Of the parts that are here, published or about to be."""
        published = (part.duration_ms for segment in self.segments for part in segment.parts)
        coming = (cut.end_dts - cut.start_dts for cut in self._cuts)
        return max((*published, *coming), default=0)

    @property
    def playable(self) -> bool:
        """Whether there is a whole segment: without one, players give up on a playlist."""
        return any(segment.complete and segment.parts for segment in self.segments)

    async def changed(self) -> None:
        """Return when there is something new."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    def _announce(self) -> None:
        self.rendered.clear()
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    # --- what the session feeds ---

    @property
    def position(self) -> int:
        """The presentation time at which the segment in progress began: an encoder has to start here to go on."""
        if self._boundary and self._boundary.generation is self.generation:
            return self._boundary.pts
        return self.generation.start_pts if self.generation else 0

    @property
    def newest_dts(self) -> int:
        """Decoding time of the last packet."""
        return self._last_dts

    def begin(self, generation: Generation) -> None:
        """What comes now is of another kind than before; the configuration comes first."""
        same_sound = self._soundtrack is generation.soundtrack
        self.finish(sound_until=generation.start_pts if same_sound else None)
        if not same_sound:
            self._soundtrack, self._sound_next = generation.soundtrack, 0
        self.generation, self._config, self._boundary = generation, None, None
        self._last_dts = -1

    def configure(self, config: VideoConfig) -> bool:
        """Take a decoder configuration; False if it is another one in mid-generation."""
        generation = self.generation
        if generation is None or config == self._config:
            return True
        if self._config is not None:
            return False
        self._config = config
        self.picture, self.codec = picture(config), video_codec_name(config)
        track = generation.soundtrack
        self.media[f"{generation.name}.mp4"] = fmp4.init_section(config, self.picture, track.config, track.sound)
        return True

    def add(self, packet: VideoPacket) -> None:
        """Take the next picture in decoding order. One that was there already (a replaced encoder) is left out."""
        if self.generation is None or self._config is None or packet.dts <= self._last_dts:
            return
        if self._boundary is None:
            if not packet.key:
                return
            self._boundary = self._first_boundary(packet)
            self._part_start = packet.dts
        elif boundary := self._next_boundary(packet):
            self._close_part(packet.dts, sound_until=boundary.pts, last=True)
            self._boundary = boundary
        elif self._part_is_full(packet):
            self._close_part(packet.dts, sound_until=packet.dts, last=False)
        self._buffer.append(packet)
        self._last_dts = packet.dts

    def finish(self, *, sound_until: int | None = None) -> None:
        """Nothing more comes in this generation: close what is open, with the sound up to a time, or all of it."""
        if self._buffer:
            steps = [after.dts - before.dts for before, after in zip(self._buffer, self._buffer[1:], strict=False)]
            end = self._last_dts + (steps[-1] if steps else 33)
            self._close_part(min(end, self._part_start + self.part_target_ms), sound_until=sound_until, last=True)
        self.flush(patient=False)
        if self.segments and not self.segments[-1].complete:
            self._complete(self.segments[-1])
        self.generation = self._boundary = None
        self._announce()

    def fill_gaps(self, until_msn: int) -> None:
        """EXT-X-GAP for the segments that other renditions have and this one never got."""
        while (msn := self.next_part[0]) < until_msn:
            boundary, following = self._timeline.at(msn), self._timeline.at(msn + 1)
            if boundary is None:
                return
            same = following is not None and following.generation is boundary.generation
            length = following.pts - boundary.pts if following and same else self._timeline.target_duration * 1000
            self._append(Segment(boundary, complete=True, gap_ms=length))
            self._announce()

    def end(self) -> None:
        """The broadcast is over for good."""
        self.ended = True
        self._announce()

    def _first_boundary(self, packet: VideoPacket) -> Boundary:
        generation = self.generation
        assert generation
        if generation.first_msn is None:
            boundary = self._timeline.begin(generation, packet.pts)
        else:
            known = self._timeline.at(generation.first_msn)
            assert known
            boundary = known
            if packet.pts != boundary.pts:
                _LOG.error("rendition starts late", extra={"rendition": self.name, "ms": packet.pts - boundary.pts})
        self.fill_gaps(boundary.msn)
        if not self._sound_next:
            self._sound_next = generation.soundtrack.cut(boundary.pts)  # what came before the first picture
        return boundary

    def _next_boundary(self, packet: VideoPacket) -> Boundary | None:
        assert self._boundary
        known = self._timeline.at(self._boundary.msn + 1)
        if known is None:
            return self._timeline.cut(self._boundary, packet.pts) if packet.key else None
        if known.generation is not self.generation or packet.pts < known.pts or not packet.key:
            return None
        if packet.pts != known.pts:
            _LOG.error("segment starts late", extra={"rendition": self.name, "ms": packet.pts - known.pts})
        return known

    def _part_is_full(self, packet: VideoPacket) -> bool:
        """Whether the part has to end before this picture, so that it does not exceed the part target."""
        elapsed = packet.dts - self._part_start
        step = packet.dts - self._buffer[-1].dts
        return elapsed + step > self.part_target_ms - _CLOCK_ROUNDING_MS

    def _close_part(self, end_dts: int, *, sound_until: int | None, last: bool) -> None:
        assert self._boundary
        if sound_until is None and self._boundary.generation.soundtrack.silent:
            sound_until = end_dts
        while end_dts - self._part_start > self.part_target_ms:
            end = self._part_start + self.part_target_ms
            self._cut(end, shown_until=end_dts, sound_until=end, last=False)
        # After a long picture, what is left of it is not enough for a part of its own: the next pictures fill it.
        if self._buffer or last:
            self._cut(end_dts, shown_until=end_dts, sound_until=sound_until, last=last)
        self.flush()

    def _cut(self, end_dts: int, *, shown_until: int, sound_until: int | None, last: bool) -> None:
        assert self._boundary
        now = asyncio.get_running_loop().time()
        cut = _Cut(self._boundary, self._buffer, self._part_start, end_dts, shown_until, sound_until, last, now)
        self._cuts.append(cut)
        self._buffer, self._part_start = [], end_dts

    def flush(self, *, patient: bool = True) -> None:
        """Publish the parts whose sound is there, or will not come, or has been waited for long enough."""
        while self._cuts:
            cut = self._cuts[0]
            track = cut.boundary.generation.soundtrack
            if cut.sound_until is not None and track.end_ms < cut.sound_until:
                now = asyncio.get_running_loop().time()
                if self._has_fallen_silent(track, cut, now):
                    track.fill(cut.boundary.pts, cut.sound_until)
                elif patient and now - cut.since < _SOUND_PATIENCE_SECONDS:
                    return
            self._publish(self._cuts.popleft())

    def _has_fallen_silent(self, track: Soundtrack, cut: _Cut, now: float) -> bool:
        ahead = self._last_dts - max(track.end_ms, cut.boundary.pts)
        return track.silent or (ahead > _SILENT_AFTER_MS and now - track.arrived > _SILENT_SECONDS)

    def _publish(self, cut: _Cut) -> None:
        segment = self.segments[-1] if self.segments else None
        if segment is None or segment.boundary is not cut.boundary:
            if segment and not segment.complete:
                self._complete(segment)
            segment = Segment(cut.boundary)
            self._append(segment)
        ends = [packet.dts for packet in cut.packets[1:]] + [cut.shown_until] * bool(cut.packets)
        video = [
            fmp4.Sample(
                packet.dts * fmp4.TICKS_PER_MS,
                (end - packet.dts) * fmp4.TICKS_PER_MS,
                packet.data,
                packet.cts * fmp4.TICKS_PER_MS,
                packet.key,
            )
            for packet, end in zip(cut.packets, ends, strict=True)
        ]
        self._sequence += 1
        part = Part(
            segment.part_name(len(segment.parts)),
            cut.end_dts - cut.start_dts,
            bool(cut.packets) and cut.packets[0].key,
            fmp4.fragment(self._sequence, cut.start_dts * fmp4.TICKS_PER_MS, video, self._sound(cut)),
        )
        segment.parts.append(part)
        segment.pictures += len(video)
        self.frame_rate = self.frame_rate or _early_rate(len(video), cut.shown_until - cut.start_dts)
        self.media[part.name] = part
        if cut.last:
            self._complete(segment)
        self._announce()

    def _sound(self, cut: _Cut) -> list[fmp4.Sample]:
        track = cut.boundary.generation.soundtrack
        end = track.end if cut.sound_until is None else track.cut(cut.sound_until)
        samples = track.between(self._sound_next, end)
        self._sound_next = max(self._sound_next, end)
        return samples

    def _append(self, segment: Segment) -> None:
        self.segments.append(segment)
        self.media[segment.name] = segment
        while len(self.segments) > self._kept:
            self._forget(self.segments.popleft())

    def _forget(self, segment: Segment) -> None:
        self.media.pop(segment.name, None)
        for part in segment.parts:
            self.media.pop(part.name, None)
        if all(other.init_name != segment.init_name for other in self.segments):
            self.media.pop(segment.init_name, None)

    def _complete(self, segment: Segment) -> None:
        segment.complete = True
        if not segment.parts:
            return
        kbps = segment.size * 8 / segment.duration_ms
        self.peak_kbps = max(self.peak_kbps, kbps)
        weight = 0.1 if self.average_kbps else 1
        self.average_kbps += weight * (kbps - self.average_kbps)
        self.frame_rate = segment.pictures * 1000 / segment.duration_ms


def _early_rate(pictures: int, duration_ms: int) -> float:
    """The rate that a single part shows: in milliseconds, 30 and 29.97 look alike there; a whole segment tells them."""
    measured = pictures * 1000 / duration_ms
    return round(measured) if abs(measured - round(measured)) < 0.005 * measured else measured
