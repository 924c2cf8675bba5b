"""Cutting: parts, segments and gaps, with packets made by hand."""

from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from origin.media.packets import AudioPacket, VideoPacket

from tests.container import mp4
from tests.container.checker import Checker
from tests.container.packaging.by_hand import (
    add,
    begin,
    fed,
    generation,
    pictures,
    rendition,
    soundtrack,
    text,
    timeline,
)

if TYPE_CHECKING:
    from origin.packaging.segments import Part


def test_segments_follow_the_source_and_parts_fill_them() -> None:
    each = fed(timeline(), pictures(6.5), generation())
    assert [(s.msn, s.complete, s.duration_ms) for s in each.window.segments][:3] == [
        (100 + n, True, 2000) for n in range(3)
    ]
    assert [part.duration_ms for part in each.window.segments[0].parts] == [333, 333, 334, 333, 333, 334]
    assert [part.independent for part in each.window.segments[0].parts] == [True] + [False] * 5
    Checker(renditions=1).check(text(each))


@pytest.mark.parametrize("rate", [10, 12.5, 15, 20, 23.976, 24, 25, 29.97, 30, 48, 50, 59.94, 60])
def test_parts_keep_the_rules_at_every_rate(rate: float) -> None:
    """At most the target; at least 85 % of it, the last of a segment excepted (RFC 8216bis 4.4.4.9)."""
    each, checker = rendition(timeline()), Checker(renditions=1)
    begin(each, generation())
    for packet in pictures(13, rate=rate):
        add(each, packet)
        if each.window.playable:
            checker.check(text(each))
    assert checker.checked > 60


