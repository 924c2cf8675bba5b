"""One playback id over all its publish sessions: its renditions and its common timeline."""

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from origin.packaging import rates
from origin.packaging.ladder import RenditionPlan
from origin.packaging.position import Position
from origin.packaging.rendition import Rendition
from origin.packaging.segments import Part
from origin.packaging.timeline import Timeline
from origin.settings import Settings

if TYPE_CHECKING:
    from origin.media.codecs import Sound

_MIN_KEPT_SEGMENTS = 4
_FILLED_PART = 0.85  # RFC 8216bis 4.4.4.9: of the target; a source that fills less is too uneven to settle by
_CLOCK_ROUNDING_MS = 1


class Stream:
    """What viewers of one playback id can see."""

    def __init__(
        self, playback_id: str, label: str, settings: Settings, position: Position, *, continued: bool = False
    ) -> None:
        """`label` is what logs call it: the playback id, or a fingerprint where that is the stream key."""
        self.playback_id = playback_id
        self.label = label
        self.renditions: dict[str, Rendition] = {}
        self.kbps: dict[str, tuple[float, float]] = {}  # average and peak that were configured, video and audio
        self.sound: Sound | None = None
        self.live = False
        self.ended = False
        self.writing = asyncio.Lock()  # one session after the other
        self.quiet_since = time.monotonic()
        self._settings = settings
        # What no part exceeds. Players keep three times this distance.
        self.part_target_ms = settings.part_ms
        self._settled = False
        # A segment stays for as long again as it was listed: RFC 8216bis 6.2.2.
        self._kept = 2 * settings.playlist_segments + _MIN_KEPT_SEGMENTS
        self.timeline = Timeline(
            position.next_msn,
            position.discontinuity_sequence,
            settings.segment_ms,
            2 * self._kept,
            continued=continued,
        )

    @property
    def position(self) -> Position:
        return Position(self.timeline.next_msn, self.timeline.discontinuity_sequence)

    def prepare(self, plans: Sequence[RenditionPlan]) -> list[Rendition]:
        """The renditions of these plans, made where there are none yet, from the top."""
        for plan in plans:
            rung = plan.rung
            self.kbps[plan.name] = (rung.video_kbps, rung.audio_kbps)
            if plan.name not in self.renditions:
                made = Rendition(plan.name, self.timeline, part_target_ms=self.part_target_ms, kept_segments=self._kept)
                made.window.published.append(self._settle_part_target)
                self.renditions[plan.name] = made
        self._sort()
        return [self.renditions[plan.name] for plan in plans]

    def _sort(self) -> None:
        order = {rung.name: index for index, rung in enumerate(self._settings.ladder)}
        self.renditions = dict(sorted(self.renditions.items(), key=lambda item: order[item[0]]))

    def _settle_part_target(self, first: Part) -> None:
        """As much of the configured time as whole pictures of this source fill, for good (RFC 8216bis 4.4.3.7).

        0.335 s for ten pictures of a thirtieth instead of the configured 0.35 s brings viewers 45 ms nearer.
        """
        if self._settled:
            return
        self._settled = True
        known = [(first.pictures, first.pictures_ms)]
        known += [each.segmenter.longest_cut for each in self.renditions.values()]
        longest = max(rates.longest_ms(pictures, shown_ms) if pictures else shown_ms for pictures, shown_ms in known)
        configured = self._settings.part_ms
        if longest >= _FILLED_PART * configured:
            self.part_target_ms = min(longest + _CLOCK_ROUNDING_MS, configured)
        for rendition in self.renditions.values():
            rendition.segmenter.part_target_ms = self.part_target_ms

    def finish_session(self, now: float) -> None:
        """The publisher is gone: complete what is open; a rendition that got less than the others gets gaps."""
        for rendition in self.renditions.values():
            rendition.segmenter.finish(now)
        for rendition in self.renditions.values():
            rendition.segmenter.fill_gaps(self.timeline.next_msn)
        self.quiet_since = time.monotonic()

    def end(self) -> None:
        """Nobody comes back: EXT-X-ENDLIST."""
        self.ended = True
        for rendition in self.renditions.values():
            rendition.window.end()
