"""Playlists: multivariant and media playlists with Low-Latency HLS (RFC 8216bis).

Ordinary players use the same playlists: they leave out what they do not know.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from origin.packaging import tags
from origin.packaging.rates import usual_rate
from origin.packaging.segments import Segment
from origin.packaging.tags import Line
from origin.packaging.window import Window

_VERSION = 9
# 4.4.4.9: parts are for the live edge; three target durations from the end they may go.
_SEGMENTS_WITH_PARTS = 3


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What is the same in every playlist of a stream."""

    target_seconds: int
    part_target_ms: int
    listed_segments: int

    @property
    def part_hold_back_ms(self) -> int:
        """At least twice, better three times the part target (4.4.3.8)."""
        return 3 * self.part_target_ms

    @property
    def skip_until_ms(self) -> int:
        """At least six target durations (4.4.3.8)."""
        return 6 * self.target_seconds * 1000


def multivariant(variants: Iterable[Variant]) -> str:
    return tags.text(_multivariant(variants))


def _multivariant(variants: Iterable[Variant]) -> Iterator[Line]:
    yield from (tags.ExtM3u(), tags.Version(_VERSION), tags.IndependentSegments())
    for variant in variants:
        yield tags.StreamInf(
            variant.bandwidth,
            variant.average_bandwidth,
            (variant.width, variant.height),
            usual_rate(variant.frame_rate),
            variant.codecs,
        )
        yield f"{variant.name}/index.m3u8"


def media(name: str, windows: Mapping[str, Window], form: Form, *, skip: bool = False) -> str:
    """The media playlist of one of the renditions, with reports on the others.

    With `skip` it is a delta update (4.4.5.2) where there is something to leave out.
    """
    return tags.text(_media(name, windows, form, skip=skip))


def _media(name: str, windows: Mapping[str, Window], form: Form, *, skip: bool) -> Iterator[Line]:
    window = windows[name]
    segments = listed(window, form)
    yield from (tags.ExtM3u(), tags.Version(_VERSION), tags.TargetDuration(form.target_seconds))
    yield tags.ServerControl(
        can_block_reload=True, part_hold_back_ms=form.part_hold_back_ms, can_skip_until_ms=form.skip_until_ms
    )
    yield tags.PartInf(form.part_target_ms)
    yield tags.MediaSequence(segments[0].msn if segments else window.next_part[0])
    if segments:
        first = segments[0].boundary
        yield tags.DiscontinuitySequence(first.discontinuity_sequence - first.discontinuity)
    yield tags.IndependentSegments()
    skipped = _skippable(segments, form) if skip else 0
    if skipped:
        yield tags.Skip(skipped)
    yield from _segments(segments, skipped)
    if window.ended:
        yield tags.Endlist()
        return
    if hint := window.hint:
        yield tags.PreloadHint("PART", hint)
    for other, its in windows.items():
        if other != name and its.begun:
            yield _report(other, its)


def listed(window: Window, form: Form) -> Sequence[Segment]:
    """The segments in the playlist: the newest whole ones, and the one in progress."""
    segments = list(window.segments)
    return segments[-form.listed_segments - (not segments[-1].complete) :] if segments else []


def _skippable(segments: Sequence[Segment], form: Form) -> int:
    until_end = 0
    for index in range(len(segments) - 1, -1, -1):
        until_end += segments[index].duration_ms
        if until_end > form.skip_until_ms:
            return index
    return 0


def _segments(segments: Sequence[Segment], skipped: int) -> Iterator[Line]:
    init = segments[skipped - 1].init_name if skipped else None
    for index, segment in enumerate(segments[skipped:], skipped):
        if segment.boundary.discontinuity:
            yield tags.Discontinuity()
        if segment.init_name != init:
            init = segment.init_name
            yield tags.Map(init)
        yield tags.ProgramDateTime(round(segment.boundary.wall * 1000))
        if index >= len(segments) - _SEGMENTS_WITH_PARTS:
            for part in segment.parts:
                yield tags.PartTag(part.duration_ms, part.name, part.independent)
        if segment.complete:
            if segment.gap:
                yield tags.Gap()
            yield tags.Inf(segment.duration_ms)
            yield segment.name


def _report(name: str, window: Window) -> Line:
    """The last segment in the other playlist and its last part, for a player that changes over (4.4.5.4)."""
    last = window.segments[-1]
    return tags.RenditionReport(f"../{name}/index.m3u8", last.msn, len(last.parts) - 1 if last.parts else None)
