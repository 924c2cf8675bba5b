"""Our own check of LL-HLS media playlists (RFC 8216bis), run on every playlist that a test fetches.

It remembers what it saw of a rendition, because most rules are about what may not change.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime

_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^,]*)')
_ROUNDING = 0.0015


class PlaylistError(AssertionError):
    """A rule is broken."""


def attributes(line: str) -> dict[str, str]:
    return {name: value.strip('"') for name, value in _ATTRIBUTE.findall(line.partition(":")[2])}


@dataclass
class Part:
    uri: str
    duration: float
    independent: bool


@dataclass
class Segment:
    """A segment as one playlist shows it."""

    msn: int
    discontinuity: bool = False
    discontinuity_sequence: int = 0
    init: str = ""
    date: float = 0.0
    gap: bool = False
    duration: float | None = None
    uri: str = ""
    parts: list[Part] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        return self.duration is not None


@dataclass
class Playlist:
    """A parsed playlist."""

    tags: dict[str, str]
    segments: list[Segment]
    skipped: int
    hint: str | None
    reports: list[dict[str, str]]
    ended: bool

    @property
    def next_part(self) -> tuple[int, int]:
        last = self.segments[-1]
        return (last.msn + 1, 0) if last.complete else (last.msn, len(last.parts))


def parse(text: str) -> Playlist:  # noqa: C901, PLR0912 # one branch for each tag
    lines = text.splitlines()
    if not lines or lines[0] != "#EXTM3U" or not text.endswith("\n"):
        raise PlaylistError(f"no playlist: {text[:80]!r}")
    tags: dict[str, str] = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        if name in {
            "#EXT-X-VERSION", "#EXT-X-TARGETDURATION", "#EXT-X-SERVER-CONTROL", "#EXT-X-PART-INF",
            "#EXT-X-MEDIA-SEQUENCE", "#EXT-X-DISCONTINUITY-SEQUENCE", "#EXT-X-INDEPENDENT-SEGMENTS", "#EXT-X-SKIP",
        }:  # fmt: skip
            if name in tags:
                raise PlaylistError(f"{name} twice")
            tags[name] = value
    skipped = int(attributes("x:" + tags["#EXT-X-SKIP"])["SKIPPED-SEGMENTS"]) if "#EXT-X-SKIP" in tags else 0
    msn = int(tags["#EXT-X-MEDIA-SEQUENCE"]) + skipped
    sequence = int(tags.get("#EXT-X-DISCONTINUITY-SEQUENCE", "0"))
    init = ""
    segments: list[Segment] = []
    current = Segment(msn, discontinuity_sequence=sequence)
    hint, reports, touched = None, [], False
    for line in lines[1:]:
        name, _, value = line.partition(":")
        match name:
            case "#EXT-X-DISCONTINUITY":
                sequence += 1
                current.discontinuity, current.discontinuity_sequence = True, sequence
            case "#EXT-X-MAP":
                init = attributes(line)["URI"]
            case "#EXT-X-PROGRAM-DATE-TIME":
                current.date, touched = datetime.fromisoformat(value).timestamp(), True
            case "#EXT-X-PART":
                found = attributes(line)
                independent = found.get("INDEPENDENT") == "YES"
                current.parts.append(Part(found["URI"], float(found["DURATION"]), independent))
            case "#EXT-X-GAP":
                current.gap = True
            case "#EXTINF":
                current.duration = float(value.rstrip(","))
            case "#EXT-X-PRELOAD-HINT":
                hint = attributes(line)["URI"]
            case "#EXT-X-RENDITION-REPORT":
                reports.append(attributes(line))
            case _ if not line.startswith("#"):
                current.uri, current.init = line, init
                segments.append(current)
                current, touched = Segment(current.msn + 1, discontinuity_sequence=sequence), False
    if current.parts or touched:
        current.init = init
        segments.append(current)
    return Playlist(tags, segments, skipped, hint, reports, ended="#EXT-X-ENDLIST" in lines)


class Checker:
    """Checks the playlists of one rendition, in the order in which they were fetched."""

    def __init__(self, *, renditions: int, uneven: bool = False) -> None:
        """`uneven`: the source's picture rate varies, so that whole pictures cannot always fill 85 % of a part."""
        self._renditions = renditions
        self._uneven = uneven
        self._constant: dict[str, str] = {}
        self._segments: dict[int, Segment] = {}
        self._owner: dict[str, int] = {}
        self._last: Playlist | None = None
        self.checked = 0

    def check(self, text: str) -> Playlist:
        """The playlist, if it keeps all rules that can be seen from outside."""
        try:
            playlist = parse(text)
            self._check(playlist)
        except PlaylistError as error:
            raise PlaylistError(f"{error}\n--- in ---\n{text}") from None
        self.checked += 1
        self._last = playlist
        return playlist

    def _check(self, playlist: Playlist) -> None:
        self._check_header(playlist)
        for segment in playlist.segments:
            self._check_segment(segment, playlist)
        for before, after in zip(playlist.segments, playlist.segments[1:], strict=False):
            _require(before.complete, f"{before.msn} is not complete but {after.msn} is there")
            _require(after.date > before.date, f"program date time goes back at {after.msn}")
            if not after.discontinuity and not after.gap and before.duration:
                apart = after.date - before.date - before.duration
                _require(abs(apart) < 0.25, f"{after.msn} begins {apart:.3f} s away from the end of {before.msn}")
        self._check_end(playlist)

    def _check_header(self, playlist: Playlist) -> None:
        tags = playlist.tags
        _require(int(tags["#EXT-X-VERSION"]) >= 9, "version below 9 with EXT-X-SKIP possible")
        _require("#EXT-X-INDEPENDENT-SEGMENTS" in tags, "no EXT-X-INDEPENDENT-SEGMENTS")
        for name in ("#EXT-X-TARGETDURATION", "#EXT-X-SERVER-CONTROL", "#EXT-X-PART-INF"):
            _require(self._constant.setdefault(name, tags[name]) == tags[name], f"{name} has changed")
        control = attributes("x:" + tags["#EXT-X-SERVER-CONTROL"])
        _require(control["CAN-BLOCK-RELOAD"] == "YES", "no blocking reload")
        _require(float(control["PART-HOLD-BACK"]) >= 3 * self.part_target(playlist) - 1e-9, "PART-HOLD-BACK too small")
        _require(float(control["CAN-SKIP-UNTIL"]) >= 6 * self.target(playlist), "CAN-SKIP-UNTIL too small")
        if self._last:
            grown = int(tags["#EXT-X-MEDIA-SEQUENCE"]) >= int(self._last.tags["#EXT-X-MEDIA-SEQUENCE"])
            _require(grown, "EXT-X-MEDIA-SEQUENCE goes back")

    @staticmethod
    def target(playlist: Playlist) -> int:
        return int(playlist.tags["#EXT-X-TARGETDURATION"])

    @staticmethod
    def part_target(playlist: Playlist) -> float:
        return float(attributes("x:" + playlist.tags["#EXT-X-PART-INF"])["PART-TARGET"])

    def _check_segment(self, segment: Segment, playlist: Playlist) -> None:
        number = segment.msn
        _require(bool(segment.init) or bool(playlist.skipped), f"{number} has no EXT-X-MAP")
        if segment.duration is not None:
            fits = int(segment.duration + 0.5) <= self.target(playlist)
            _require(fits, f"{number} lasts {segment.duration}, longer than the target duration")
        self._check_parts(segment, self.part_target(playlist))
        for uri in [segment.uri, *(part.uri for part in segment.parts)]:
            _require(not uri or self._owner.setdefault(uri, number) == number, f"{uri} names two things")
        known = self._segments.setdefault(number, segment)
        if known is segment:
            return
        same = (known.date, known.discontinuity_sequence) == (segment.date, segment.discontinuity_sequence)
        _require(same, f"{number} has changed its date or discontinuity sequence")
        shorter = min(len(known.parts), len(segment.parts))
        _require(known.parts[:shorter] == segment.parts[:shorter], f"parts of {number} have changed")
        if known.complete:
            _require((known.duration, known.uri) == (segment.duration, segment.uri), f"{number} has changed")
            _require(len(segment.parts) in {0, len(known.parts)} or not known.parts, f"{number} has grown")
        if segment.parts or segment.complete:
            segment.parts = segment.parts or known.parts
            self._segments[number] = segment

    def _check_parts(self, segment: Segment, target: float) -> None:
        if not segment.parts:
            return
        _require(segment.parts[0].independent, f"first part of {segment.msn} is not independent")
        for part in segment.parts:
            _require(part.duration <= target + 1e-9, f"{part.uri} lasts {part.duration}")
        for part in segment.parts[: -1 if segment.complete else None]:
            _require(self._uneven or part.duration >= 0.85 * target, f"{part.uri} lasts only {part.duration}")
        if segment.duration is not None:
            total = sum(part.duration for part in segment.parts)
            _require(abs(total - segment.duration) < _ROUNDING, f"parts of {segment.msn} last {total}")

    def _check_end(self, playlist: Playlist) -> None:
        if playlist.ended:
            _require(playlist.hint is None, "a hint after the end")
            return
        _require(len(playlist.reports) == self._renditions - 1, f"{len(playlist.reports)} rendition reports")
        shown = {part.uri for segment in playlist.segments for part in segment.parts}
        _require(playlist.hint not in shown, "the hint names a part that is there")
        last = self._last
        if last and last.hint and last.hint not in shown:
            # Held to it, unless the publisher left or the list moved on by more than it shows parts of.
            went_on = any(s.discontinuity for s in playlist.segments if s.msn >= last.next_part[0])
            moved_far = playlist.next_part[0] > last.next_part[0] + 2
            same = playlist.next_part == last.next_part
            _require(went_on or moved_far or same or playlist.hint is None, f"the hint {last.hint} never came true")


def _require(holds: object, text: str) -> None:
    if not holds:
        raise PlaylistError(text)
