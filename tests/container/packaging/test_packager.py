"""Cutting: parts, segments, gaps and playlists, with packets made by hand."""

import asyncio
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from itertools import accumulate, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from origin.media import silence
from origin.media.codecs import sound
from origin.media.packets import AudioConfig, AudioPacket, VideoConfig, VideoPacket
from origin.packaging import playlists
from origin.packaging.packager import Part, Rendition
from origin.packaging.timeline import Generation, Soundtrack, Timeline

from tests.container import mp4
from tests.container.checker import Checker, PlaylistError
from tests.container.media.test_media import AAC_LC_48K

# Any will do: these pictures are never decoded. 512x288, Main profile.
AVCC = VideoConfig(bytes.fromhex("014d4015ffe10017674d4015eca04012d80880000003008000001e078b16cb01000568ebe3cb20"))
FORM = playlists.Form(target_duration=2, part_target=0.35, listed_segments=8)


@pytest.fixture(autouse=True)
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Renditions ask the running loop for the time."""
    loop = asyncio.new_event_loop()
    asyncio.events._set_running_loop(loop)
    yield loop
    asyncio.events._set_running_loop(None)
    loop.close()


def timeline(first: int = 100) -> Timeline:
    return Timeline(first, 0, 2.0, 64)


def generation(number: int = 1, start: int = 10_000, **more: object) -> Generation:
    values = {"session": "s", "wall_offset": 1.7e9, "soundtrack": Soundtrack.mute(), "every_key": False} | more
    return Generation(number=number, start_pts=start, **values)  # type: ignore[arg-type]  # any field


def pictures(seconds: float, *, gop: float = 2, rate: float = 30, start: int = 10_000) -> list[VideoPacket]:
    step = round(gop * rate)
    return [
        VideoPacket(start + int(index * 1000 / rate), 0, index % step == 0, b"p" * 100)
        for index in range(round(seconds * rate))
    ]


def rendition(of: Timeline, name: str = "720p", kept: int = 20) -> Rendition:
    return Rendition(name, of, part_seconds=0.35, kept_segments=kept)


def fed(of: Timeline, packets: list[VideoPacket], gen: Generation, name: str = "720p") -> Rendition:
    each = rendition(of, name)
    each.begin(gen)
    each.configure(AVCC)
    for packet in packets:
        each.add(packet)
    return each


def text(each: Rendition, *others: Rendition, skip: bool = False) -> str:
    return playlists.media(each, {other.name: other for other in (each, *others)}, FORM, skip=skip)


def test_segments_follow_the_source_and_parts_fill_them() -> None:
    each = fed(timeline(), pictures(6.5), generation())
    assert [(s.msn, s.complete, s.duration_ms) for s in each.segments][:3] == [(100 + n, True, 2000) for n in range(3)]
    assert [part.duration_ms for part in each.segments[0].parts] == [333, 333, 334, 333, 333, 334]
    assert [part.independent for part in each.segments[0].parts] == [True] + [False] * 5
    Checker(renditions=1).check(text(each))


@pytest.mark.parametrize("rate", [10, 12.5, 15, 20, 23.976, 24, 25, 29.97, 30, 48, 50, 59.94, 60])
def test_parts_keep_the_rules_at_every_rate(rate: float) -> None:
    """At most the target; at least 85 % of it, the last of a segment excepted (RFC 8216bis 4.4.4.9)."""
    each, checker = rendition(timeline()), Checker(renditions=1)
    each.begin(generation())
    each.configure(AVCC)
    for packet in pictures(13, rate=rate):
        each.add(packet)
        if each.playable:
            checker.check(text(each))
    assert checker.checked > 60


@given(st.lists(st.sampled_from([17, 33, 34, 133, 340, 360, 500, 1200]), min_size=20, max_size=60))
@settings(deadline=None)
def test_no_part_is_too_long_whatever_the_pictures_do(steps: list[int]) -> None:
    """A picture that is shown for long goes on over parts in which none begins; nothing of its time is lost."""
    each, checker = rendition(timeline()), Checker(renditions=1, uneven=True)
    each.begin(generation())
    each.configure(AVCC)
    published: dict[tuple[int, int], Part] = {}  # old segments go

    def look() -> None:
        for segment in each.segments:
            published.update({(segment.msn, index): part for index, part in enumerate(segment.parts)})

    at, key_at = 10_000, 10_000
    for index, step in enumerate([*steps, 33]):
        key = index == 0 or at - key_at > 1000
        key_at = at if key else key_at
        each.add(VideoPacket(at, 0, key, b"picture"))
        if each.playable:
            checker.check(text(each))
        look()
        last, at = at, at + step
    each.finish()
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
    each.begin(generation())
    each.configure(AVCC)
    for packet in pictures(13):
        if not 700 < (packet.dts - 10_000) % 2000 < 1200:
            each.add(packet)
            if each.playable:
                checker.check(text(each))
    assert checker.checked > 60


def test_hint_always_comes_true() -> None:
    each = rendition(timeline())
    each.begin(generation())
    each.configure(AVCC)
    hints = set()
    for packet in pictures(9):
        each.add(packet)
        if each.hint:
            hints.add(each.hint)
    missing = {hint for hint in hints if hint not in each.media}
    assert missing <= {each.hint}


def test_renditions_follow_the_first_one() -> None:
    common, gen = timeline(), generation()
    first = fed(common, pictures(8), gen)
    second = fed(common, pictures(8), gen, "480p")
    assert [s.boundary for s in first.segments] == [s.boundary for s in second.segments]


@given(st.lists(st.sampled_from([0.5, 0.7, 1.0, 1.3, 2.0]), min_size=4, max_size=14))
@settings(deadline=None)
def test_irregular_key_pictures_never_make_a_segment_too_long(gops: list[float]) -> None:
    """Scene cuts, with at most 2 s between key frames: every segment within the target duration's rounding."""
    packets, start, common, gen = [], 10_000, timeline(), generation()
    for gop in [*gops, 2.0, 2.0]:
        packets += pictures(gop, gop=gop, start=start)
        start = packets[-1].dts + 33
    each = fed(common, packets, gen)
    assert all(s.duration_ms < 2500 for s in each.segments if s.complete)
    assert sum(s.duration_ms for s in each.segments) > 2000


