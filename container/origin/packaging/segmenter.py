"""From packets to parts and segments, one rendition at a time. Time is handed in; what comes out goes to a window.

A part's last picture has a duration only when the next picture is there. That costs one picture of delay and makes two
promises safe: durations are exact, and EXT-X-PRELOAD-HINT never names a part that will not exist, because the picture
that opens it has already arrived.

A picture that is shown for longer than the part target lasts over several parts: no part may exceed the target (RFC
8216bis 4.4.4.9). The parts that no picture begins in have sound only.

Where the source pauses for longer, its last picture is held: parts and segments go on without waiting for the next
one, and each segment repeats a picture that can be decoded alone. A picture in mid-GOP that ends a pause is then in a
segment without a key frame, the only exception to EXT-X-INDEPENDENT-SEGMENTS: whoever joins there hears it before they
see it, until the next key frame. Encoding it instead would break the sequence twice for everybody who is there.
"""

import logging
from collections import deque
from dataclasses import dataclass
from typing import Protocol

from origin.media import fmp4
from origin.media.codecs import Picture, picture, video_codec_name
from origin.media.packets import VideoConfig, VideoPacket
from origin.packaging.segments import Part, part_name
from origin.packaging.timeline import Boundary, Generation, Soundtrack, Timeline

_LOG = logging.getLogger(__name__)

# Sound that is on its way is waited for: a hole would stall players, and sound in the wrong part delays them.
_SOUND_PATIENCE_SECONDS = 1.5
# A source whose pictures are this far ahead of its sound, and that has sent no sound for so long, has fallen silent.
# The first alone may be a publisher that always sends its sound late, the second a network that held both up.
_SILENT_AFTER_MS = 700
_SILENT_SECONDS = 0.3
_CLOCK_ROUNDING_MS = 1
_USUAL_STEP_MS = 33  # of a last picture that has none before it to tell
PAUSE_MS = 500  # pictures further apart than this have a pause between them: it tells nothing of GOPs and rates
# What a held picture is said to last, as nobody knows yet: a player whose picture ends before its sound stalls. One
# that comes earlier takes its place (Media Source Extensions §3.5.8, step 14).
LONGEST_HOLD_MS = 10_000
_DELIMITER = b"\x09\xf0"  # an access unit delimiter for slices of any kind (H.264 §7.3.2.4)


