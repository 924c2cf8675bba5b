"""What streamers really send. Each case plays in all renditions, or is refused with a clear word; never half."""

import contextlib
import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import m3u8
import pytest

from tests.container import mp4, simulator
from tests.container.image import PATIENCE_SECONDS
from tests.container.packaging.by_hand import gapless
from tests.container.publisher import program as publisher_program
from tests.container.rtmp_client import VIDEO, Client, message
from tests.container.support import NAMES, Backend, Follower, Origin, Publisher, eventually

KEY_FRAME_ADVICE = "key frame interval to 2 s"


class Case:
    """A source on air, its viewers, and what the origin says about it."""

    def __init__(self, origin: Origin, playback_id: str, followers: list[Follower], publisher: Publisher) -> None:
        self.origin, self.id, self.followers, self.publisher = origin, playback_id, followers, publisher

    @property
    def status(self) -> dict[str, Any]:
        found = self.origin.stream(self.id)
        assert found
        return found

    def messages(self, text: str) -> list[dict[str, Any]]:
        return [line for line in self.origin.messages(text) if line.get("stream") == self.id]

    def watch(self, segments: int) -> None:
        """Until every viewer has this many whole segments; then the viewers leave."""

        def enough() -> bool:
            assert not any(f.problem for f in self.followers), [f.problem for f in self.followers]
            return all(len(f.complete) >= segments for f in self.followers)

        eventually(enough, f"{segments} segments in every rendition")
        for follower in self.followers:
            follower.stop()

    def assert_aligned(self) -> None:
        """The same start under the same number, in all renditions that were seen."""
        starts = [follower.starts() for follower in self.followers]
        common = set.intersection(*(set(each) for each in starts))
        assert len(common) >= 2
        for number in common:
            assert len({each[number] for each in starts}) == 1, number

    def assert_every_picture(self, *, step: int = 1) -> None:
        """Burnt-in numbers without a gap or a repetition; where viewers began does not matter."""
        for follower in self.followers:
            numbers = follower.numbers()
            assert len(numbers) > 60 / step
            assert numbers[0] is not None
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers) * step, step)), follower.rendition

    def sound(self, follower: Follower) -> list[mp4.Sample]:
        """Of all whole segments."""
        return [sample for msn in follower.complete for sample in mp4.samples(follower.media(msn))[2]]

    def assert_segments_keep_the_target(self) -> None:
        """EXTINF, rounded, is the target duration of 2 s at most (RFC 8216bis 4.4.3.1); ours leave no need to round."""
        for follower in self.followers:
            longest = max(float(follower.segments[msn].duration or 0) for msn in follower.complete)
            assert longest <= 2.1, follower.rendition

    def assert_sound_without_a_hole(self) -> None:
        """From the first to the last whole segment, as long as the pictures, in all renditions."""
        for follower in self.followers:
            media = [mp4.samples(follower.media(msn)) for msn in follower.complete]
            every = self.sound(follower)
            assert gapless(every), follower.rendition
            rate = mp4.timescales(next(iter(follower.inits.values())))[2]
            first, last = media[0][1][0], media[-1][1][-1]
            assert abs(every[0].dts / rate - first.dts / 90_000) < 0.1
            assert abs((every[-1].dts + every[-1].duration) / rate - (last.dts + last.duration) / 90_000) < 0.1


@contextmanager
def on_air(
    origin: Origin,
    backend: Backend,
    *options: str,
    names: list[str] | None = None,
    uneven: bool = False,
    troubles: tuple[str, ...] = (),
) -> Iterator[Case]:
    names = names or NAMES
    key, playback_id = backend.new_key()
    program = simulator.program if troubles else publisher_program
    named = [f"--trouble={each}" for each in troubles]
    with Publisher(origin, key, *options, *named, program=program) as publisher:
        eventually(lambda: origin.fetch(f"/hls/{playback_id}/master.m3u8").status == 200, "playlist")
        followers = [Follower(origin, playback_id, name, renditions=len(names), uneven=uneven) for name in names]
        try:
            yield Case(origin, playback_id, followers, publisher)
        finally:
            for follower in followers:
                follower.stop()


