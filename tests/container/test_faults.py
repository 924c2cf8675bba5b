"""Things that die, and what the others do then."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import m3u8
import pytest

from tests.container.image import PATIENCE_SECONDS
from tests.container.support import NAMES, Backend, Follower, Origin, Publisher, eventually
from tests.container.test_ingest import live

TARGET_DURATION = 2


@pytest.fixture
def own(backend: Backend) -> Iterator[Origin]:
    """An origin that may be broken."""
    origin = Origin(backend.url)
    yield origin
    origin.stop()


def children(pid: int) -> dict[int, str]:
    """Descendants of a process with their state and name."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid=,stat=,comm="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 3) for line in listed.splitlines()]
    found: dict[int, str] = {}
    waiting = [pid]
    while waiting:
        parent = waiting.pop()
        for child, owner, state, name in rows:
            if int(owner) == parent:
                found[int(child)] = f"{state} {name}"
                waiting.append(int(child))
    return found


@pytest.mark.parametrize("options", [["--obs"], ["--gop", "250"]], ids=["copied-top", "encoded-top"])
def test_killed_ffmpeg_is_replaced_without_losing_a_picture(
    own: Origin, key: tuple[str, str], options: list[str]
) -> None:
    """With one discontinuity, at the same segment of every rendition; the bench has the time that it takes."""
    with Publisher(own, key[0], *options) as publisher:
        eventually(lambda: own.fetch(f"/hls/{key[1]}/master.m3u8").status == 200, "playlist")
        followers = [Follower(own, key[1], name) for name in NAMES]
        eventually(lambda: all(len(f.complete) >= 2 for f in followers), "two segments")
        victim = live(own, key[1])["encoder_pid"]
        before = max(followers[1].complete)
        os.kill(victim, signal.SIGKILL)
        successor = eventually(
            lambda: (pid := live(own, key[1])["encoder_pid"]) and pid != victim and pid, "another FFmpeg"
        )
        eventually(lambda: all(max(f.complete) >= before + 4 for f in followers), "going on")
        for follower in followers:
            follower.stop()
        assert live(own, key[1])["encoder_pid"] == successor
        assert publisher.process.poll() is None
    for follower in followers:
        numbers = follower.numbers()
        assert numbers[0] is not None
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), follower.rendition
    starts = [f.starts() for f in followers]
    common = set.intersection(*(set(each) for each in starts))
    assert all(len({each[msn] for each in starts}) == 1 for msn in common)
    breaks = [{m for m, s in f.segments.items() if s.discontinuity and m > before} for f in followers]
    assert breaks[0] == breaks[1] == breaks[2]
    assert len(breaks[0]) == 1
    assert len(own.metrics("EncoderFailures")) == 1


def test_ffmpeg_that_always_crashes_is_given_up(backend: Backend, key: tuple[str, str], tmp_path: Path) -> None:
    """A metric, a log line, and the publisher hung up on; the origin lives."""
    broken = tmp_path / "ffmpeg"
    broken.write_text("#!/bin/sh\necho cannot work >&2\nexit 1\n")
    broken.chmod(broken.stat().st_mode | stat.S_IXUSR)
    origin = Origin(backend.url, PATH=f"{tmp_path}:{os.environ['PATH']}")
    try:
        with Publisher(origin, key[0]) as publisher:
            eventually(lambda: origin.messages("giving up"), "giving up")
            eventually(lambda: publisher.process.poll() is not None, "the publisher to be hung up on")
        eventually(lambda: origin.stream(key[1]) is None, "the end of the session")
        eventually(lambda: len(origin.metrics("EncoderFailures")) >= 3, "three failures counted")
        eventually(lambda: origin.messages("FFmpeg: cannot work"), "what FFmpeg said")
        assert origin.fetch("/health").status == 200
    finally:
        origin.stop()


def test_publisher_that_vanishes_leaves_whole_playlists(own: Origin, key: tuple[str, str]) -> None:
    """All renditions end on the same segment; a player that comes now can still watch."""
    with Publisher(own, key[0]):
        eventually(lambda: own.fetch(f"/hls/{key[1]}/master.m3u8").status == 200, "playlist")
    eventually(lambda: own.stream(key[1]) is None, "end of the session")
    playlists = [m3u8.loads(own.fetch(f"/hls/{key[1]}/{name}/index.m3u8").text) for name in NAMES]
    assert len({each.media_sequence + len(each.segments) for each in playlists}) == 1
    assert len({round(sum(s.duration for s in each.segments), 1) for each in playlists}) == 1
    assert not any(each.is_endlist for each in playlists)
    eventually(lambda: "ffmpeg" not in " ".join(children(own.process.pid).values()), "the end of FFmpeg")