@given(st.lists(st.sampled_from([17, 33, 34, 133, 340, 360, 500, 1200]), min_size=20, max_size=60))
@settings(deadline=None)
def test_no_part_is_too_long_whatever_the_pictures_do(steps: list[int]) -> None:
    """A picture that is shown for long goes on over parts in which none begins; nothing of its time is lost."""
    each, checker = rendition(timeline()), Checker(renditions=1, uneven=True)
    begin(each, generation())
    published: dict[tuple[int, int], Part] = {}  # old segments go

    def look() -> None:
        for segment in each.window.segments:
            published.update({(segment.msn, index): part for index, part in enumerate(segment.parts)})

    at, key_at = 10_000, 10_000
    for index, step in enumerate([*steps, 33]):
        key = index == 0 or at - key_at > 1000
        key_at = at if key else key_at
        add(each, VideoPacket(at, 0, key, b"picture"))
        if each.window.playable:
            checker.check(text(each))
        look()
        last, at = at, at + step
    each.segmenter.finish(0)
    look()
    parts = [part for _, part in sorted(published.items())]
    assert max(part.duration_ms for part in parts) <= 350
    samples = [sample for part in parts for sample in mp4.samples(part.data).get(1, [])]
    assert all(a.dts + a.duration == b.dts for a, b in pairwise(samples))
    assert [sample.dts // 90 for sample in samples] == [10_000, *accumulate(steps, initial=10_000)][1:]
    assert sum(part.duration_ms for part in parts) >= last - 10_000
    assert all(mp4.samples(part.data) for part in parts)


def test_pictures_half_a_second_apart_leave_full_parts() -> None:
    """At least 85 % of the target, the last of a segment excepted, with a gap in every segment."""
    each, checker = rendition(timeline()), Checker(renditions=1)
    begin(each, generation())
    for packet in pictures(13):
        if not 700 < (packet.dts - 10_000) % 2000 < 1200:
            add(each, packet)
            if each.window.playable:
                checker.check(text(each))
    assert checker.checked > 60


def test_renditions_follow_the_first_one() -> None:
    common, gen = timeline(), generation()
    first = fed(common, pictures(8), gen)
    second = fed(common, pictures(8), gen, "480p")
    assert [s.boundary for s in first.window.segments] == [s.boundary for s in second.window.segments]


@given(st.lists(st.sampled_from([0.5, 0.7, 1.0, 1.3, 2.0]), min_size=4, max_size=14))
@settings(deadline=None)
def test_irregular_key_pictures_never_make_a_segment_too_long(gops: list[float]) -> None:
    """Scene cuts, with at most 2 s between key frames: every segment within the target duration's rounding."""
    packets, start, common, gen = [], 10_000, timeline(), generation()
    for gop in [*gops, 2.0, 2.0]:
        packets += pictures(gop, gop=gop, start=start)
        start = packets[-1].dts + 33
    each = fed(common, packets, gen)
    assert all(s.duration_ms < 2500 for s in each.window.segments if s.complete)
    assert sum(s.duration_ms for s in each.window.segments) > 2000


def test_new_session_continues_with_a_discontinuity() -> None:
    common = timeline()
    each = fed(common, pictures(4.2), generation())
    each.segmenter.finish(0)
    last = each.window.segments[-1].msn
    again = generation(number=1, session="t")
    again.wall_offset += 100
    begin(each, again)
    for packet in pictures(4.2):
        add(each, packet)
    following = next(s for s in each.window.segments if s.msn == last + 1)
    assert following.boundary.discontinuity
    assert following.boundary.discontinuity_sequence == 1
    assert following.name.startswith("t.")
    playlist = Checker(renditions=1).check(text(each))
    assert [s.discontinuity for s in playlist.segments].count(True) == 1


def test_shorter_rendition_gets_gaps() -> None:
    """An encoder that died before its time: numbers go on in step, players are told what is missing."""
    common, gen = timeline(), generation()
    long = fed(common, pictures(8), gen)
    short = fed(common, pictures(3), gen, "480p")
    for each in (long, short):
        each.segmenter.finish(0)
        each.segmenter.fill_gaps(common.next_msn)
    assert long.window.next_part == short.window.next_part
    shown = text(short, long)
    assert shown.count("#EXT-X-GAP") == 2
    playlist = Checker(renditions=2).check(shown)
    assert [s.gap for s in playlist.segments] == [False, False, True, True]
    assert [s.duration for s in playlist.segments] == [2.0, 0.999, 2.0, 2.0]


def test_replayed_pictures_are_left_out() -> None:
    """A replaced encoder begins at the segment's start; what was there already is not packaged twice."""
    packets = pictures(5)
    each = fed(timeline(), packets, generation())
    before = text(each)
    for packet in packets[60:]:
        add(each, packet)
    assert text(each) == before


@pytest.mark.parametrize("start", [1, 500, 2_000_000])
def test_where_the_clock_begins_makes_no_difference(start: int) -> None:
    """A source's zero is ours to choose, and a broadcast of days gets far."""
    each, checker = rendition(timeline()), Checker(renditions=1)
    begin(each, generation(start=start))
    for packet in pictures(13, start=start):
        add(each, packet)
        if each.window.playable:
            checker.check(text(each))
    assert [segment.duration_ms for segment in each.window.segments if segment.complete] == [2000] * 6
    samples = [s for segment in each.window.segments for p in segment.parts for s in mp4.samples(p.data)[1]]
    assert {round(sample.duration / 90) for sample in samples} == {33, 34}
    assert samples[0].dts == start * 90


def test_gaps_are_as_long_as_what_the_others_have() -> None:
    common, gen = timeline(), generation(start=1)
    fed(common, pictures(9, gop=1.5, start=1), gen)
    short = rendition(common, "480p")
    begin(short, gen)
    add(short, pictures(0.5, start=1))
    short.segmenter.finish(0)
    short.segmenter.fill_gaps(common.next_msn)
    lengths = [segment.duration_ms for segment in short.window.segments if segment.gap]
    assert lengths == [1500, 1500, 1500, 1500, 2000]  # of the newest nobody knows: the target


def test_pictures_are_shown_when_their_source_says() -> None:
    """B pictures: decoded in one order, shown in another."""
    each = rendition(timeline())
    begin(each, generation())
    late = [VideoPacket(packet.dts, 40, packet.key, packet.data) for packet in pictures(2.5)]
    add(each, late)
    sample = mp4.samples(each.window.segments[0].parts[0].data)[1][0]
    assert (sample.dts, sample.cts) == (10_000 * 90, 40 * 90)


def test_position_is_where_an_encoder_has_to_start() -> None:
    each = rendition(timeline())
    assert each.segmenter.position == 0
    begin(each, generation())
    assert each.segmenter.position == 10_000  # nothing so far: the generation's beginning
    add(each, pictures(3.1))
    assert each.segmenter.position == 12_000
    each.segmenter.finish(0)
    assert each.segmenter.position == 0
    begin(each, generation(number=2, start=20_000))
    assert each.segmenter.position == 20_000


def test_the_end_of_a_mute_broadcast_has_silence_up_to_its_last_picture() -> None:
    """Players stop at the end of the shorter track."""
    each = fed(timeline(), pictures(3.1), generation())
    each.segmenter.finish(0)
    whole = [part for segment in each.window.segments for part in segment.parts]
    heard = sum(sample.duration for part in whole for sample in mp4.samples(part.data)[2]) / 48
    assert abs(heard - sum(part.duration_ms for part in whole)) < 22  # a frame


def test_sound_that_trickles_in_late_is_waited_for_a_second_and_a_half() -> None:
    """And then the part goes without: what comes later is in a later part."""
    track = soundtrack()
    each = rendition(timeline())
    begin(each, generation(soundtrack=track))
    track.add(AudioPacket(10_000, b"a"), 100.0)
    for packet in pictures(0.6):
        each.segmenter.add(packet, 100.0)
    for now, frames in ((101.4, 0), (101.6, 1)):
        track.arrived = now  # it is not silent: some is on its way all the time
        each.segmenter.flush(now)
        assert len(each.window.segments) == frames


@pytest.mark.parametrize(("late", "logged"), [(0, 0), (40, 1)])
def test_a_rendition_that_does_not_cut_where_the_others_do_is_logged(
    caplog: pytest.LogCaptureFixture, late: int, logged: int
) -> None:
    common, gen = timeline(), generation()
    fed(common, pictures(5), gen)
    second = rendition(common, "480p")
    begin(second, gen)
    add(second, [VideoPacket(p.dts, late if p.dts >= 12_000 else 0, p.key, p.data) for p in pictures(3)])
    told = [record for record in caplog.records if record.message == "segment starts late"]
    assert [record.ms for record in told] == [late] * logged  # type: ignore[attr-defined] # logged beside the text


def test_a_picture_that_is_held_goes_on_while_nothing_comes() -> None:
    """Each segment repeats its key frame, none is longer than announced, and the next picture fits."""
    each, checker = rendition(timeline()), Checker(renditions=1, uneven=True)
    begin(each, generation())
    add(each, pictures(4))
    add(each, VideoPacket(14_000, 0, key=True, data=b"\0\0\0\2\x65p"))
    for until in range(14_500, 23_000, 20):
        each.segmenter.hold(until, 0, newest=14_000)
        checker.check(text(each))
    assert each.segmenter.can_repeat
    assert each.segmenter.held_until is not None
    assert 22_000 < each.segmenter.held_until < 23_000
    add(each, pictures(4, start=23_000))
    checker.check(text(each))
    held = [segment for segment in each.window.segments if segment.complete and segment.msn >= 102]
    assert all(segment.parts[0].independent for segment in held)
    assert all(segment.pictures for segment in held)
    assert sum(segment.duration_ms for segment in held) > 10_000


def test_a_picture_in_mid_gop_is_held_and_goes_on_in_a_segment_without_a_key_frame() -> None:
    each, checker = rendition(timeline()), Checker(renditions=1, uneven=True)
    begin(each, generation())
    add(each, pictures(5, gop=2))
    last = 10_000 + int(149 * 1000 / 30)
    for until in range(last + 500, last + 4000, 20):
        each.segmenter.hold(until, 0, newest=last)
        checker.check(text(each))
    assert not each.segmenter.can_repeat
    add(each, [VideoPacket(19_000 + 33 * n, 0, key=n == 30, data=b"p" * 100) for n in range(100)])
    each.segmenter.finish(0)
    checker.check(text(each))
    parts = [part for segment in each.window.segments for part in segment.parts]
    samples = [sample for part in parts for sample in mp4.samples(part.data).get(1, [])]
    assert [sample.dts // 90 for sample in samples if sample.dts // 90 >= 19_000][:2] == [19_000, 19_033]
    assert len(samples) == 250


def test_a_late_picture_is_put_behind_what_is_out() -> None:
    each = rendition(timeline())
    begin(each, generation())
    add(each, pictures(4))
    each.segmenter.hold(16_000, 0, newest=13_966)
    out = each.segmenter.held_until
    add(each, VideoPacket(14_000, 0, key=True, data=b"p" * 100))
    each.segmenter.finish(0)
    samples = [
        s for segment in each.window.segments for part in segment.parts for s in mp4.samples(part.data).get(1, [])
    ]
    assert out is not None
    assert samples[-1].dts // 90 == out
