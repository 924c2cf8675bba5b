"""What a viewer sees, in Chromium through the player page: glass to glass, and the first picture."""

import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bench.broadcast.figures import Figure, Row, percentile
from bench.broadcast.processes import origin
from tests.container.browser import Player, Viewer
from tests.container.support import Publisher, eventually

HD = ["--size", "1280x720", "--kbps", "2500", "--preset", "veryfast", "--threads", "0"]
ZERO_LATENCY, OBS = ["--clock", *HD], ["--clock", "--obs", *HD]
WARM_UP_SECONDS = 10
ORDINARY = """
  const watch = setInterval(() => {
    const hls = window.player && window.player.hls;
    if (!hls) return;
    clearInterval(watch);
    hls.config.lowLatencyMode = false;
    hls.lowLatencyMode = false;
  }, 1);
"""


@dataclass(frozen=True)
class Seen:
    """What one viewer saw; seconds."""

    first_picture: float  # after publish
    latencies: list[float]  # after the warm-up
    stalls: int


def watch(options: list[str], seconds: float, *, late: bool = False, init_script: str = "", **more: object) -> Seen:
    """One viewer: with the page open before the broadcast, or joining ten seconds later."""
    with (
        origin(**more) as (backend, running),
        Player(running.http_port) as player,
        tempfile.TemporaryDirectory() as profile,
        Viewer(player, Path(profile), init_script=init_script) as viewer,
    ):
        key, playback_id = backend.new_key()
        if not late:
            viewer.open(playback_id)
            eventually(lambda: viewer.state == "waiting", "waiting page")
        with Publisher(running, key, *options):
            published = eventually(lambda: running.messages("publisher let in"), "publisher")[0]["time"]
            if late:
                time.sleep(10)
                viewer.open(playback_id)
            first = viewer.wait_for_picture()
            time.sleep(WARM_UP_SECONDS + seconds)
            shown, stalls = viewer.shown(), int(viewer.ask("window.stalls"))
    steady = [lat / 1000 for at, lat, _ in shown if lat is not None and at / 1000 > first + WARM_UP_SECONDS]
    return Seen(first - datetime.fromisoformat(published).timestamp(), steady, stalls)


def latency_figure(what: str, seen: Seen, goal: float) -> Figure:
    p50, p95 = percentile(seen.latencies, 0.5), percentile(seen.latencies, 0.95)
    count = len(seen.latencies)
    text = f"{p95:.2f} s (p50 {p50:.2f}, max {max(seen.latencies):.2f}, {count} pictures, {seen.stalls} stalls)"
    return Figure(f"glass to glass, {what}, p95", text, f"<= {goal} s", p95 <= goal)


def low_latency_row(what: str, options: list[str], goal: float, first_goal: float) -> Row:
    def measure(seconds: float) -> list[Figure]:
        seen = watch(options, seconds)
        first = seen.first_picture
        return [
            latency_figure(what, seen, goal),
            Figure(f"publish to first picture, {what}", f"{first:.2f} s", f"<= {first_goal} s", first <= first_goal),
        ]

    return measure


def ordinary_row(seconds: float) -> list[Figure]:
    """hls.js without low-latency mode: three target durations from the end of the playlist, where it has as many."""
    one_second = [*OBS, "--gop", "30"]
    cases = (
        ("ordinary player, page open before", watch(OBS, seconds, init_script=ORDINARY)),
        ("ordinary player, joining later", watch(OBS, seconds, init_script=ORDINARY, late=True)),
        (
            "ordinary player, joining later, key frames and SEGMENT_SECONDS 1 s",
            watch(one_second, seconds, init_script=ORDINARY, late=True, SEGMENT_SECONDS=1),
        ),
    )
    return [latency_figure(what, seen, 5.0) for what, seen in cases]
