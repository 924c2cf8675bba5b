"""Who has which stream. One task knows by itself; several will have to ask a table."""

import time
from dataclasses import dataclass
from typing import Protocol


class StreamTakenError(Exception):
    """Another task has this stream, and its publisher is well."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far a stream's playlists got, for whoever continues them."""

    next_msn: int
    discontinuity_sequence: int


class StreamRegistry(Protocol):
    """Takes, keeps and gives back the ownership of playback ids."""

    async def acquire(self, playback_id: str, session: str) -> Position:
        """Own the id from now on, and learn where its playlists go on; StreamTakenError if someone else owns it."""

    async def renew(self, playback_id: str, session: str, position: Position) -> None:
        """Say that the session is alive and how far it got."""

    async def release(self, playback_id: str, session: str, position: Position) -> None:
        """Give the id back."""


_EPOCH = 1_577_836_800  # 2020-01-01: keeps the numbers within 31 bits until 2054
_PER_SECOND = 2  # no broadcast makes segments faster than this, so that a restart always begins higher


def clock_msn() -> int:
    """A media sequence number that rises over restarts: half seconds since 2020."""
    return int((time.time() - _EPOCH) * _PER_SECOND)


class InProcessRegistry:
    """For one task alone. Sequence numbers come from the clock and from what this process has seen."""

    def __init__(self) -> None:
        self._positions: dict[str, Position] = {}

    async def acquire(self, playback_id: str, session: str) -> Position:  # noqa: ARG002 # there is nobody else
        known = self._positions.get(playback_id, Position(0, 0))
        return Position(max(clock_msn(), known.next_msn), known.discontinuity_sequence)

    async def renew(self, playback_id: str, session: str, position: Position) -> None:
        pass

    async def release(self, playback_id: str, session: str, position: Position) -> None:  # noqa: ARG002 # nobody to tell
        self._positions[playback_id] = position
        while len(self._positions) > 1000:
            del self._positions[next(iter(self._positions))]