def codecs(case: Case) -> list[str]:
    playlist = m3u8.loads(case.origin.fetch(f"/hls/{case.id}/master.m3u8").text)
    return [each.stream_info.codecs for each in playlist.playlists]


def sizes(case: Case) -> list[tuple[int, int]]:
    playlist = m3u8.loads(case.origin.fetch(f"/hls/{case.id}/master.m3u8").text)
    return [each.stream_info.resolution for each in playlist.playlists]


def test_source_without_sound_plays(origin: Origin, backend: Backend) -> None:
    """With silence, so that sound may begin at any time: players cannot take a new track in."""
    with on_air(origin, backend, "--audio", "none") as case:
        case.watch(3)
        assert all(name.endswith(",mp4a.40.2") for name in codecs(case))
        case.assert_aligned()
        case.assert_every_picture()
        case.assert_sound_without_a_hole()


@pytest.mark.parametrize(
    ("trouble", "forms"),
    [
        ("sei-alone", 1),
        ("annex-b", 1),
        ("step:-1000@5", 2),
        ("step:7000@5", 2),
        ("apart:-10000", 1),
        ("apart:10000", 1),
    ],
)
def test_habits_of_encoders_cost_no_picture(origin: Origin, backend: Backend, trouble: str, forms: int) -> None:
    with on_air(origin, backend, troubles=(trouble,)) as case:
        case.watch(5)
        case.assert_aligned()
        case.assert_every_picture()
        case.assert_sound_without_a_hole()
        said = [line for line in origin.messages("") if line.get("stream") == case.id]
        assert len(case.messages("broadcast")) == forms
        assert len(said) < 10
        assert all(line.get("top", "copied") == "copied" for line in said)


def test_another_shape_in_band_is_another_form(origin: Origin, backend: Backend, tmp_path: Path) -> None:
    """Two clips one after the other, copied: what players get is what the parameter sets within the stream say."""
    for size in ("512x288", "288x512"):
        command = [
            "ffmpeg",
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            f"testsrc2=size={size}:rate=30",
            "-f",
            "lavfi",
            "-i",
            "sine",
        ]
        command += ["-t", "7", "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p"]
        command += [
            "-b:v",
            "500k",
            "-maxrate",
            "500k",
            "-bufsize",
            "500k",
            "-g",
            "60",
            "-c:a",
            "aac",
            str(tmp_path / f"{size}.flv"),
        ]
        subprocess.run(command, check=True, timeout=PATIENCE_SECONDS)
    files = f"--file={tmp_path}/512x288.flv", f"--trouble=then:{tmp_path}/288x512.flv"
    key, playback_id = backend.new_key()
    with Publisher(origin, key, *files, program=simulator.program):
        master = f"/hls/{playback_id}/master.m3u8"
        eventually(lambda: "RESOLUTION=512x288" in origin.fetch(master).text, "landscape")
        names = [each.uri.partition("/")[0] for each in m3u8.loads(origin.fetch(master).text).playlists]
        follower = Follower(origin, playback_id, names[0], renditions=len(names))
        eventually(lambda: "RESOLUTION=288x512" in origin.fetch(master).text, "portrait")
        eventually(lambda: len(follower.inits) == 2 or follower.problem, "another initialization section")
        follower.stop()
    assert follower.problem is None
    forms = [line for line in origin.messages("broadcast") if line.get("stream") == playback_id and "source" in line]
    assert [line["source"] for line in forms] == ["512x288", "288x512"]
    assert [line["why_encoded"] for line in forms] == [None, None]


@pytest.mark.parametrize(("at", "kind"), [(4.1, "--obs"), (5.9, "--gop=60")])
def test_sound_of_another_format_in_mid_gop(
    origin: Origin, backend: Backend, tmp_path: Path, at: float, kind: str
) -> None:
    """From 48 kHz stereo to 44.1 kHz mono: silence until the next key frame, and never nothing at all."""
    file = tmp_path / "other.flv"
    command = [
        "ffmpeg",
        "-v",
        "error",
        "-f",
        "lavfi",
        "-i",
        "sine=sample_rate=44100",
        "-t",
        "60",
        "-c:a",
        "aac",
        str(file),
    ]
    subprocess.run(command, check=True, timeout=PATIENCE_SECONDS)
    with on_air(origin, backend, kind, troubles=(f"sound:{file}@{at}",)) as case:
        case.watch(6)
        case.assert_aligned()
        case.assert_every_picture()
        for follower in case.followers:
            assert len(follower.inits) == 2
            for film in follower.films():
                assert_sound_is_as_long_as_the_picture(film)


