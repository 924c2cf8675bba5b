"""What a playlist is made of: parts, and the segments that they add up to."""

from dataclasses import dataclass, field

from origin.packaging.timeline import Boundary


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A partial segment (RFC 8216bis 4.4.4.9). Times in ms."""

    name: str
    duration_ms: int
    independent: bool
    pictures: int  # that begin in it
    pictures_ms: int  # how long these are shown: longer than the part, if the last one goes on in the next
    data: bytes = field(repr=False)


@dataclass(slots=True)
class Segment:
    """A media segment, growing by parts until it is complete. Without parts it is a gap."""

    boundary: Boundary
    parts: list[Part] = field(default_factory=list)
    complete: bool = False
    gap_ms: int = 0

    @property
    def msn(self) -> int:
        return self.boundary.msn

    @property
    def name(self) -> str:
        return f"{self.boundary.generation.session}.{self.msn}.m4s"

    @property
    def init_name(self) -> str:
        return self.boundary.generation.init_name

    @property
    def duration_ms(self) -> int:
        return self.gap_ms or sum(part.duration_ms for part in self.parts)

    @property
    def gap(self) -> bool:
        return self.complete and not self.parts

    @property
    def pictures(self) -> int:
        return sum(part.pictures for part in self.parts)

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(len(part.data) for part in self.parts)


def part_name(session: str, msn: int, index: int) -> str:
    """Unique for good, so that it never means two things to a cache."""
    return f"{session}.{msn}.{index}.m4s"
