"""Playlists as text: multivariant and media playlists with Low-Latency HLS (RFC 8216bis).

Ordinary players use the same playlists: they leave out what they do not know.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from origin.packaging.packager import Rendition, Segment

# 4.4.4.9: parts are for the live edge; three target durations from the end they may go.
_SEGMENTS_WITH_PARTS = 3
_USUAL_RATES = (10, 12, 12.5, 15, 20, 23.976, 24, 25, 29.97, 30, 48, 50, 59.94, 60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One line of a multivariant playlist; bit rates in bit/s."""

    name: str
    bandwidth: int
    average_bandwidth: int
    width: int
    height: int
    frame_rate: float
    codecs: str


def multivariant(variants: Iterable[Variant]) -> str:
    lines = ["#EXTM3U", "#EXT-X-VERSION:9", "#EXT-X-INDEPENDENT-SEGMENTS"]
    for variant in variants:
        lines += [
            _stream_inf(variant),
            f"{variant.name}/index.m3u8",
        ]
    return _text(lines)


def _stream_inf(variant: Variant) -> str:
    return (
        f"#EXT-X-STREAM-INF:BANDWIDTH={variant.bandwidth},AVERAGE-BANDWIDTH={variant.average_bandwidth},"
        f"RESOLUTION={variant.width}x{variant.height},FRAME-RATE={usual_rate(variant.frame_rate):.3f},"
        f'CODECS="{variant.codecs}"'
    )


def usual_rate(measured: float) -> float:
    """The rate that a measured one stands for: a clock in milliseconds shows 29.97 as 29.9 something."""
    nearest = min(_USUAL_RATES, key=lambda rate: abs(rate - measured))
    return nearest if abs(nearest - measured) < 0.02 * nearest else measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What is the same in every playlist of a stream; seconds."""

    target_duration: int
    part_target: float
    listed_segments: int

    @property
    def part_hold_back(self) -> float:
        """At least twice, better three times the part target (4.4.3.8)."""
        return 3 * self.part_target

    @property
    def hold_back(self) -> str:
        return f"PART-HOLD-BACK={self.part_hold_back:.3f},CAN-SKIP-UNTIL={self.skip_until:.1f}"

    @property
    def skip_until(self) -> float:
        """At least six target durations (4.4.3.8)."""
        return 6 * self.target_duration


def media(rendition: Rendition, others: Mapping[str, Rendition], form: Form, *, skip: bool = False) -> str:
    """The media playlist of a rendition; with `skip` a delta update (4.4.5.2) where there is something to leave out."""
    segments = listed(rendition, form)
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:9",
        f"#EXT-X-TARGETDURATION:{form.target_duration}",
        f"#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,{form.hold_back}",
        f"#EXT-X-PART-INF:PART-TARGET={form.part_target:.3f}",
        f"#EXT-X-MEDIA-SEQUENCE:{segments[0].msn if segments else rendition.next_part[0]}",
    ]
    if segments:
        first = segments[0].boundary
        lines.append(f"#EXT-X-DISCONTINUITY-SEQUENCE:{first.discontinuity_sequence - first.discontinuity}")
    lines.append("#EXT-X-INDEPENDENT-SEGMENTS")
    skipped = _skippable(segments, form) if skip else 0
    if skipped:
        lines.append(f"#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}")
    lines += _segments(segments, skipped)
    if rendition.ended:
        lines.append("#EXT-X-ENDLIST")
    else:
        if hint := rendition.hint:
            lines.append(f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="{hint}"')
        lines += [_report(other) for other in others.values() if other is not rendition and other.segments]
    return _text(lines)


def listed(rendition: Rendition, form: Form) -> Sequence[Segment]:
    """The segments in the playlist: the newest whole ones, and the one in progress."""
    segments = list(rendition.segments)
    return segments[-form.listed_segments - (not segments[-1].complete) :] if segments else []


def _skippable(segments: Sequence[Segment], form: Form) -> int:
    until_end = 0.0
    for index in range(len(segments) - 1, -1, -1):
        until_end += segments[index].duration_ms / 1000
        if until_end > form.skip_until:
            return index
    return 0


def _segments(segments: Sequence[Segment], skipped: int) -> Iterable[str]:
    init = segments[skipped - 1].init_name if skipped else None
    for index, segment in enumerate(segments[skipped:], skipped):
        if segment.boundary.discontinuity:
            yield "#EXT-X-DISCONTINUITY"
        if segment.init_name != init:
            init = segment.init_name
            yield f'#EXT-X-MAP:URI="{init}"'
        yield f"#EXT-X-PROGRAM-DATE-TIME:{_date(segment.boundary.wall)}"
        if index >= len(segments) - _SEGMENTS_WITH_PARTS:
            for part in segment.parts:
                independent = ",INDEPENDENT=YES" if part.independent else ""
                yield f'#EXT-X-PART:DURATION={part.duration_ms / 1000:.3f},URI="{part.name}"{independent}'
        if segment.complete:
            if segment.gap:
                yield "#EXT-X-GAP"
            yield f"#EXTINF:{segment.duration_ms / 1000:.3f},"
            yield segment.name


def _report(other: Rendition) -> str:
    """4.4.5.4: the last segment in the other playlist and its last part, for a player that changes over."""
    last = other.segments[-1]
    part = f",LAST-PART={len(last.parts) - 1}" if last.parts else ""
    return f'#EXT-X-RENDITION-REPORT:URI="../{other.name}/index.m3u8",LAST-MSN={last.msn}{part}'


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _text(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"