def assert_sound_is_as_long_as_the_picture(film: bytes) -> None:
    tracks, rate = mp4.samples(film), mp4.timescales(film)[2]
    pictures, sound = tracks[1], tracks[2]
    assert gapless(sound)
    first = min(each.dts + each.cts for each in pictures)
    last = max(each.dts + each.cts + each.duration for each in pictures)
    assert abs(sound[0].dts / rate - first / 90_000) < 0.1
    assert abs((sound[-1].dts + sound[-1].duration) / rate - last / 90_000) < 0.1


@pytest.mark.parametrize("kind", ["--gop=60", "--obs"], ids=["without-b-frames", "with-b-frames"])
@pytest.mark.parametrize(
    "trouble", ["pause:2600@5.4", "freeze:2600@5.4"], ids=["until-a-key-frame", "goes-on-in-mid-gop"]
)
def test_pictures_that_pause_leave_no_hole(origin: Origin, backend: Backend, trouble: str, kind: str) -> None:
    """Its last picture is held: parts, segments and sound go on, and the pictures then, copied, in the first form."""
    with on_air(origin, backend, kind, troubles=(trouble,), uneven=True) as case:
        case.watch(7)
        case.assert_sound_without_a_hole()
        case.assert_segments_keep_the_target()
        assert len(case.messages("broadcast")) == 1
        assert not case.messages("source does not fit")
        for follower in case.followers:
            numbers = [number for number in follower.numbers() if number is not None]
            new = [one for one, before in zip(numbers[1:], numbers, strict=False) if one != before]
            jumps = [after - before for before, after in pairwise(new)]
            assert all(jump > 0 for jump in jumps), follower.rendition
            assert sum(jump > 1 for jump in jumps) <= 2, (follower.rendition, jumps)


def test_slides_play_at_once_and_are_held(origin: Origin, backend: Backend) -> None:
    """A key frame every five seconds and nothing else, with sound: copied, whole segments from the first slide on."""
    with on_air(origin, backend, "--gop=150", troubles=("slides",), uneven=True) as case:
        case.watch(8)
        case.assert_aligned()
        case.assert_segments_keep_the_target()
        assert case.status["top"] == "copied"
        assert not case.messages("FFmpeg")
        for follower in case.followers:
            assert {number for number in follower.numbers() if number is not None} >= {0, 150}
            assert gapless(case.sound(follower)), follower.rendition


@pytest.mark.parametrize("every", [33, 150], ids=["one-a-second", "one-in-five-seconds"])
def test_pictures_far_apart_and_key_frames_farther_play(origin: Origin, backend: Backend, every: int) -> None:
    """Copied first, then encoded, as key frames do not come: on air through all of it, with its sound."""
    few = f"--filter=select='not(mod(n,{every}))'", "--audio-filter=,anull"
    with on_air(origin, backend, "--gop=60", *few, uneven=True) as case:
        case.watch(14)
        assert case.publisher.process.poll() is None
        assert case.status["top"] == "encoded"
        assert len(case.messages("source does not fit")) == 1
        case.assert_segments_keep_the_target()
        for follower in case.followers:
            holes = [(a, b) for a, b in pairwise(case.sound(follower)) if a.dts + a.duration != b.dts]
            assert len(holes) <= 1, follower.rendition  # at the change, which is another track


def test_pictures_that_stop_for_good_end_the_broadcast(origin: Origin, backend: Backend) -> None:
    """In mid-GOP the last picture cannot be shown to whoever comes: the streaming software connects anew."""
    with on_air(origin, backend, "--gop=60", troubles=("freeze:600000@5.4",), uneven=True) as case:
        eventually(lambda: case.messages("no picture for 10 s"), "the reason")
        assert case.publisher.wait() != 0


