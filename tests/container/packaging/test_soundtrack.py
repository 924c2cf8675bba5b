"""Sound: one gapless clock, cut once for all renditions, silence where there is none."""

import subprocess
from itertools import pairwise

import pytest
from origin.media import silence
from origin.media.codecs import sound
from origin.media.packets import AudioConfig, AudioPacket

from tests.container import mp4
from tests.container.packaging.by_hand import (
    add,
    begin,
    gapless,
    generation,
    pictures,
    rendition,
    soundtrack,
    timeline,
)


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


def test_old_sound_is_forgotten() -> None:
    """Forty seconds are more than any part waits for; a broadcast of a day must not fill the memory."""
    track = soundtrack()
    for index in range(60 * 48_000 // 1024):
        track.add(AudioPacket(10_000 + index * 1024 // 48, b"a"), 0)
    kept = track.between(0, track.end)
    assert 39_900 <= (kept[-1].dts + 1024 - kept[0].dts) / 48 <= 40_000
    assert track.end == 60 * 48_000 // 1024


def test_old_cuts_are_forgotten() -> None:
    track = soundtrack()
    track.add(AudioPacket(10_000, b"a"), 0)
    for at in range(2000):
        track.cut(at)
    assert len(track._cuts) <= 1000


def test_silence_fills_up_to_a_time_and_not_a_frame_more() -> None:
    track = soundtrack()
    track.fill(10_000, 10_064)  # three frames of 21.333 ms
    assert len(track.between(0, track.end)) == 3
    track.fill(10_000, 10_065)
    assert len(track.between(0, track.end)) == 4


@pytest.mark.parametrize(("late", "filled"), [(60, 0), (61, 2)])
def test_a_jump_is_what_is_beyond_rounding_and_jitter(late: int, filled: int) -> None:
    """After the first frame, which ends at 21.333 ms."""
    track = soundtrack()
    track.add(AudioPacket(10_000, b"a"), 0)
    track.add(AudioPacket(10_021 + late, b"b"), 0)
    frames = [sample.data for sample in track.between(0, track.end)]
    assert frames == [b"a", *[silence.frame(track.sound)] * filled, b"b"]


@pytest.mark.parametrize("stamped", ["first", "last"])
@pytest.mark.parametrize("frames", [2, 4, 8, 16])
def test_frames_that_are_stamped_in_batches_are_all_heard(frames: int, stamped: str) -> None:
    """With the time of the first of them or of the last: none is left out, and nothing is filled in."""
    track = soundtrack()
    for index in range(480):
        first = index - index % frames
        of = first if stamped == "first" else first + frames - 1
        track.add(AudioPacket(10_000 + int(of * 1024 / 48), b"a"), 0)
    samples = track.between(0, track.end)
    assert [sample.data for sample in samples] == [b"a"] * 480
    assert all(before.dts + before.duration == after.dts for before, after in pairwise(samples))


def test_sound_that_runs_ahead_of_its_stamps_for_good_is_put_right() -> None:
    """Too many frames for the time: within a second some are left out, and it is in step again."""
    track = soundtrack()
    for index in range(4000):
        track.add(AudioPacket(10_000 + index * 20, b"a"), 0)  # a frame has 21.3 ms
        assert track.end_ms - (10_000 + index * 20) < 400 + 22
    assert track.end < 4000 * 20 / 21.3 + 25


def test_part_waits_for_its_sound() -> None:
    track = soundtrack()
    gen = generation(soundtrack=track)
    each = rendition(timeline())
    begin(each, gen)
    track.add(AudioPacket(10_000, b"a"), 0)
    for packet in pictures(0.5):
        add(each, packet)
    assert not each.window.segments
    for index in range(1, 20):
        track.add(AudioPacket(10_000 + int(index * 1024 / 48), b"a"), 0)
    each.segmenter.flush(0)
    data = each.window.segments[0].parts[0].data
    assert len(mp4.samples(data)[2]) == 16  # up to 333 ms


class Air:
    """A copied rendition with its sound, fed in real time by a clock of the test's own."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.track = soundtrack()
        self.each = rendition(timeline())
        begin(self.each, generation(soundtrack=self.track))
        self._pictures = iter(pictures(60))
        self._sound_sent = 0  # frames

    def send(self, seconds: float, *, sound: bool, late_ms: int = 0) -> None:
        for _ in range(round(seconds * 30)):
            picture = next(self._pictures)
            self.now += 1 / 30
            self.each.segmenter.add(picture, self.now)
            while (due := 10_000 + self._sound_sent * 1024 // 48) < picture.dts - late_ms:
                self._sound_sent += 1
                if sound:
                    self.track.add(AudioPacket(due, b"sound"), self.now)
            self.each.segmenter.flush(self.now)

    def heard(self) -> list[mp4.Sample]:
        return [s for segment in self.each.window.segments for part in segment.parts for s in mp4.samples(part.data)[2]]

    @property
    def published_ms(self) -> int:
        return sum(segment.duration_ms for segment in self.each.window.segments)


@pytest.fixture
def air() -> Air:
    return Air()


def test_sound_that_stops_goes_on_as_silence(air: Air) -> None:
    """No part without sound, parts are held up once and then not any more, and it all comes back."""
    air.send(3, sound=True)
    air.send(1.2, sound=False)
    assert air.published_ms >= 3600
    for _ in range(20):
        air.send(0.2, sound=False)
        assert air.published_ms > air.each.segmenter.newest_dts - 10_000 - 400
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
