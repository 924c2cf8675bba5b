"""One playback id over all its publish sessions: its renditions and its common timeline."""

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from origin.packaging.ladder import RenditionPlan
from origin.packaging.packager import Rendition
from origin.packaging.position import Position
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
        self.frame_rate = 0.0
        self.live = False
        self.ended = False
        self.writing = asyncio.Lock()  # one session after the other
        self.quiet_since = time.monotonic()
        self._settings = settings
        self._part_target_ms: int | None = None
        # A segment stays for as long again as it was listed: RFC 8216bis 6.2.2.
        self._kept = 2 * settings.playlist_segments + _MIN_KEPT_SEGMENTS
        self.timeline = Timeline(
            position.next_msn,
            position.discontinuity_sequence,
            settings.segment_seconds,
            2 * self._kept,
            continued=continued,
        )

    @property
    def position(self) -> Position:
        return Position(self.timeline.next_msn, self.timeline.discontinuity_sequence)

    @property
    def playable(self) -> bool:
        """Whether every rendition has a whole segment."""
        return bool(self.renditions) and all(rendition.playable for rendition in self.renditions.values())

    @property
    def part_target_ms(self) -> int:
        """What no part exceeds: as much of the configured time as whole pictures of this source fill.

        Asked for the first time, it is settled for good (RFC 8216bis 4.4.3.7). Players keep three times this distance:
        0.335 s for ten pictures of a thirtieth instead of the configured 0.35 s brings viewers 45 ms nearer.
        """
        if self._part_target_ms is None:
            configured = round(self._settings.part_seconds * 1000)
            longest = max((rendition.longest_part_ms for rendition in self.renditions.values()), default=0)
            uneven = longest < _FILLED_PART * configured
            self._part_target_ms = configured if uneven else min(longest + _CLOCK_ROUNDING_MS, configured)
            for rendition in self.renditions.values():
                rendition.part_target_ms = self._part_target_ms
        return self._part_target_ms

    def prepare(self, plans: Sequence[RenditionPlan]) -> list[Rendition]:
        """The renditions of these plans, made where there are none yet, from the top."""
        for plan in plans:
            rung = plan.rung
            self.kbps[plan.name] = (rung.video_kbps, rung.audio_kbps)
            if plan.name not in self.renditions:
                self.renditions[plan.name] = Rendition(
                    plan.name,
                    self.timeline,
                    part_seconds=(self._part_target_ms or 1000 * self._settings.part_seconds) / 1000,
                    kept_segments=self._kept,
                )
        self._sort()
        return [self.renditions[plan.name] for plan in plans]

    def _sort(self) -> None:
        order = {rung.name: index for index, rung in enumerate(self._settings.ladder)}
        self.renditions = dict(sorted(self.renditions.items(), key=lambda item: order[item[0]]))

    def finish_session(self) -> None:
        """The publisher is gone: complete what is open; a rendition that got less than the others gets gaps."""
        for rendition in self.renditions.values():
            rendition.finish()
        for rendition in self.renditions.values():
            rendition.fill_gaps(self.timeline.next_msn)
        self.quiet_since = time.monotonic()

    def end(self) -> None:
        """Nobody comes back: EXT-X-ENDLIST."""
        self.ended = True
        for rendition in self.renditions.values():
            rendition.end()