@pytest.mark.parametrize(
    "sound",
    [",atrim=end=5", ",aselect='lt(t,4)+gt(t,7)'", ",aselect='gt(t,5)'"],
    ids=["stops-for-good", "comes-back", "begins-late"],
)
def test_sound_that_stops_leaves_the_picture(origin: Origin, backend: Backend, sound: str) -> None:
    with on_air(origin, backend, f"--audio-filter={sound}") as case:
        case.watch(6)
        case.assert_aligned()
        case.assert_every_picture()
        case.assert_sound_without_a_hole()
        assert len(case.messages("broadcast")) == 1  # still its first form: nothing for players to get used to


def test_sixty_pictures_a_second_play(origin: Origin, backend: Backend) -> None:
    with on_air(origin, backend, "--rate", "60", "--gop", "120", "--obs") as case:
        case.watch(3)
        playlist = m3u8.loads(origin.fetch(f"/hls/{case.id}/master.m3u8").text)
        assert [each.stream_info.frame_rate for each in playlist.playlists] == [60, 60, 60]
        case.assert_aligned()
        case.assert_every_picture()


@pytest.mark.parametrize(("rate", "gop"), [("25", "50"), ("24", "48"), ("29.97", "60")])
def test_other_picture_rates_play(origin: Origin, backend: Backend, rate: str, gop: str) -> None:
    with on_air(origin, backend, "--rate", rate, "--gop", gop) as case:
        case.watch(3)
        playlist = m3u8.loads(origin.fetch(f"/hls/{case.id}/master.m3u8").text)
        assert [each.stream_info.frame_rate for each in playlist.playlists] == [float(rate)] * 3
        assert case.status["top"] == "copied"
        case.assert_aligned()
        case.assert_every_picture()


def test_source_larger_than_the_ladder_is_encoded(origin: Origin, backend: Backend) -> None:
    """What 1080p is to the real ladder: never passed on as it is, and never enlarged or cut."""
    with on_air(origin, backend, "--size", "768x432", "--kbps", "900", "--obs") as case:
        case.watch(3)
        assert case.status["top"] == "encoded"
        assert sizes(case) == [(512, 288), (384, 216), (256, 144)]
        assert "larger than 720p" in case.messages("broadcast begins")[0]["why_encoded"]
        case.assert_aligned()
        case.assert_every_picture()


def test_portrait_picture_plays(origin: Origin, backend: Backend) -> None:
    """The height of a rung is that of the short side."""
    with on_air(origin, backend, "--size", "288x512") as case:
        case.watch(2)
        assert case.status["top"] == "copied"
        assert sizes(case) == [(288, 512), (216, 384), (144, 256)]
        case.assert_aligned()
        case.assert_every_picture()


@pytest.mark.parametrize(
    ("size", "ratio", "shown"),
    [
        ("384x288", "4/3", [(512, 288), (384, 216), (256, 144)]),
        ("512x216", "3/4", [(512, 288), (384, 216), (256, 144)]),
        ("480x432", "64/45", [(456, 288), (342, 216), (228, 144)]),
    ],
)
def test_pixels_that_are_not_square_keep_their_shape(
    origin: Origin, backend: Backend, size: str, ratio: str, shown: list[tuple[int, int]]
) -> None:
    with on_air(origin, backend, "--size", size, f"--filter=setsar={ratio}") as case:
        case.watch(2)
        assert case.status["top"] == ("encoded" if size == "480x432" else "copied")
        assert sizes(case) == shown
        case.assert_aligned()
        case.assert_every_picture()
        for follower, (width, height) in zip(case.followers, shown, strict=True):
            assert shape(follower) == pytest.approx(width / height, rel=0.01), follower.rendition


def shape(follower: Follower) -> float:
    """Width to height of what is seen."""
    command = ["ffprobe", "-v", "error", "-select_streams", "v", "-show_streams", "-of", "json", "pipe:0"]
    film = follower.films()[0]
    said = subprocess.run(command, input=film, capture_output=True, check=True, timeout=PATIENCE_SECONDS).stdout
    width, height = json.loads(said)["streams"][0]["display_aspect_ratio"].split(":")
    return int(width) / int(height)


