"""Where segments begin: decided once for a stream, followed by every rendition.

The first rendition to reach a key frame decides; the others cut at the same presentation time under the same media
sequence number. Sound is muxed into every rendition, and its cuts are decided once in the same way.
"""

from collections import deque
from dataclasses import dataclass, replace
from itertools import takewhile

from origin.media import silence
from origin.media.codecs import Sound, sound
from origin.media.fmp4 import Sample
from origin.media.packets import AudioConfig, AudioPacket

_SOUND_JUMP_MS = 60  # clocks that part by more than this are set again; less is rounding and jitter
_SOUND_BATCH_MS = 400  # some encoders stamp frames in batches: sixteen of them are 341 ms
_SOUND_KEPT_MS = 40_000
_LATE_KEY_SECONDS = 0.45  # EXTINF may exceed the target duration by less than half a second (RFC 8216bis 4.4.3.1)
_EARLY_KEY_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Boundary:
    """The start of a segment in all renditions."""

    msn: int
    pts: int
    generation: "Generation"
    discontinuity: bool
    discontinuity_sequence: int  # how many discontinuities there were, this one included
    wall: float  # program date time, in seconds since 1970
    held: bool = False  # it begins where no picture does: the source shows one for longer


class Soundtrack:
    """The sound of a publish session on a gapless clock, and where it is cut.

    Where the source sends none it is filled with silence: players stop at the end of the shorter track.
    """

    def __init__(self, config: AudioConfig, sound: Sound) -> None:
        self.config = config
        self.sound = sound
        self.silent = False  # the source has fallen silent: nobody waits for its sound
        self.arrived = 0.0  # when the last one came, by the caller's monotonic clock
        self._silence = silence.frame(sound)
        self._samples: deque[Sample] = deque()
        self._first = 0  # index of the first one that is still here
        self._cuts: dict[int, int] = {}
        self._next: int | None = None  # in ticks
        self._in_step: int | None = None  # when a frame was last due where it was put, in ticks

    @classmethod
    def mute(cls) -> "Soundtrack":
        """For a source that has not sent any sound yet, and may never."""
        track = cls(silence.MUTE_CONFIG, sound(silence.MUTE_CONFIG))
        track.silent = True
        return track

    @property
    def end_ms(self) -> float:
        """The time up to which there is sound."""
        return -1.0 if self._next is None else self._next * 1000 / self.sound.core_sample_rate

    def add(self, packet: AudioPacket, now: float) -> None:
        """Put a frame in its place: exactly after the one before, unless the source's clock really jumped."""
        rate = self.sound.core_sample_rate
        due = round(packet.dts * rate / 1000)
        allowed = rate * _SOUND_JUMP_MS // 1000
        self.arrived, self.silent = now, False
        if self._next is None:
            self._next = max(due, 0)
        elif due - self._next > allowed:
            while due - self._next >= self.sound.samples_per_frame:
                self._append(self._silence)
            # What is left is less than a frame: within a fragment there is no other way to say so.
            last = self._samples[-1]
            self._samples[-1] = replace(last, duration=due - last.dts)
            self._next = due
        elif self._next - due > allowed:
            if not self._in_batch(due):
                return  # this time has its sound already
            self._append(packet.data)
            return
        self._in_step = due
        self._append(packet.data)

    def close(self) -> None:
        """The source goes on with sound of another format, elsewhere: what is still due of this one is silence."""
        self.silent = True

    def _in_batch(self, due: int) -> bool:
        """Whether a frame that comes too early by its stamp has it from the first of its batch."""
        longest = self.sound.core_sample_rate * _SOUND_BATCH_MS // 1000
        assert self._next is not None
        return self._in_step is not None and due - self._in_step <= longest and self._next - due <= longest

    def fill(self, since_ms: int, until_ms: int) -> None:
        """The source has no sound for now: silence from where its sound ended, or from `since_ms` if it never began."""
        rate = self.sound.core_sample_rate
        self.silent, self._in_step = True, None
        if self._next is None:
            self._next = round(since_ms * rate / 1000)
        while self._next * 1000 < until_ms * rate:
            self._append(self._silence)

    def _append(self, data: bytes) -> None:
        assert self._next is not None
        self._samples.append(Sample(self._next, self.sound.samples_per_frame, data))
        self._next += self.sound.samples_per_frame
        while (self._next - self._samples[0].dts) * 1000 > _SOUND_KEPT_MS * self.sound.core_sample_rate:
            self._samples.popleft()
            self._first += 1

    def cut(self, pts: int) -> int:
        """The index of the first frame that belongs after this time; the same answer to every rendition."""
        if pts not in self._cuts:
            limit = pts * self.sound.core_sample_rate / 1000
            # From the end, because cuts are made near the newest sound.
            after = sum(1 for _ in takewhile(lambda sample: sample.dts >= limit, reversed(self._samples)))
            self._cuts[pts] = self.end - after
            if len(self._cuts) > 1000:
                del self._cuts[next(iter(self._cuts))]
        return self._cuts[pts]

    @property
    def end(self) -> int:
        """The index after the newest frame."""
        return self._first + len(self._samples)

    def between(self, start: int, end: int) -> list[Sample]:
        """The frames with these indices, as far as they are still here."""
        return [self._samples[index - self._first] for index in range(max(start, self._first), end)]