@pytest.fixture
def impatient(backend: Backend) -> Iterator[Origin]:
    """An origin that does not wait for FFmpeg for longer than on a task."""
    origin = Origin(backend.url, ENCODER_PATIENCE_SECONDS=5)
    yield origin
    origin.stop()


def test_hanging_ffmpeg_is_replaced(impatient: Origin, key: tuple[str, str]) -> None:
    """It lives and does nothing: noticed by what does not come out."""
    with Publisher(impatient, key[0]) as publisher:
        victim = eventually(lambda: live(impatient, key[1])["encoder_pid"], "FFmpeg")
        os.kill(victim, signal.SIGSTOP)
        eventually(lambda: live(impatient, key[1])["encoder_pid"] not in {victim, None}, "another FFmpeg")
        eventually(lambda: 0 < live(impatient, key[1])["lag_ms"] < 1000, "the new one to catch up")
        assert publisher.process.poll() is None


@pytest.mark.parametrize(
    ("options", "left"),
    [([], ["720p", "360p"]), (["--size", "768x432", "--kbps", "900"], ["360p"])],
    ids=["copied-top", "encoded-top"],
)
def test_encoder_that_does_not_keep_up_gets_less_to_do(
    slow_origin: Origin, key: tuple[str, str], options: list[str], left: list[str]
) -> None:
    """Every viewer keeps a picture of now, if not the one that was chosen; the publisher stays."""
    with Publisher(slow_origin, key[0], *options) as publisher:
        eventually(lambda: live(slow_origin, key[1])["renditions"] == left, "fewer renditions")
        eventually(lambda: 0 < live(slow_origin, key[1])["lag_ms"] < 1000, "being up to date")
        followers = [Follower(slow_origin, key[1], name) for name in NAMES]
        eventually(lambda: all(len(f.complete) >= 2 for f in followers), "two more segments of every rendition")
        for follower in followers:
            follower.stop()
            assert follower.problem is None
        assert live(slow_origin, key[1])["renditions"] == left
        assert publisher.process.poll() is None
    starts = [f.starts() for f in followers]
    common = set.intersection(*(set(each) for each in starts))
    assert common
    assert all(len({each[msn] for each in starts}) == 1 for msn in common)
    assert len(slow_origin.metrics("EncoderBehind")) == 3 - len(left)


def test_publisher_without_key_frames_reconnects_when_encoding_has_to_begin_anew(
    slow_origin: Origin, key: tuple[str, str]
) -> None:
    """Nothing else brings a key frame, and until then there is nothing to see."""
    with Publisher(slow_origin, key[0], "--size", "768x432", "--kbps", "900", "--gop", "99999") as publisher:
        refusal = eventually(lambda: slow_origin.messages("source refused"), "being hung up on")[0]
        assert "key frame interval to 2 s" in refusal["message"]
        eventually(lambda: publisher.process.poll() is not None, "the publisher to notice")
    assert len(slow_origin.metrics("EncoderBehind")) == 1


def test_all_renditions_are_tried_again_when_another_broadcast_has_left(
    slow_origin: Origin, backend: Backend, key: tuple[str, str]
) -> None:
    def forms() -> list[tuple[str, list[str]]]:
        lines = slow_origin.messages("broadcast begins") + slow_origin.messages("broadcast goes on in a new form")
        return [(line["cause"], line["renditions"]) for line in lines if line["stream"] == key[1]]

    with Publisher(slow_origin, key[0]):
        with Publisher(slow_origin, backend.new_key()[0]):
            eventually(lambda: len(forms()) == 2, "fewer renditions")
        eventually(lambda: len(forms()) == 3, "all renditions again")
    assert [made for _, made in forms()] == [NAMES, ["720p", "360p"], NAMES]
    assert "room" in forms()[2][0]


@pytest.fixture
def brief(backend: Backend) -> Iterator[Origin]:
    """An origin that may be told to stop, and does not wait long for streamers to come back."""
    origin = Origin(backend.url, END_AFTER_SECONDS=3)
    yield origin
    origin.stop()


