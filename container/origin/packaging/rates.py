"""What is measured of a rendition: bits and pictures a second."""

import math

from origin.packaging.segments import Part, Segment

_USUAL_RATES = (10, 12, 12.5, 15, 20, 23.976, 24, 25, 29.97, 30, 48, 50, 59.94, 60)
_NEWEST_WEIGHS = 0.1  # of the average


class Rates:
    """Sees every part and every whole segment."""

    def __init__(self) -> None:
        self.peak_kbps = 0.0
        self.average_kbps = 0.0
        self.frame_rate = 0.0

    def see_part(self, part: Part) -> None:
        """The first one tells a rate before there is a whole segment."""
        if not self.frame_rate and part.pictures:
            self.frame_rate = _early(part.pictures * 1000 / part.pictures_ms)

    def see_segment(self, segment: Segment) -> None:
        if self.average_kbps and not all(part.pictures for part in segment.parts):
            return  # pictures paused: it says little of how they usually are
        kbps = segment.size * 8 / segment.duration_ms
        self.peak_kbps = max(self.peak_kbps, kbps)
        self.average_kbps += (_NEWEST_WEIGHS if self.average_kbps else 1) * (kbps - self.average_kbps)
        self.frame_rate = segment.pictures * 1000 / segment.duration_ms or self.frame_rate


def usual_rate(measured: float) -> float:
    """The rate that a measured one stands for: a clock in milliseconds shows 29.97 as 29.9 something."""
    nearest = min(_USUAL_RATES, key=lambda rate: abs(rate - measured))
    return nearest if abs(nearest - measured) < 0.02 * nearest else measured


def longest_ms(pictures: int, shown_ms: int) -> int:
    """How long so many pictures take at most by a clock of milliseconds, if they took `shown_ms` once.

    Ten of a thirtieth take 333 ms or 334.
    """
    usual = usual_rate(pictures * 1000 / shown_ms)
    longest = math.ceil(pictures * 1000 / usual)
    return longest if usual in _USUAL_RATES and abs(longest - shown_ms) <= 1 else shown_ms + 1


def _early(measured: float) -> float:
    """The rate that a single part shows: in milliseconds, 30 and 29.97 look alike there; a whole segment tells them."""
    return round(measured) if abs(measured - round(measured)) < 0.005 * measured else measured