def test_new_session_continues_with_a_discontinuity() -> None:
    common = timeline()
    each = fed(common, pictures(4.2), generation())
    each.finish()
    last = each.segments[-1].msn
    again = generation(number=1, session="t")
    again.wall_offset += 100
    each.begin(again)
    each.configure(AVCC)
    for packet in pictures(4.2):
        each.add(packet)
    following = next(s for s in each.segments if s.msn == last + 1)
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
        each.finish()
        each.fill_gaps(common.next_msn)
    assert long.next_part == short.next_part
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
        each.add(packet)
    assert text(each) == before


def test_old_media_is_forgotten_with_its_init() -> None:
    common = timeline()
    each = rendition(common, kept=5)
    for number in (1, 2):
        each.begin(generation(number=number, start=10_000 * number))
        each.configure(AVCC)
        for packet in pictures(14, start=10_000 * number):
            each.add(packet)
    assert len(each.segments) == 5
    assert "s.1.mp4" not in each.media
    assert "s.2.mp4" in each.media
    assert len([name for name in each.media if name.count(".") == 2 and name.endswith(".m4s")]) == 5


def soundtrack(config: AudioConfig = AAC_LC_48K) -> Soundtrack:
    return Soundtrack(config, sound(config))


def test_sound_has_no_gaps_from_a_rounded_clock() -> None:
    """RTMP rounds to milliseconds; 1024 samples are 21.333 ms."""
    track = soundtrack()
    for index in range(500):
        track.add(AudioPacket(10_000 + int(index * 1024 / 48), b"a"), 0)
    samples = track.between(0, track.end)
    assert all(b.dts == a.dts + 1024 for a, b in pairwise(samples))


def test_sound_follows_when_its_clock_jumps() -> None:
    """Silence fills the hole, to the sample; what comes for a time that has its sound is left out."""
    track = soundtrack()
    track.add(AudioPacket(10_000, b"a"), 0)
    track.add(AudioPacket(10_500, b"b"), 0)
    track.add(AudioPacket(10_021, b"late"), 0)
    samples = track.between(0, track.end)
    assert (samples[0].dts, samples[0].data) == (480_000, b"a")
    assert (samples[-1].dts, samples[-1].data) == (504_000, b"b")
    assert {s.data for s in samples[1:-1]} == {silence.frame(track.sound)}
    assert all(before.dts + before.duration == after.dts for before, after in pairwise(samples))
    assert max(s.duration for s in samples) < 2 * 1024


def test_sound_is_cut_once_for_all_renditions() -> None:
    """What comes after the decision goes into the next part, in every rendition; nothing is lost."""
    track = soundtrack()
    for index in range(20):
        track.add(AudioPacket(10_000 + int(index * 1024 / 48), b"a"), 0)
    first = track.cut(11_000)
    assert first == 20
    track.add(AudioPacket(10_000 + int(20 * 1024 / 48), b"late"), 0)
    assert track.cut(11_000) == 20
    assert track.between(first, track.end)[0].data == b"late"


