"""A publisher's stream as it arrives: its rate, and packets that may be needed again."""

import time
from collections import deque
from dataclasses import dataclass, field

from origin.media.packets import VideoPacket


class GopCache:
    """The source's packets since a key frame, for encoders that start later. Bounded: beyond the limit it gives up."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._gops: deque[list[VideoPacket]] = deque()
        self._bytes = 0

    def add(self, packet: VideoPacket) -> None:
        """Keep a packet; the ones before the first key frame are of no use."""
        if packet.key:
            self._gops.append([])
        if not self._gops:
            return
        self._gops[-1].append(packet)
        self._bytes += len(packet.data)
        while self._bytes > self._max_bytes and self._gops:
            self._drop_first()

    def trim(self, pts: int) -> None:
        """Drop what nobody needs who starts at this time or later."""
        while len(self._gops) > 1 and self._gops[1][0].pts <= pts:
            self._drop_first()

    def since(self, pts: int) -> list[VideoPacket] | None:
        """All packets from the last key frame at or before this time; None if it is gone."""
        starts = [index for index, gop in enumerate(self._gops) if gop[0].pts <= pts]
        if not starts:
            return None
        return [packet for gop in list(self._gops)[starts[-1] :] for packet in gop]

    def clear(self) -> None:
        self._gops.clear()
        self._bytes = 0

    def _drop_first(self) -> None:
        self._bytes -= sum(len(packet.data) for packet in self._gops.popleft())


@dataclass
class Meter:
    """Bit rate and picture rate over the last ten seconds."""

    _WINDOW_MS = 10_000
    _pictures: deque[tuple[int, int]] = field(default_factory=deque)
    _bytes: int = 0
    last_arrival: float = field(default_factory=time.monotonic)

    def picture(self, packet: VideoPacket) -> None:
        self._pictures.append((packet.dts, len(packet.data)))
        self._bytes += len(packet.data)
        while packet.dts - self._pictures[0][0] > self._WINDOW_MS:
            self._bytes -= self._pictures.popleft()[1]

    @property
    def span_ms(self) -> int:
        return self._pictures[-1][0] - self._pictures[0][0] if self._pictures else 0

    @property
    def video_kbps(self) -> float:
        # The last picture's bytes belong to time that has not passed yet.
        return (self._bytes - self._pictures[-1][1]) * 8 / self.span_ms if self.span_ms else 0.0

    @property
    def frame_rate(self) -> float:
        return (len(self._pictures) - 1) * 1000 / self.span_ms if self.span_ms else 0.0
