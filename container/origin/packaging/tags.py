"""The tags of HLS that our playlists use, typed: written and read by the same description of each.

Sections are of RFC 8216bis (draft-pantos-hls-rfc8216bis); attribute values follow its 4.2. Times are whole milliseconds
here, and become seconds where text is written.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any, ClassVar, NamedTuple


class BadTagError(ValueError):
    """A line that is no tag of ours, or one with a value that it cannot have."""


class Kind(NamedTuple):
    """How one kind of value is written and read."""

    write: Callable[[Any], str]
    read: Callable[[str], Any]  # BadTagError


def _number(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,20}", text):
        raise BadTagError(f"no decimal integer: {text!r}")
    return int(text)


def _decimal(text: str) -> Decimal:
    if not re.fullmatch(r"[0-9]{1,20}(\.[0-9]{1,9})?", text):
        raise BadTagError(f"no decimal number: {text!r}")
    return Decimal(text)


def _milliseconds(text: str) -> int:
    value = _decimal(text) * 1000
    if value != int(value):
        raise BadTagError(f"finer than a millisecond: {text!r}")
    return int(value)


def _quote(text: str) -> str:
    if '"' in text or "\n" in text or "\r" in text:
        raise BadTagError(f"cannot be quoted: {text!r}")
    return f'"{text}"'


def _unquote(text: str) -> str:
    if not re.fullmatch(r'"[^"\r\n]*"', text):
        raise BadTagError(f"no quoted string: {text!r}")
    return text[1:-1]


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    return _number(width), _number(height)


def _yes(text: str) -> bool:
    if text != "YES":
        raise BadTagError(f"neither YES nor left out: {text!r}")
    return True


def _part(text: str) -> str:
    if text != "PART":
        raise BadTagError(f"only parts are hinted at: {text!r}")
    return text


def _rate(text: str) -> float:
    return float(_decimal(text))


def _wall(text: str) -> int:
    """Milliseconds since 1970."""
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z", text):
        raise BadTagError(f"no time in UTC with milliseconds: {text!r}")
    return round(datetime.fromisoformat(text).timestamp() * 1000)


@lru_cache(maxsize=1024)  # of each segment while it is listed
def _date(ms: int) -> str:
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{ms % 1000:03d}Z"


NUMBER = Kind(str, _number)
SECONDS = Kind(lambda ms: f"{ms // 1000}.{ms % 1000:03d}", _milliseconds)
QUOTED = Kind(_quote, _unquote)
RESOLUTION = Kind(lambda size: f"{size[0]}x{size[1]}", _size)
RATE = Kind(lambda rate: f"{rate:.3f}", _rate)
YES = Kind(lambda _: "YES", _yes)
PART = Kind(str, _part)
WALL = Kind(_date, _wall)


def _attribute(name: str, kind: Kind, **more: Any) -> Any:
    """An attribute of a list; with `default=None` or `default=False` it may be left out."""
    return field(metadata={"attribute": name, "kind": kind}, **more)


def _value(kind: Kind) -> Any:
    """All that follows the colon."""
    return field(metadata={"kind": kind})


class Tag:
    """A line that begins with #EXT: its name, and no value, one value, or a list of attributes."""

    NAME: ClassVar[str]

    def __str__(self) -> str:
        written = [
            lead + write(value)
            for name, lead, write in _layout(type(self))  # type: ignore[arg-type] # a class is hashable
            if (value := getattr(self, name)) is not None and value is not False
        ]
        return f"#{self.NAME}:{','.join(written)}" if written else f"#{self.NAME}"


@cache
def _layout(tag: Callable[..., Tag]) -> list[tuple[str, str, Callable[[Any], str]]]:
    """Of each field its name, what is written before its value, and how that is written: playlists are made often."""
    described = fields(tag)  # type: ignore[arg-type] # every tag is a dataclass
    return [
        (each.name, f"{name}=" if (name := each.metadata.get("attribute")) else "", each.metadata["kind"].write)
        for each in described
    ]


@dataclass(frozen=True)
class ExtM3u(Tag):
    """4.4.1.1."""

    NAME = "EXTM3U"


@dataclass(frozen=True)
class Version(Tag):
    """4.4.1.2."""

    NAME = "EXT-X-VERSION"
    number: int = _value(NUMBER)


@dataclass(frozen=True)
class IndependentSegments(Tag):
    """4.4.2.1."""

    NAME = "EXT-X-INDEPENDENT-SEGMENTS"


@dataclass(frozen=True)
class TargetDuration(Tag):
    """4.4.3.1; whole seconds."""

    NAME = "EXT-X-TARGETDURATION"
    seconds: int = _value(NUMBER)


@dataclass(frozen=True)
class MediaSequence(Tag):
    """4.4.3.2."""

    NAME = "EXT-X-MEDIA-SEQUENCE"
    number: int = _value(NUMBER)


@dataclass(frozen=True)
class DiscontinuitySequence(Tag):
    """4.4.3.3."""

    NAME = "EXT-X-DISCONTINUITY-SEQUENCE"
    number: int = _value(NUMBER)


@dataclass(frozen=True)
class Endlist(Tag):
    """4.4.3.4."""

    NAME = "EXT-X-ENDLIST"


@dataclass(frozen=True)
class PartInf(Tag):
    """4.4.3.7."""

    NAME = "EXT-X-PART-INF"
    part_target_ms: int = _attribute("PART-TARGET", SECONDS)