def combed_pictures(media: bytes) -> tuple[int, int]:
    """How many pictures FFmpeg finds combed, and how many it finds whole."""
    command = ["ffmpeg", "-nostdin", "-hide_banner", "-i", "pipe:0", "-map", "0:v", "-vf", "idet", "-f", "null", "-"]
    said = subprocess.run(command, input=media, capture_output=True, check=True, timeout=PATIENCE_SECONDS).stderr
    found = re.findall(rb"Multi frame detection: TFF: *(\d+) BFF: *(\d+) Progressive: *(\d+)", said)[-1]
    top, bottom, whole = (int(each) for each in found)
    return top + bottom, whole


def test_interlaced_source_is_deinterlaced(origin: Origin, backend: Backend) -> None:
    """Fifty fields a second become twenty-five whole pictures, none of them combed."""
    fields = "--filter=tinterlace=mode=interleave_top,setfield=tff"
    coded = "--extra=-flags", "--extra=+ildct+ilme"
    with on_air(origin, backend, "--rate", "50", "--gop", "50", fields, *coded) as case:
        case.watch(3)
        assert case.status["top"] == "encoded"
        assert "progressive" in case.messages("broadcast begins")[0]["why_encoded"]
        case.assert_aligned()
        case.assert_sound_without_a_hole()
        for follower in case.followers:
            combed, whole = combed_pictures(follower.films()[0])
            assert whole > 50, follower.rendition
            assert combed < whole / 20, follower.rendition


def test_source_smaller_than_the_ladder_is_not_enlarged(origin: Origin, backend: Backend) -> None:
    with on_air(origin, backend, "--size", "320x180", "--kbps", "250", names=["480p", "360p"]) as case:
        case.watch(2)
        assert sizes(case) == [(320, 180), (256, 144)]
        assert case.status["top"] == "copied"
        case.assert_every_picture()


@pytest.mark.parametrize("gop", [250, 300], ids=["of-obs-by-default", "of-10-s"])
@pytest.mark.parametrize("obs", [True, False], ids=["with-b-frames", "without-b-frames"])
def test_long_gop_is_noticed_and_encoded_without_a_break(
    origin: Origin, backend: Backend, gop: int, *, obs: bool
) -> None:
    """OBS with key frame interval 0: the publisher stays on, no picture is lost, the log has the remedy."""
    with on_air(origin, backend, "--gop", str(gop), *(["--obs"] if obs else [])) as case:
        case.watch(4)
        assert case.publisher.process.poll() is None
        assert case.status["top"] == "encoded"
        assert len(case.messages("publisher let in")) == 1
        assert KEY_FRAME_ADVICE in case.messages("source does not fit")[0]["message"]
        case.assert_aligned()
        case.assert_every_picture()
        durations = [segment.duration for segment in case.followers[0].segments.values() if segment.complete]
        assert all(duration is not None and duration < 2.5 for duration in durations)


def test_key_with_a_long_gop_is_encoded_from_the_start_next_time(origin: Origin, backend: Backend) -> None:
    key, playback_id = backend.new_key()
    with Publisher(origin, key, "--gop", "250"):
        eventually(lambda: (origin.stream(playback_id) or {}).get("top") == "encoded", "the change")
    eventually(lambda: origin.stream(playback_id) is None, "end of the broadcast")
    with Publisher(origin, key, "--gop", "250"):

        def twice() -> list[dict[str, Any]] | None:
            lines = [line for line in origin.messages("broadcast begins") if line["stream"] == playback_id]
            return lines if len(lines) == 2 else None

        begun = eventually(twice, "the second broadcast")
        assert [line["top"] for line in begun] == ["copied", "encoded"]
        assert KEY_FRAME_ADVICE in begun[1]["why_encoded"]


def test_short_and_irregular_gops_play(origin: Origin, backend: Backend) -> None:
    """A key frame every 0.7 s: segments of whole GOPs, none longer than the target duration allows."""
    with on_air(origin, backend, "--gop", "21", "--obs") as case:
        case.watch(4)
        assert case.status["top"] == "copied"
        case.assert_aligned()
        case.assert_every_picture()


