"""A viewer in Chromium, through the real player page."""

import os
import signal
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.container import simulator
from tests.container.browser import Player, Viewer
from tests.container.player.conftest import page_folder
from tests.container.support import Origin, Publisher, eventually

__all__ = ["page_folder"]


@pytest.fixture
def viewer(origin: Origin, page_folder: Path, tmp_path: Path) -> Iterator[Viewer]:  # noqa: ARG001 - the page must be built first
    with Player(origin.http_port) as player, Viewer(player, tmp_path) as viewer:
        yield viewer


STANDS_STILL_SECONDS = 4  # what a loaded machine alone does not do


def freezes(viewer: Viewer, since: float) -> list[float]:
    """Seconds between each two pictures, the longest first."""
    times = [at for at, _, _ in viewer.shown() if at / 1000 >= since]
    return sorted(((after - before) / 1000 for before, after in pairwise(times)), reverse=True)


def assert_moves(viewer: Viewer, since: float) -> None:
    """No stall from then on that a person would call one."""
    assert freezes(viewer, since)[0] < STANDS_STILL_SECONDS
    assert viewer.state == "live"


def test_page_opened_early_shows_the_broadcast_by_itself(viewer: Viewer, origin: Origin, key: tuple[str, str]) -> None:
    viewer.open(key[1])
    eventually(lambda: viewer.state == "waiting", "waiting")
    with Publisher(origin, key[0], "--clock"):
        viewer.wait_for_picture()
        eventually(lambda: viewer.state == "live", "live")
        eventually(lambda: len(viewer.shown()) > 150, "playing on")
        assert viewer.ask("window.player.hls.targetLatency") < 4  # what it aims at; the bench has what it reaches


def test_every_rendition_plays_without_a_stall(viewer: Viewer, origin: Origin, key: tuple[str, str]) -> None:
    with Publisher(origin, key[0], "--clock", "--obs"):
        eventually(lambda: origin.fetch(f"/hls/{key[1]}/master.m3u8").status == 200, "playlist")
        viewer.open(key[1])
        viewer.wait_for_picture()
        eventually(lambda: len(viewer.shown()) > 90, "a steady start")
        since = time.time()

        def went_through_all_without_a_stall() -> bool:
            stalls = viewer.ask("window.stalls")
            for height in (144, 216, 288, 144):
                viewer.page.select_option("#quality", label=f"{height}p")
                eventually(lambda: viewer.shown()[-1][2] == height, f"{height}p on screen")  # noqa: B023 - called within this turn
            return bool(viewer.ask("window.stalls") == stalls)

        # A busy machine stalls now and then; a change that cannot be made without a stall has one every time.
        eventually(went_through_all_without_a_stall, "all renditions without a stall")
        assert {height for at, _, height in viewer.shown() if at / 1000 > since} == {144, 216, 288}
        assert all(latency is not None for at, latency, _ in viewer.shown() if at / 1000 > since)


def test_viewer_survives_a_killed_ffmpeg(viewer: Viewer, origin: Origin, key: tuple[str, str]) -> None:
    """On a rendition that FFmpeg makes."""
    with Publisher(origin, key[0], "--clock"):
        eventually(lambda: origin.fetch(f"/hls/{key[1]}/master.m3u8").status == 200, "playlist")
        viewer.open(key[1])
        viewer.wait_for_picture()
        viewer.page.select_option("#quality", label="144p")
        eventually(lambda: viewer.shown()[-1][2] == 144, "144p on screen")
        stream = origin.stream(key[1])
        assert stream
        killed = time.time()
        os.kill(stream["encoder_pid"], signal.SIGKILL)
        eventually(lambda: viewer.shown()[-1][0] / 1000 > killed + 8, "playing on")
        assert_moves(viewer, killed - 1)


def test_viewer_survives_the_change_to_encoding(viewer: Viewer, origin: Origin, key: tuple[str, str]) -> None:
    """A long GOP shows itself after the broadcast began; the viewer is there from the start."""
    viewer.open(key[1])
    with Publisher(origin, key[0], "--clock", "--gop", "250", "--obs"):
        first = viewer.wait_for_picture()
        eventually(lambda: (origin.stream(key[1]) or {}).get("top") == "encoded", "the change")
        eventually(lambda: viewer.shown()[-1][0] / 1000 > first + 8, "playing on")
        assert_moves(viewer, first + 1)