def test_part_waits_for_its_sound() -> None:
    track = soundtrack()
    gen = generation(soundtrack=track)
    each = rendition(timeline())
    each.begin(gen)
    each.configure(AVCC)
    now = asyncio.events._get_running_loop().time()  # type: ignore[union-attr]  # a loop is running
    track.add(AudioPacket(10_000, b"a"), now)
    for packet in pictures(0.5):
        each.add(packet)
    assert not each.segments
    for index in range(1, 20):
        track.add(AudioPacket(10_000 + int(index * 1024 / 48), b"a"), now)
    each.flush()
    data = each.segments[0].parts[0].data
    assert len(mp4.samples(data)[2]) == 16  # up to 333 ms


class Air:
    """A copied rendition with its sound, fed in real time by a clock of the test's own."""

    def __init__(self, loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(loop, "time", lambda: self.now)
        self.track = soundtrack()
        self.each = rendition(timeline())
        self.each.begin(generation(soundtrack=self.track))
        self.each.configure(AVCC)
        self._pictures = iter(pictures(60))
        self._sound_sent = 0  # frames

    def send(self, seconds: float, *, sound: bool, late_ms: int = 0) -> None:
        for _ in range(round(seconds * 30)):
            picture = next(self._pictures)
            self.now += 1 / 30
            self.each.add(picture)
            while (due := 10_000 + self._sound_sent * 1024 // 48) < picture.dts - late_ms:
                self._sound_sent += 1
                if sound:
                    self.track.add(AudioPacket(due, b"sound"), self.now)
            self.each.flush()

    def heard(self) -> list[mp4.Sample]:
        return [s for segment in self.each.segments for part in segment.parts for s in mp4.samples(part.data)[2]]

    @property
    def published_ms(self) -> int:
        return sum(segment.duration_ms for segment in self.each.segments)


@pytest.fixture
def air(loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch) -> Air:
    return Air(loop, monkeypatch)


def gapless(samples: list[mp4.Sample]) -> bool:
    return all(before.dts + before.duration == after.dts for before, after in pairwise(samples))


def test_sound_that_stops_goes_on_as_silence(air: Air) -> None:
    """No part without sound, parts are held up once and then not any more, and it all comes back."""
    air.send(3, sound=True)
    air.send(1.2, sound=False)
    assert air.published_ms >= 3600
    for _ in range(20):
        air.send(0.2, sound=False)
        assert air.published_ms > air.each.newest_dts - 10_000 - 400
    assert gapless(air.heard())
    size = len(silence.frame(air.track.sound))
    assert [s.size for s in air.heard()[-40:]] == [size] * 40
    air.send(3, sound=True)
    assert gapless(air.heard())
    assert [s.size for s in air.heard()[-100:]] == [len(b"sound")] * 100


def test_sound_that_never_begins_is_silence(air: Air) -> None:
    """Announced by its configuration, and then nothing: with a microphone that is switched off."""
    air.send(4, sound=False)
    assert air.heard()[0].dts == 480_000
    assert gapless(air.heard())
    assert air.published_ms >= 3600


def test_late_sound_is_not_taken_for_silence(air: Air) -> None:
    """A publisher whose sound always comes after its pictures: viewers hear all of it."""
    air.send(0.4, sound=True)
    air.send(6, sound=True, late_ms=400)
    assert {s.size for s in air.heard()} == {len(b"sound")}
    assert gapless(air.heard())


def test_very_late_sound_is_heard_after_a_moment_of_silence(air: Air) -> None:
    """What falls behind by a second was taken for silence at first, and then is waited for."""
    air.send(0.4, sound=True)
    air.send(6, sound=True, late_ms=1000)
    silent = [s for s in air.heard() if s.size != len(b"sound")]
    assert sum(s.duration for s in silent) < 1.2 * 48_000
    assert {s.size for s in air.heard()[-150:]} == {len(b"sound")}
    assert gapless(air.heard())


def test_network_that_holds_everything_up_costs_no_sound(air: Air) -> None:
    """Two seconds of nothing, then all of it at once."""
    air.send(3, sound=True)
    air.now += 2
    air.send(3, sound=True)
    assert {s.size for s in air.heard()} == {len(b"sound")}
    assert gapless(air.heard())


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 6, 7])
@pytest.mark.parametrize("rate", [3, 4, 8], ids=["48000", "44100", "16000"])
def test_silence_decodes_to_nothing_in_every_format(channels: int, rate: int) -> None:
    config = AudioConfig((2 << 11 | rate << 7 | channels << 3).to_bytes(2, "big"))
    frame = silence.frame(sound(config))
    count = 10
    length = 7 + len(frame)
    header = 0xFFF << 44 | 1 << 40 | 1 << 38 | rate << 34 | channels << 30 | length << 13 | 0x7FF << 2
    adts = header.to_bytes(7, "big") + frame
    done = subprocess.run(
        ["ffmpeg", "-v", "warning", "-xerror", "-f", "aac", "-i", "pipe:0", "-f", "s16le", "pipe:1"],
        input=adts * count,
        capture_output=True,
        check=True,
        timeout=120,
    )
    assert done.stderr == b""
    assert done.stdout == bytes(2 * sound(config).channels * 1024 * count)


