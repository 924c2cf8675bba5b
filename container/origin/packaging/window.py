"""What is kept of a rendition: its newest segments, their media by name, and who waits for more."""

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from origin.packaging.segments import Part, Segment, part_name
from origin.packaging.timeline import Boundary, Timeline

if TYPE_CHECKING:
    from collections.abc import Callable

Media = Part | Segment | bytes  # bytes: an initialisation section


class Window:
    """Filled by a segmenter, read by delivery; `published` and `completed` are for whoever wants to know of it."""

    def __init__(self, timeline: Timeline, kept_segments: int) -> None:
        self.segments: deque[Segment] = deque()
        self.media: dict[str, Media] = {}
        self.version = 0  # another one whenever the playlist has changed
        self.ended = False
        self.coming: str | None = None  # the publish session whose media comes next; None while nothing is known to
        self.published: list[Callable[[Part], None]] = []
        self.completed: list[Callable[[Segment], None]] = []  # never of a gap
        self._timeline = timeline
        self._kept = kept_segments
        self._waiters: list[asyncio.Future[None]] = []

    # --- reading ---

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
        if self.coming is None or self.ended or not self.segments:
            return None
        last = self.segments[-1]
        session = self.coming if last.complete else last.boundary.generation.session
        return part_name(session, *self.next_part)

    @property
    def begun(self) -> bool:
        return bool(self.segments)

    @property
    def playable(self) -> bool:
        """Whether there is a whole segment: without one, players give up on a playlist."""
        return any(segment.complete and segment.parts for segment in self.segments)

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

    async def changed(self) -> None:
        """Return when there is something new."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    # --- filling ---

    def put_init(self, name: str, data: bytes) -> None:
        """An initialisation section; it stays for as long as a segment wants it."""
        self.media[name] = data

    def open(self, boundary: Boundary) -> None:
        """The segment that the next parts are of. The one before is complete, also where nobody said so."""
        if self.segments and self.segments[-1].boundary is boundary:
            return
        self.complete()
        self._append(Segment(boundary))

    def publish(self, part: Part) -> None:
        """The next part of the open segment. Who waits is told by `announce`."""
        self.segments[-1].parts.append(part)
        self.media[part.name] = part
        for tell in self.published:
            tell(part)

    def complete(self) -> None:
        """The open segment, if there is one, gets no more parts."""
        segment = self.segments[-1] if self.segments else None
        if segment is None or segment.complete:
            return
        segment.complete = True
        for tell in self.completed if segment.parts else ():
            tell(segment)

    def put_gap(self, boundary: Boundary, duration_ms: int) -> None:
        """A segment that this rendition never got (EXT-X-GAP)."""
        self._append(Segment(boundary, complete=True, gap_ms=duration_ms))

    def end(self) -> None:
        """The broadcast is over for good."""
        self.ended = True
        self.announce()

    def announce(self) -> None:
        """Wake whoever waits: the playlist has changed."""
        self.version += 1
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

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