@pytest.mark.parametrize("before", [[], ["--audio", "none"]], ids=["with-sound", "without-sound-at-first"])
def test_viewer_is_back_when_the_streamer_is(
    viewer: Viewer, origin: Origin, key: tuple[str, str], before: list[str]
) -> None:
    with Publisher(origin, key[0], "--clock", *before):
        eventually(lambda: origin.fetch(f"/hls/{key[1]}/master.m3u8").status == 200, "playlist")
        viewer.open(key[1])
        viewer.wait_for_picture()
        eventually(lambda: len(viewer.shown()) > 60, "playing")
    gone = time.time()
    with Publisher(origin, key[0], "--clock", "--audio-rate", "44100", "--channels", "mono"):

        def fresh() -> bool:
            at, latency, _ = viewer.shown()[-1]
            return at / 1000 > gone + 3 and latency is not None and latency < 8000

        eventually(fresh, "the second session's pictures")
        eventually(lambda: viewer.state == "live", "live")


def test_viewer_sees_no_more_than_the_pause_when_pictures_pause(
    viewer: Viewer, origin: Origin, key: tuple[str, str]
) -> None:
    """Half a second every four seconds; the parts without a picture are no trouble for players."""
    viewer.open(key[1])
    with Publisher(origin, key[0], "--clock", "--filter=select='gt(mod(n,120),14)'", "--gop", "35"):
        first = viewer.wait_for_picture()
        eventually(lambda: viewer.shown()[-1][0] / 1000 > first + 16, "playing on")
        assert_moves(viewer, first + 4)
        # A player that stalls there does so every time: the shortest of three pauses tells.
        assert freezes(viewer, first + 4)[2] < 1.5


@pytest.mark.parametrize("trouble", ["pause", "freeze"], ids=["until-a-key-frame", "goes-on-in-mid-gop"])
def test_viewer_sees_the_last_picture_while_pictures_pause_for_long(
    viewer: Viewer, origin: Origin, key: tuple[str, str], trouble: str
) -> None:
    """Ten seconds after the start it stands still for three, while the sound goes on; then it moves as before."""
    viewer.open(key[1])
    paused = f"--trouble={trouble}:3000@10.4"
    with Publisher(origin, key[0], "--clock", "--gop=60", paused, program=simulator.program):
        first = viewer.wait_for_picture()
        eventually(lambda: viewer.shown()[-1][0] / 1000 > first + 20, "playing on")
        longest, second, *_ = freezes(viewer, first + 2)
        assert 2 < longest < 3 + STANDS_STILL_SECONDS
        assert second < longest - 1
        assert viewer.state == "live"


@pytest.mark.parametrize(
    "sound",
    [",atrim=end=8", ",aselect='lt(t,8)+gt(t,12)'", ",aselect='gt(t,8)'"],
    ids=["stops-for-good", "comes-back", "starts-late"],
)
def test_viewer_keeps_the_picture_when_the_sound_stops(
    viewer: Viewer, origin: Origin, key: tuple[str, str], sound: str
) -> None:
    """A microphone or a mixer that is switched off, in a rendition that is copied and in one that is encoded."""
    viewer.open(key[1])
    with Publisher(origin, key[0], "--clock", f"--audio-filter={sound}"):
        first = viewer.wait_for_picture()
        eventually(lambda: viewer.shown()[-1][0] / 1000 > first + 12, "playing on without sound")
        viewer.page.select_option("#quality", label="144p")
        eventually(lambda: viewer.shown()[-1][2] == 144, "144p on screen")
        eventually(lambda: viewer.shown()[-1][0] / 1000 > first + 20, "playing on")
        assert_moves(viewer, first)


def test_viewer_keeps_a_picture_when_the_encoder_does_not_keep_up(
    slow_origin: Origin, page_folder: Path, tmp_path: Path, key: tuple[str, str]
) -> None:
    """On the rendition that is left out: its pictures are late and few for a while, and then those of a larger one."""
    assert page_folder.is_dir()
    with (
        Player(slow_origin.http_port) as player,
        Viewer(player, tmp_path) as viewer,
        Publisher(slow_origin, key[0], "--clock"),
    ):
        viewer.open(key[1])
        viewer.wait_for_picture()
        viewer.page.select_option("#quality", label="216p")
        eventually(lambda: viewer.shown()[-1][2] == 216, "216p on screen")
        eventually(lambda: slow_origin.metrics("EncoderBehind"), "the encoder to be found behind")

        eventually(lambda: viewer.shown()[-1][2] == 288, "the next larger picture on screen")
        since = viewer.shown()[-1][0] / 1000
        eventually(lambda: viewer.shown()[-1][0] / 1000 > since + 10, "playing on")
        assert_moves(viewer, since)
