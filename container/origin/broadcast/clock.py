"""A publisher's time stamps made into one clock for picture and sound."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["picture", "sound"]

LATE_MS = 100  # a stamp may be this much before the one before it: jitter, rounding
_START_MS = 10_000  # room for pictures that are shown before time zero, and for sound that begins earlier
_APART_MS = 3000  # picture and sound of one clock are no further apart; nor are two of either, but for a pause
_STEP_MS = 40


@dataclass(slots=True)
class _Track:
    raw: int  # the last stamp, as it came
    at: int  # the same in ms since the session's zero


def _difference(stamp: int, before: int) -> int:
    """By how much one of RTMP's 32-bit stamps is later than another, over their wrap (RTMP 1.0, section 5.3.1)."""
    return (stamp - before + (1 << 31)) % (1 << 32) - (1 << 31)


class Clock:
    """RTMP's 32-bit milliseconds made endless: a common zero for picture and sound, no wrap, no jumps.

    Where one kind jumps, it goes on where it was; the other is brought to where it belongs beside it. Kinds that do not
    share a clock (some encoders stamp sound from zero and pictures from their boot) are put in step as they arrive.
    """

    def __init__(self) -> None:
        self.jumps = 0  # of the source: picture and sound together count once
        self._tracks: dict[Kind, _Track] = {}

    def read(self, kind: Kind, stamp: int) -> int:
        """Milliseconds since the session's zero."""
        at = self._follow(kind, stamp)
        if at is None:
            at = self._place(kind, stamp)
        self._tracks[kind] = _Track(stamp, at)
        return at

    def _follow(self, kind: Kind, stamp: int) -> int | None:
        """After the one before of its kind, if it can be."""
        before = self._tracks.get(kind)
        step = _difference(stamp, before.raw) if before else 0
        return before.at + step if before and -LATE_MS <= step <= _APART_MS else None

    def _place(self, kind: Kind, stamp: int) -> int:
        """Beside the other kind, if they share a clock; else where its own kind has got to, or the other one."""
        before = self._tracks.get(kind)
        for other, track in self._tracks.items():
            apart = _difference(stamp, track.raw)
            backwards = before and track.at + apart < before.at - LATE_MS
            if other != kind and abs(apart) <= _APART_MS and not backwards:
                return track.at + apart
        if before:
            self.jumps += 1
            return before.at + _STEP_MS
        return max((track.at for track in self._tracks.values()), default=_START_MS)