def test_variable_picture_rate_plays(origin: Origin, backend: Backend) -> None:
    """Pictures 33 to 133 ms apart, as phones send them."""
    uneven = "select='not(mod(n,4))+lt(mod(n,60),20)'"
    with on_air(origin, backend, "--filter", uneven, "--gop", "40", uneven=True) as case:
        case.watch(4)
        case.assert_aligned()
        for follower in case.followers:
            numbers = [number for number in follower.numbers() if number is not None]
            wanted = [n for n in range(numbers[0], numbers[-1] + 1) if n % 4 == 0 or n % 60 < 20]
            assert numbers == wanted, follower.rendition


def test_pictures_that_pause_play(origin: Origin, backend: Backend) -> None:
    """Half a second without a picture every four seconds: longer than a part may be."""
    pauses = "select='gt(mod(n,120),14)'"
    with on_air(origin, backend, "--filter", pauses, "--gop", "35", uneven=True) as case:
        case.watch(5)
        case.assert_aligned()
        for follower in case.followers:
            numbers = [number for number in follower.numbers() if number is not None]
            assert numbers == [n for n in range(numbers[0], numbers[-1] + 1) if n % 120 > 14], follower.rendition


def test_bit_rate_above_the_ladder_is_noticed_and_encoded(origin: Origin, backend: Backend) -> None:
    with on_air(origin, backend, "--kbps", "3000", "--extra=-x264-params", "--extra=nal-hrd=cbr") as case:
        eventually(lambda: case.status["top"] == "encoded", "the change")
        assert "kbit/s is above the limit" in case.messages("source does not fit")[0]["message"]
        case.watch(5)
        case.assert_aligned()
        case.assert_every_picture()


@pytest.mark.parametrize(("rate", "channels"), [("44100", "stereo"), ("44100", "mono"), ("22050", "mono")])
def test_other_sound_formats_play(origin: Origin, backend: Backend, rate: str, channels: str) -> None:
    with on_air(origin, backend, "--audio-rate", rate, "--channels", channels) as case:
        case.watch(2)
        follower = case.followers[1]
        assert mp4.timescales(next(iter(follower.inits.values())))[2] == int(rate)
        every = [sample for msn in follower.complete for sample in mp4.samples(follower.media(msn))[2]]
        assert all(a.dts + a.duration == b.dts for a, b in pairwise(every))
        case.assert_aligned()


def test_ten_bit_picture_is_encoded(origin: Origin, backend: Backend) -> None:
    with on_air(
        origin, backend, "--extra=-pix_fmt", "--extra=yuv420p10le", "--extra=-profile:v", "--extra=high10"
    ) as case:
        case.watch(2)
        assert case.status["top"] == "encoded"
        case.assert_aligned()
        case.assert_every_picture()


def test_he_aac_plays(origin: Origin, backend: Backend, tmp_path: Path) -> None:
    """Debian's FFmpeg cannot encode HE-AAC: AAC-LC goes under its name, which decoders allow (SBR is optional)."""
    plain, marked = tmp_path / "plain.flv", tmp_path / "marked.flv"
    source = ["-f", "lavfi", "-i", "testsrc2=s=512x288:r=30", "-f", "lavfi", "-i", "sine=sample_rate=24000"]
    coded = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "60", "-c:a", "aac", "-ac", "2", "-t", "60"]
    subprocess.run(["ffmpeg", "-v", "error", *source, *coded, str(plain)], check=True, timeout=PATIENCE_SECONDS)
    lc, he = bytes.fromhex("af001310"), bytes.fromhex("af002b11")
    data = plain.read_bytes()
    at = data.index(lc)
    he_specific = bytes.fromhex("2b118800")  # HE-AAC, 24 kHz core, stereo, 48 kHz out, over AAC-LC
    assert he[2:] == he_specific[:2]
    body_size = int.from_bytes(data[at - 10 : at - 7], "big")
    tag = data[at - 11 : at] + b"\xaf\x00" + he_specific
    tag = tag[:1] + (2 + len(he_specific)).to_bytes(3, "big") + tag[4:]
    rest = data[at + body_size + 4 :]
    marked.write_bytes(data[: at - 11] + tag + len(tag).to_bytes(4, "big") + rest)
    key, playback_id = backend.new_key()
    url = f"rtmp://127.0.0.1:{origin.rtmp_port}/live/{key}"
    command = ["ffmpeg", "-nostdin", "-v", "error", "-re", "-i", str(marked), "-c", "copy", "-f", "flv", url]
    publishing = subprocess.Popen(command)
    try:
        eventually(lambda: origin.fetch(f"/hls/{playback_id}/master.m3u8").status == 200, "playlist")
        playlist = m3u8.loads(origin.fetch(f"/hls/{playback_id}/master.m3u8").text)
        assert [each.stream_info.codecs.split(",")[1] for each in playlist.playlists] == ["mp4a.40.5"] * 3
        followers = [Follower(origin, playback_id, name) for name in NAMES]
        case = Case(origin, playback_id, followers, publishing)  # type: ignore[arg-type]  # a bare process does here
        case.watch(2)
        case.assert_aligned()
        follower = followers[2]
        whole = next(iter(follower.inits.values())) + b"".join(follower.media(msn) for msn in follower.complete)
        heard = subprocess.run(
            [
                "ffprobe",
                "-v",
                "error",
                "-select_streams",
                "a",
                "-show_entries",
                "stream=codec_name,sample_rate",
                "-of",
                "csv=p=0",
                "-",
            ],
            input=whole,
            capture_output=True,
            check=True,
            timeout=PATIENCE_SECONDS,
        )
        assert heard.stdout.decode().strip() == "aac,48000"
    finally:
        publishing.kill()
        publishing.wait()