@dataclass(frozen=True)
class ServerControl(Tag):
    """4.4.3.8."""

    NAME = "EXT-X-SERVER-CONTROL"
    can_block_reload: bool = _attribute("CAN-BLOCK-RELOAD", YES)
    part_hold_back_ms: int = _attribute("PART-HOLD-BACK", SECONDS)
    can_skip_until_ms: int = _attribute("CAN-SKIP-UNTIL", SECONDS)


@dataclass(frozen=True)
class Inf(Tag):
    """4.4.4.1, without a title."""

    NAME = "EXTINF"
    duration_ms: int = _value(Kind(lambda ms: f"{SECONDS.write(ms)},", lambda text: _milliseconds(text.rstrip(","))))


@dataclass(frozen=True)
class Discontinuity(Tag):
    """4.4.4.3."""

    NAME = "EXT-X-DISCONTINUITY"


@dataclass(frozen=True)
class Map(Tag):
    """4.4.4.5."""

    NAME = "EXT-X-MAP"
    uri: str = _attribute("URI", QUOTED)


@dataclass(frozen=True)
class ProgramDateTime(Tag):
    """4.4.4.6; ms since 1970."""

    NAME = "EXT-X-PROGRAM-DATE-TIME"
    wall_ms: int = _value(WALL)


@dataclass(frozen=True)
class Gap(Tag):
    """4.4.4.7."""

    NAME = "EXT-X-GAP"


@dataclass(frozen=True)
class PartTag(Tag):
    """4.4.4.9."""

    NAME = "EXT-X-PART"
    duration_ms: int = _attribute("DURATION", SECONDS)
    uri: str = _attribute("URI", QUOTED)
    independent: bool = _attribute("INDEPENDENT", YES, default=False)


@dataclass(frozen=True)
class Skip(Tag):
    """4.4.5.2."""

    NAME = "EXT-X-SKIP"
    segments: int = _attribute("SKIPPED-SEGMENTS", NUMBER)


@dataclass(frozen=True)
class PreloadHint(Tag):
    """4.4.5.3, of a part."""

    NAME = "EXT-X-PRELOAD-HINT"
    type: str = _attribute("TYPE", PART)
    uri: str = _attribute("URI", QUOTED)


@dataclass(frozen=True)
class RenditionReport(Tag):
    """4.4.5.4."""

    NAME = "EXT-X-RENDITION-REPORT"
    uri: str = _attribute("URI", QUOTED)
    last_msn: int = _attribute("LAST-MSN", NUMBER)
    last_part: int | None = _attribute("LAST-PART", NUMBER, default=None)


@dataclass(frozen=True)
class StreamInf(Tag):
    """4.4.6.2; bit/s."""

    NAME = "EXT-X-STREAM-INF"
    bandwidth: int = _attribute("BANDWIDTH", NUMBER)
    average_bandwidth: int = _attribute("AVERAGE-BANDWIDTH", NUMBER)
    resolution: tuple[int, int] = _attribute("RESOLUTION", RESOLUTION)
    frame_rate: float = _attribute("FRAME-RATE", RATE)
    codecs: str = _attribute("CODECS", QUOTED)


TAGS: dict[str, type[Tag]] = {tag.NAME: tag for tag in Tag.__subclasses__()}
_LINE = re.compile(r"#(EXT[A-Z0-9-]*)(?::(.*))?")
_IN_A_LIST = re.compile(r'([A-Z0-9-]+)=("[^"\r\n]*"|[^",\s][^",]*)(?:,|$)')

Line = Tag | str  # a string is a URI


def text(lines: Iterable[Line]) -> str:
    """A playlist of these."""
    return "".join(f"{line}\n" for line in lines)


def parse(playlist: str) -> list[Line]:
    """What `text` wrote. Comments and lines without anything are left out (4.1).

    Raises:
        BadTagError: a tag that is none of ours, or has a value that it cannot have.
    """
    lines = (line.removesuffix("\r") for line in playlist.split("\n"))
    return [_read(line) for line in lines if line and (not line.startswith("#") or line.startswith("#EXT"))]


def _read(line: str) -> Line:
    if not line.startswith("#"):
        return line
    found = _LINE.fullmatch(line)
    tag = TAGS.get(found[1]) if found else None
    if found is None or tag is None:
        raise BadTagError(f"unknown tag: {line[:80]!r}")
    made: Callable[..., Tag] = tag  # each has fields of its own
    described = fields(tag)  # type: ignore[arg-type] # every tag is a dataclass
    given = found[2]
    if (given is None) != (not described):
        raise BadTagError(f"{tag.NAME} has a value, or has none: {line[:80]!r}")
    if given is None:
        return tag()
    if not described[0].metadata.get("attribute"):
        return made(described[0].metadata["kind"].read(given))
    attributes = dict(_attributes(given))
    values = {
        each.name: each.metadata["kind"].read(attributes[name])
        for each in described
        if (name := each.metadata["attribute"]) in attributes
    }
    try:
        return made(**values)
    except TypeError:
        raise BadTagError(f"an attribute is missing: {line[:80]!r}") from None


def _attributes(given: str) -> Iterator[tuple[str, str]]:
    end = 0
    while end < len(given):
        found = _IN_A_LIST.match(given, end)
        if found is None:
            raise BadTagError(f"no list of attributes: {given[:80]!r}")
        yield found[1], found[2]
        end = found.end()
