"""Who has which stream. One task knows by itself (here); several ask a table of leases (`leases`)."""

import time
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from origin.packaging.position import Position


@dataclass(frozen=True, slots=True)
class Holder:
    """A task that has, or last had, a stream."""

    task: str  # its id; unique over restarts
    address: str  # http://<private address>:<port>, where its peers reach it


class Answer(Enum):
    """What a holder says when another task has a publisher for its stream."""

    WELL = "well"  # its publisher sends: nobody else gets in
    YIELDED = "yielded"  # its publisher was a ghost, and is gone now
    ABSENT = "absent"  # nobody at that address has the stream
    SILENT = "silent"  # who knows


class StreamTakenError(Exception):
    """Another task has this stream, as far as can be known."""

    def __init__(self, holder: Holder) -> None:
        super().__init__(f"{holder.task} has this stream")
        self.holder = holder


class RegistryUnavailableError(Exception):
    """The registry does not answer; what it would have said is unknown."""


class RegistryBusyError(Exception):
    """More is asked of the registry than it is let answer; whoever asks again in a moment gets an answer."""


class LeaseLostError(Exception):
    """The stream is not ours any more: another task has it, or the lease was taken away."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a new owner has to know."""

    position: Position  # where its playlists go on
    continued: bool  # there was a broadcast under this id before: players are to be told of the break
    by_another: bool  # another task had the id meanwhile: what this one has kept of it is history


class StreamRegistry(Protocol):
    """Takes, keeps and gives back the ownership of playback ids, for one task."""

    @property
    def me(self) -> Holder:
        """This task."""

    async def acquire(self, playback_id: str, session: str) -> Grant:
        """Own the id from now on, for this publish session. Two sessions of one task never ask for it at once.

        Raises:
            StreamTakenError: someone else owns it.
            RegistryUnavailableError: nobody can tell; own nothing.
        """

    async def renew(self, playback_id: str, session: str, position: Position) -> None:
        """Say that the session is alive and how far it got.

        Raises:
            LeaseLostError: it is not ours any more; stop serving it.
            RegistryUnavailableError: nobody can tell; go on, and ask again.
        """

    async def release(self, playback_id: str, session: str, position: Position) -> None:
        """Give the id back. Never fails: what cannot be given back expires."""

    def holds(self, playback_id: str) -> bool:
        """Whether this task owns the id at this moment, for certain. Asks nobody: it is called for every request."""

    async def holder(self, playback_id: str) -> Holder | None:
        """Who serves this id: its owner, or who had it last; None when nobody does or nobody can tell.

        For routing: the answer may be a second old, many callers at once cost one look-up, and those who ask for what
        is nobody's cost one list between them.

        Raises:
            RegistryBusyError: too many ids are being looked up.
        """


_EPOCH = 1_577_836_800  # 2020-01-01: keeps the numbers within 31 bits until 2054
_PER_SECOND = 2  # no broadcast makes segments faster than this, so that a restart always begins higher


def clock_msn() -> int:
    """A media sequence number that rises over restarts: half seconds since 2020."""
    return int((time.time() - _EPOCH) * _PER_SECOND)


class InProcessRegistry:
    """For one task alone. Sequence numbers come from the clock and from what this process has seen."""

    def __init__(self, me: Holder) -> None:
        self.me = me
        self._positions: dict[str, Position] = {}

    async def acquire(self, playback_id: str, session: str) -> Grant:  # noqa: ARG002 # there is nobody else
        known = self._positions.get(playback_id, Position(0, 0))
        position = Position(max(clock_msn(), known.next_msn), known.discontinuity_sequence)
        return Grant(position, continued=playback_id in self._positions, by_another=False)

    async def renew(self, playback_id: str, session: str, position: Position) -> None:
        pass

    async def release(self, playback_id: str, session: str, position: Position) -> None:  # noqa: ARG002 # nobody to tell
        self._positions[playback_id] = position
        while len(self._positions) > 1000:
            del self._positions[next(iter(self._positions))]

    def holds(self, playback_id: str) -> bool:  # noqa: ARG002 # there is nobody else
        return True

    async def holder(self, playback_id: str) -> Holder | None:  # noqa: ARG002 # there is nobody else
        return self.me