def test_delta_update_skips_old_segments_only() -> None:
    each = fed(timeline(), pictures(20), generation())
    full, delta = text(each), text(each, skip=True)
    skipped = int(delta.partition("SKIPPED-SEGMENTS=")[2].split("\n")[0])
    assert full.count("#EXTINF") - delta.count("#EXTINF") == skipped == 2
    assert full.endswith(delta.partition("#EXT-X-SKIP")[2].partition("\n")[2].partition("#EXT-X-PROGRAM")[2])


def test_playlist_ends() -> None:
    each = fed(timeline(), pictures(4.2), generation())
    each.finish()
    each.end()
    shown = text(each)
    assert shown.endswith("#EXT-X-ENDLIST\n")
    assert "PRELOAD-HINT" not in shown
    assert each.has(10**9, 0)


@pytest.mark.parametrize(("msn", "part", "there"), [(99, 0, True), (101, 2, True), (101, 3, False), (101, None, False)])
def test_blocking_reload_waits_for_exactly_what_was_asked(msn: int, part: int | None, *, there: bool) -> None:
    each = fed(timeline(), pictures(3.1), generation())
    assert each.next_part == (101, 3)
    assert each.has(msn, part) is there


def test_part_beyond_a_segment_is_the_first_of_the_next() -> None:
    """RFC 8216bis 6.2.5.2."""
    each = fed(timeline(), pictures(2.1), generation())
    assert each.next_part == (101, 0)
    assert each.has(100, 5)
    assert not each.has(100, 6)


# --- the checker itself: each rule must be able to fail ---


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("DURATION=0.334", "DURATION=0.351", "lasts 0.351"),
        ("DURATION=0.334", "DURATION=0.290", "lasts only 0.29"),
        ("#EXTINF:2.000,\ns.101", "#EXTINF:2.100,\ns.101", "parts of 101 last"),
        ("PART-HOLD-BACK=1.050", "PART-HOLD-BACK=1.000", "PART-HOLD-BACK"),
        ("CAN-SKIP-UNTIL=12.0", "CAN-SKIP-UNTIL=11.0", "CAN-SKIP-UNTIL"),
        ("CAN-BLOCK-RELOAD=YES", "CAN-BLOCK-RELOAD=NO", "blocking"),
        ("TARGETDURATION:2", "TARGETDURATION:1", "longer than the target"),
        (",INDEPENDENT=YES", "", "not independent"),
        ("#EXT-X-INDEPENDENT-SEGMENTS\n", "", "INDEPENDENT-SEGMENTS"),
        ('#EXT-X-MAP:URI="s.1.mp4"\n', "", "no EXT-X-MAP"),
        ("s.101.1.m4s", "s.101.0.m4s", ""),
        ('TYPE=PART,URI="s.103.1', 'TYPE=PART,URI="s.103.0', "the hint"),
    ],
)  # fmt: skip
def test_checker_sees_broken_rules(old: str, new: str, said: str) -> None:
    shown = text(fed(timeline(), pictures(6.5), generation()))
    Checker(renditions=1).check(shown)
    assert old in shown
    broken = shown.replace(old, new)
    if said:
        with pytest.raises(PlaylistError, match=said):
            Checker(renditions=1).check(broken)


def test_checker_sees_changes_between_playlists() -> None:
    each = fed(timeline(), pictures(6.5), generation())
    shown = text(each)
    for old, new in (
        ("s.101.m4s", "x.101.m4s"),
        ("MEDIA-SEQUENCE:100", "MEDIA-SEQUENCE:99"),
        ("TARGET=0.350", "TARGET=0.349"),
    ):
        checker = Checker(renditions=1)
        checker.check(shown)
        with pytest.raises(PlaylistError):
            checker.check(shown.replace(old, new))


def test_variants_are_described() -> None:
    variant = playlists.Variant(
        name="480p",
        bandwidth=2,
        average_bandwidth=1,
        width=854,
        height=480,
        frame_rate=29.9,
        codecs="avc1.4d401f,mp4a.40.2",
    )
    shown = playlists.multivariant([variant, replace(variant, name="360p")])
    assert "BANDWIDTH=2,AVERAGE-BANDWIDTH=1,RESOLUTION=854x480,FRAME-RATE=29.970" in shown
    assert shown.endswith("360p/index.m3u8\n")


@pytest.mark.parametrize(("measured", "usual"), [(29.9, 29.97), (30.01, 30), (59.9, 59.94), (17.3, 17.3), (24.98, 25)])
def test_measured_rates_are_told_as_usual_ones(measured: float, usual: float) -> None:
    assert playlists.usual_rate(measured) == usual