class Output(Protocol):
    """Where a segmenter's parts go: a window, or whatever keeps them (`window.Window` says what each is for)."""

    coming: str | None

    @property
    def next_part(self) -> tuple[int, int]: ...

    def put_init(self, name: str, data: bytes) -> None: ...

    def open(self, boundary: Boundary) -> None: ...

    def publish(self, part: Part) -> None: ...

    def complete(self) -> None: ...

    def put_gap(self, boundary: Boundary, duration_ms: int) -> None: ...

    def announce(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Cut:
    """A part that waits for its sound."""

    boundary: Boundary
    packets: list[VideoPacket]  # those that begin in it
    start_dts: int
    end_dts: int
    shown_until: int  # when the last picture ends: later than the part, if it goes on in the next
    declared_until: int  # when players are told that it ends
    sound_until: int | None  # ms; None takes all that there is
    last: bool
    since: float  # the caller's monotonic clock

    @property
    def duration_ms(self) -> int:
        return self.end_dts - self.start_dts

    @property
    def pictures_ms(self) -> int:
        return self.shown_until - self.start_dts


class Segmenter:
    """Cuts one rendition where the timeline says. `now` is the caller's monotonic clock, in seconds."""

    def __init__(self, name: str, timeline: Timeline, output: Output, part_target_ms: int) -> None:
        """`name` is for the log."""
        self.picture: Picture | None = None
        self.codec = ""
        self.generation: Generation | None = None
        self.part_target_ms = part_target_ms  # what no part exceeds from now on
        self._name = name
        self._timeline = timeline
        self._output = output
        self._sequence = 0
        self._config: VideoConfig | None = None
        self._boundary: Boundary | None = None
        self._buffer: list[VideoPacket] = []
        self._part_start = 0
        self._cuts: deque[_Cut] = deque()
        self._soundtrack: Soundtrack | None = None
        self._sound_next = 0
        self._last_dts = -1  # as it came
        self._last: VideoPacket | None = None
        self._reorder_ms = 0  # from decoding to showing, at a key frame
        self._since_key_ms = 0  # pauses aside
        self._held = False  # parts have gone on beyond the last picture

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

    def begin(self, generation: Generation, now: float) -> None:
        """What comes now is of another kind than before; the configuration comes first."""
        before = self._soundtrack
        same_sound = before is generation.soundtrack
        to_the_end = same_sound or (before is not None and before.silent)
        self.finish(now, sound_until=generation.start_pts if to_the_end else None)
        if not same_sound:
            self._soundtrack, self._sound_next = generation.soundtrack, 0
        self.generation, self._config, self._boundary = generation, None, None
        self._output.coming = generation.session
        self._last_dts, self._last, self._held = -1, None, False

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
        init = fmp4.init_section(config, self.picture, track.config, track.sound)
        self._output.put_init(generation.init_name, init)
        return True

    def add(self, packet: VideoPacket, now: float) -> None:
        """Take the next picture in decoding order. One that was there already (a replaced encoder) is left out."""
        if self.generation is None or self._config is None or packet.dts <= self._last_dts:
            return
        if self._boundary is None:
            if not packet.key:
                return
            self._boundary = self._first_boundary(packet)
            self._part_start = packet.dts
            self._note(packet, packet)
            return
        if packet.dts - self._last_dts > PAUSE_MS:
            newest, until = (dts + self._reorder_ms for dts in (self._last_dts, packet.dts))
            self.hold(until, now, newest=newest, next_dts=packet.dts)
        placed = self._not_before_what_is_out(packet)
        while boundary := self._next_boundary(placed):
            end = max(boundary.pts - self._reorder_ms, self._part_start) if boundary.held else placed.dts
            self._close_part(end, now, sound_until=boundary.pts, last=True)
            self._boundary = boundary
            if not boundary.held:
                break
        placed = self._begin_with_sound(packet, placed, now)
        if self._part_is_full(placed):
            self._close_part(placed.dts, now, sound_until=placed.dts, last=False)
        self._note(packet, placed)

    def _note(self, came: VideoPacket, placed: VideoPacket) -> None:
        step = came.dts - self._last_dts
        if placed.key:
            self._reorder_ms, self._since_key_ms = placed.cts, 0
        elif step <= PAUSE_MS:
            self._since_key_ms += step
        self._buffer.append(placed)
        self._last, self._last_dts, self._held = placed, came.dts, False

    # --- pictures that pause ---

    @property
    def held_until(self) -> int | None:
        """Up to when parts have gone on with the last picture, in ms of presentation, if they have."""
        return self._part_start + self._reorder_ms if self._held else None

    @property
    def can_repeat(self) -> bool:
        """Whether its last picture can be decoded alone, and so be held for as long as it takes."""
        return self._last is not None and self._last.key

    def hold(self, until: int, now: float, *, newest: int, next_dts: int | None = None) -> None:
        """The last picture is shown until this time of presentation, in ms, at least: parts go on, with the sound.

        `newest` is when the source's last picture begins to be shown, which may not be here yet, `next_dts` when the
        next one is decoded, if it is there. As much as a part is left out: with the next picture that has to fill one
        (RFC 8216bis 4.4.4.9: 85 %).
        """
        limit = until - self._reorder_ms - self.part_target_ms
        while self._boundary and self._last and (end := self._part_start + self.part_target_ms) < limit:
            boundary = self._held_boundary(end, newest)
            if boundary:
                end = max(boundary.pts - self._reorder_ms, self._part_start)
            if end > self._part_start:
                self._cut(
                    end,
                    now,
                    shown_until=end,
                    declared_until=self._last.dts + LONGEST_HOLD_MS if next_dts is None else next_dts,
                    sound_until=boundary.pts if boundary else end,
                    last=boundary is not None,
                )
            self._held = True
            if boundary:
                self._boundary = boundary
                self._repeat(end)
        self.flush(now)

    def _held_boundary(self, end: int, newest: int) -> Boundary | None:
        """The segment that begins when this part of a pause ends, or in it; so that a next picture is soon enough."""
        assert self._boundary
        pts = end + self._reorder_ms
        known = self._timeline.at(self._boundary.msn + 1)
        if known is not None:
            return known if known.held and known.generation is self.generation and known.pts <= pts else None
        due = pts - self._boundary.pts + 2 * self.part_target_ms > self._timeline.segment_ms
        return self._timeline.hold(self._boundary, pts) if due and pts > newest else None

    def _repeat(self, dts: int) -> None:
        """The last picture once more, if it needs no other. Behind a delimiter: some decoders take it for the same."""
        if not self._last or not self._last.key or not self._config:
            return
        data, size = self._last.data, (self._config.avcc[4] & 3) + 1
        if data[size : size + 1] != _DELIMITER[:1]:
            data = len(_DELIMITER).to_bytes(size, "big") + _DELIMITER + data
        self._last = VideoPacket(dts, self._reorder_ms, key=True, data=data)
        self._buffer.append(self._last)

    def _not_before_what_is_out(self, packet: VideoPacket) -> VideoPacket:
        """A picture that comes when its time is out already is late, and not lost."""
        earliest = max(self._part_start, self._buffer[-1].dts + 1 if self._buffer else 0)
        if packet.dts >= earliest:
            return packet
        return VideoPacket(earliest, max(packet.pts - earliest, 0), packet.key, packet.data)

    def _boundary_without_key(self, packet: VideoPacket) -> Boundary | None:
        """The segment that this picture, in mid-GOP after a pause, is in, if the open one would get too long with it.

        It begins with the last part of the pause, if it can: with sound alone, which anybody can begin with.
        """
        assert self._boundary
        assert self.generation
        latest = self._timeline.latest_ms
        to_key = self._timeline.key_distance_ms(self.generation) - self._since_key_ms
        if self.generation.every_key or packet.pts - self._boundary.pts + to_key <= latest:
            return None
        start = packet.dts - self.part_target_ms
        if start <= self._part_start or self.part_target_ms + to_key > latest:
            start = packet.dts
        return self._timeline.hold(self._boundary, start + self._reorder_ms)

    def _begin_with_sound(self, packet: VideoPacket, placed: VideoPacket, now: float) -> VideoPacket:
        """Where it is placed: behind a part with sound alone, if it is in mid-GOP and the first of a held segment."""
        assert self._boundary
        end = self._part_start + self.part_target_ms
        first = self._boundary.held and not self._buffer and self._part_start == self._boundary.pts - self._reorder_ms
        late = placed is not packet
        if placed.key or not first or not (late or placed.dts >= end):
            return placed
        self._cut(end, now, shown_until=end, declared_until=end, sound_until=end, last=False)
        return self._not_before_what_is_out(packet)

    # --- what ends ---

    def finish(self, now: float, *, sound_until: int | None = None) -> None:
        """Nothing more comes in this generation: close what is open, with the sound up to a time, or all of it."""
        if self._boundary and self._held and sound_until is not None:
            end = max(sound_until - self._reorder_ms, self._part_start)
            self._close_part(end, now, sound_until=sound_until, last=True)
        elif self._buffer:
            steps = [after.dts - before.dts for before, after in zip(self._buffer, self._buffer[1:], strict=False)]
            end = self._buffer[-1].dts + (steps[-1] if steps else _USUAL_STEP_MS)
            end = min(end, self._part_start + self.part_target_ms)
            self._close_part(end, now, sound_until=sound_until, last=True)
        self.flush(now, patient=False)
        self._output.complete()
        self.generation = self._boundary = self._output.coming = None
        self._held = False
        self._output.announce()

    def fill_gaps(self, until_msn: int) -> None:
        """EXT-X-GAP for the segments that other renditions have and this one never got."""
        while (msn := self._output.next_part[0]) < until_msn:
            boundary, following = self._timeline.at(msn), self._timeline.at(msn + 1)
            if boundary is None:
                return
            same = following is not None and following.generation is boundary.generation
            length = following.pts - boundary.pts if following and same else self._timeline.target_duration * 1000
            self._output.put_gap(boundary, length)
            self._output.announce()

    @property
    def longest_cut(self) -> tuple[int, int]:
        """Of the parts that wait for their sound: pictures, and how long they are shown, in ms; 0 without any."""
        longest = max(self._cuts, key=lambda cut: cut.duration_ms, default=None)
        return (len(longest.packets), longest.pictures_ms) if longest else (0, 0)

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
                _LOG.error("rendition starts late", extra={"rendition": self._name, "ms": packet.pts - boundary.pts})
        self.fill_gaps(boundary.msn)
        if not self._sound_next:
            self._sound_next = generation.soundtrack.cut(boundary.pts)  # what came before the first picture
        return boundary

    def _next_boundary(self, packet: VideoPacket) -> Boundary | None:
        assert self._boundary
        known = self._timeline.at(self._boundary.msn + 1)
        if known is None:
            if packet.key:
                return self._timeline.cut(self._boundary, packet.pts)
            return self._boundary_without_key(packet) if self._held else None
        if known.generation is not self.generation or packet.pts < known.pts or not (packet.key or known.held):
            return None
        if packet.pts != known.pts and not known.held:
            _LOG.error("segment starts late", extra={"rendition": self._name, "ms": packet.pts - known.pts})
        return known

    def _part_is_full(self, packet: VideoPacket) -> bool:
        """Whether the part has to end before this picture, so that it does not exceed the part target."""
        elapsed = packet.dts - self._part_start
        step = packet.dts - self._buffer[-1].dts if self._buffer else 0
        return elapsed + step > self.part_target_ms - _CLOCK_ROUNDING_MS

    def _close_part(self, end_dts: int, now: float, *, sound_until: int | None, last: bool) -> None:
        assert self._boundary
        if sound_until is None and self._boundary.generation.soundtrack.silent:
            sound_until = end_dts
        while end_dts - self._part_start > self.part_target_ms:
            end = self._part_start + self.part_target_ms
            self._cut(end, now, shown_until=end_dts, declared_until=end_dts, sound_until=end, last=False)
        # After a long picture, what is left of it is not enough for a part of its own: the next pictures fill it.
        if self._buffer or (last and end_dts > self._part_start):
            self._cut(end_dts, now, shown_until=end_dts, declared_until=end_dts, sound_until=sound_until, last=last)
        self.flush(now)

    def _cut(
        self, end_dts: int, now: float, *, shown_until: int, declared_until: int, sound_until: int | None, last: bool
    ) -> None:
        assert self._boundary
        times = self._part_start, end_dts, shown_until, declared_until
        cut = _Cut(self._boundary, self._buffer, *times, sound_until, last, now)
        self._cuts.append(cut)
        self._buffer, self._part_start = [], end_dts

    def flush(self, now: float, *, patient: bool = True) -> None:
        """Publish the parts whose sound is there, or will not come, or has been waited for long enough."""
        while self._cuts:
            cut = self._cuts[0]
            track = cut.boundary.generation.soundtrack
            if cut.sound_until is not None and track.end_ms < cut.sound_until:
                if self._has_fallen_silent(track, cut, now):
                    track.fill(cut.boundary.pts, cut.sound_until)
                elif patient and now - cut.since < _SOUND_PATIENCE_SECONDS:
                    return
            self._publish(self._cuts.popleft())

    def _has_fallen_silent(self, track: Soundtrack, cut: _Cut, now: float) -> bool:
        ahead = self._last_dts - max(track.end_ms, cut.boundary.pts)
        return track.silent or (ahead > _SILENT_AFTER_MS and now - track.arrived > _SILENT_SECONDS)

    def _publish(self, cut: _Cut) -> None:
        self._output.open(cut.boundary)
        ends = [packet.dts for packet in cut.packets[1:]] + [cut.declared_until] * bool(cut.packets)
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
        msn, index = self._output.next_part
        first = cut.packets[0] if cut.packets else None
        part = Part(
            name=part_name(cut.boundary.generation.session, msn, index),
            duration_ms=cut.duration_ms,
            independent=first.key if first else cut.boundary.held and index == 0,
            pictures=len(video),
            pictures_ms=cut.pictures_ms,
            data=fmp4.fragment(self._sequence, cut.start_dts * fmp4.TICKS_PER_MS, video, self._sound(cut)),
        )
        self._output.publish(part)
        if cut.last:
            self._output.complete()
        self._output.announce()

    def _sound(self, cut: _Cut) -> list[fmp4.Sample]:
        track = cut.boundary.generation.soundtrack
        end = track.end if cut.sound_until is None else track.cut(cut.sound_until)
        samples = track.between(self._sound_next, end)
        self._sound_next = max(self._sound_next, end)
        return samples