def test_stop_waits_for_live_broadcasts_and_refuses_new_ones(
    brief: Origin, backend: Backend, key: tuple[str, str]
) -> None:
    """SIGTERM: who is live stays until leaving; then playlists end and the exit code is 0."""
    with Publisher(brief, key[0]) as publisher:
        live(brief, key[1])
        brief.process.send_signal(signal.SIGTERM)
        eventually(lambda: brief.messages("draining"), "draining")
        with Publisher(brief, backend.new_key()[0]) as late:
            eventually(
                lambda: [line for line in brief.messages("publisher refused") if line["reason"] == "draining"],
                "refusal",
            )
            eventually(lambda: late.process.poll() is not None, "the late one to be hung up on")
        assert brief.fetch("/health").status == 200
        assert brief.fetch(f"/hls/{key[1]}/master.m3u8").status == 200
        assert publisher.finish() > 0
    assert brief.wait() == 0


def test_stop_ends_playlists_in_their_time_and_shows_the_end(brief: Origin, key: tuple[str, str]) -> None:
    """Who drops off may come back to another task; and a player that reloads only now and then hears of the end."""
    with Publisher(brief, key[0]):
        eventually(lambda: brief.fetch(f"/hls/{key[1]}/480p/index.m3u8").status == 200, "playlist")
        brief.process.send_signal(signal.SIGTERM)
        eventually(lambda: brief.messages("draining"), "draining")
    eventually(lambda: "#EXT-X-ENDLIST" in brief.fetch(f"/hls/{key[1]}/480p/index.m3u8").text, "the end")
    assert brief.wait() == 0
    over, ended, gone = (
        datetime.fromisoformat(brief.messages(what)[0]["time"]).timestamp()
        for what in ("broadcast over", "stream ended", "origin stops")
    )
    assert ended > over
    assert gone - ended > 2 * TARGET_DURATION - 0.5


def test_stop_limit_ends_broadcasts_with_endlist(backend: Backend, key: tuple[str, str]) -> None:
    origin = Origin(backend.url, STOP_TIMEOUT_SECONDS=9)
    try:
        with Publisher(origin, key[0]) as publisher:
            eventually(lambda: origin.fetch(f"/hls/{key[1]}/master.m3u8").status == 200, "playlist")
            follower = Follower(origin, key[1], "480p")
            eventually(lambda: follower.complete, "a segment")
            origin.process.send_signal(signal.SIGTERM)
            assert origin.wait() == 0
            eventually(lambda: publisher.process.poll() is not None, "the publisher to be hung up on")
            follower.stop()
            assert follower.ended
    finally:
        origin.stop()


def test_second_signal_stops_at_once(own: Origin, key: tuple[str, str]) -> None:
    with Publisher(own, key[0]):
        live(own, key[1])
        processes = children(own.process.pid)
        own.process.send_signal(signal.SIGTERM)
        eventually(lambda: own.messages("draining"), "draining")
        own.process.send_signal(signal.SIGINT)
        assert own.wait() == 0
    eventually(lambda: not [pid for pid in processes if Path(f"/proc/{pid}").exists()], "the end of all its processes")


def test_sequence_numbers_rise_over_a_restart(backend: Backend, key: tuple[str, str]) -> None:
    numbers = []
    for _ in range(2):
        origin = Origin(backend.url)
        try:
            with Publisher(origin, key[0]):
                eventually(lambda: origin.fetch(f"/hls/{key[1]}/master.m3u8").status == 200, "playlist")  # noqa: B023 - called within this turn
                playlist = m3u8.loads(origin.fetch(f"/hls/{key[1]}/720p/index.m3u8").text)
                numbers.append((playlist.media_sequence, playlist.segments[0].uri))
        finally:
            origin.stop()
    assert numbers[1][0] > numbers[0][0]
    assert numbers[1][1] != numbers[0][1]


def test_fails_when_a_setting_is_wrong() -> None:
    """One line for the operator, no traceback, exit code 2."""
    environment = os.environ | {"BACKEND_URL": "ftp://x", "MAX_STREAMS": "0", "PYTHONPATH": "container"}
    done = subprocess.run(
        [sys.executable, "-m", "origin"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 2
    assert "BACKEND_URL" in done.stderr
    assert "MAX_STREAMS" in done.stderr
    assert "Traceback" not in done.stderr