def test_fails_when_no_picture_comes(origin: Origin, backend: Backend) -> None:
    """Sound alone is no broadcast: refused after ten seconds, so that it takes no place for good."""
    key, playback_id = backend.new_key()
    url = f"rtmp://127.0.0.1:{origin.rtmp_port}/live/{key}"
    command = ["ffmpeg", "-nostdin", "-v", "quiet", "-re", "-f", "lavfi", "-i", "sine", "-c:a", "aac", "-f", "flv", url]
    with subprocess.Popen(command) as publishing:
        try:
            eventually(lambda: publishing.poll() is not None, "the publisher to be hung up on")
        finally:
            publishing.kill()
    line = next(each for each in origin.messages("source refused") if each["stream"] == playback_id)
    assert "no H.264 key frame" in line["message"]


def test_fails_when_the_codec_is_hevc_as_obs_sends_it(origin: Origin, backend: Backend) -> None:
    """By Enhanced RTMP: named, and not only that no H.264 came."""
    key, playback_id = backend.new_key()
    with Client(origin.rtmp_port).handshake() as client:
        client.publish(key)
        client.send(message(VIDEO, b"\x90hvc1" + bytes(30), stream=1, csid=6))

        def refused() -> list[dict[str, Any]]:
            with contextlib.suppress(ConnectionError):
                client.send(message(VIDEO, b"\x91hvc1" + bytes(300), stream=1, csid=6))
            return [each for each in origin.messages("source refused") if each["stream"] == playback_id]

        line = eventually(refused, "refusal")[0]
        assert "video codec HEVC (H.265); send H.264" in line["message"]
        assert client.is_closed(PATIENCE_SECONDS)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--audio", "libmp3lame", "--audio-rate", "44100"], "MP3; send AAC"),
        (["--extra=-c:v", "--extra=flv"], "H.263; send H.264"),
    ],
)
def test_fails_when_the_codec_is_not_for_browsers(
    origin: Origin, backend: Backend, options: list[str], word: str
) -> None:
    """Refused with its name in the log and in the metric, and hung up on."""
    key, playback_id = backend.new_key()
    before = len(origin.metrics("RejectedPublish"))
    with Publisher(origin, key, *options) as publisher:
        line = eventually(
            lambda: [each for each in origin.messages("source refused") if each["stream"] == playback_id], "refusal"
        )[0]
        assert word in line["message"]
        eventually(
            lambda: "unsupported_source" in [each["Reason"] for each in origin.metrics("RejectedPublish")[before:]],
            "the metric",
        )
        eventually(lambda: publisher.process.poll() is not None, "the publisher to be hung up on")
    assert origin.fetch(f"/hls/{playback_id}/master.m3u8").status == 404