@dataclass(eq=False, slots=True)
class Generation:
    """A time in which the coded streams are of one kind: one initialisation section, one way of cutting."""

    session: str  # part of every media name, so that names are unique for each publish session
    number: int
    start_pts: int
    wall_offset: float  # seconds since 1970 at time zero of the session
    soundtrack: Soundtrack
    every_key: bool  # encoders were told where to put key frames: every one begins a segment
    longest_gop_ms: int = 0
    first_msn: int | None = None

    @property
    def name(self) -> str:
        return f"{self.session}.{self.number}"

    @property
    def init_name(self) -> str:
        """Of its initialisation section."""
        return f"{self.name}.mp4"


class Timeline:
    """The boundaries of one stream over all its publish sessions."""

    def __init__(
        self, first_msn: int, discontinuity_sequence: int, segment_ms: int, kept: int, *, continued: bool = False
    ) -> None:
        """`continued`: there were segments before the first one, elsewhere; it begins with a discontinuity."""
        self.next_msn = first_msn
        self.discontinuity_sequence = discontinuity_sequence
        self._begun = continued
        self.segment_ms = segment_ms
        self.target_duration = -(-segment_ms // 1000)
        self._boundaries: deque[Boundary] = deque(maxlen=kept)
        self._break_next = False

    @property
    def latest_ms(self) -> int:
        """The longest that a segment may get."""
        return self.target_duration * 1000 + round(_LATE_KEY_SECONDS * 1000)

    def at(self, msn: int) -> Boundary | None:
        """The boundary with this number, if it was decided and is still known."""
        if not self._boundaries:
            return None
        index = msn - self._boundaries[0].msn
        return self._boundaries[index] if 0 <= index < len(self._boundaries) else None

    def break_at_next(self) -> None:
        """The next segment of every rendition begins with a discontinuity (an encoder was replaced)."""
        self._break_next = True

    def begin(self, generation: Generation, pts: int) -> Boundary:
        """The first segment of a generation."""
        boundary = self._add(generation, pts, discontinuity=self._begun)
        generation.first_msn = boundary.msn
        return boundary

    def cut(self, current: Boundary, pts: int) -> Boundary | None:
        """The segment that begins at this key frame, if one does; for the first rendition to get here."""
        generation = current.generation
        elapsed = pts - current.pts
        following = self.key_distance_ms(generation)
        due = (
            generation.every_key
            or current.held  # for whoever joins there, the first key frame counts
            or elapsed >= self.segment_ms - _EARLY_KEY_SECONDS * 1000
            or elapsed + following > self.latest_ms
        )
        latest = self._boundaries[-1]
        if not due or latest is not current:
            return None
        return self._add(generation, pts, discontinuity=self._break_next)

    def hold(self, current: Boundary, pts: int) -> Boundary | None:
        """A segment that begins here while a picture is held; for the first rendition to get here, as with `cut`."""
        if pts <= current.pts or self._boundaries[-1] is not current:
            return None
        return self._add(current.generation, pts, discontinuity=False, held=True)

    def key_distance_ms(self, generation: Generation) -> int:
        """How far apart its key frames are, pauses aside, as far as that has shown itself."""
        return max(generation.longest_gop_ms, self.segment_ms)

    def _add(self, generation: Generation, pts: int, *, discontinuity: bool, held: bool = False) -> Boundary:
        self.discontinuity_sequence += discontinuity
        self._begun, self._break_next = True, False
        boundary = Boundary(
            self.next_msn,
            pts,
            generation,
            discontinuity,
            self.discontinuity_sequence,
            generation.wall_offset + pts / 1000,
            held,
        )
        self._boundaries.append(boundary)
        self.next_msn += 1
        return boundary
