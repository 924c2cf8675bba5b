"""How soon a broadcast goes on after something died."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.broadcast.figures import Figure, percentile
from bench.broadcast.latency import OBS
from bench.broadcast.processes import origin, recording
from tests.container.support import Origin, Publisher, eventually

ROUNDS = 5


def crash_row(seconds: float) -> list[Figure]:
    """FFmpeg killed again and again under one broadcast."""
    with origin() as (backend, running):
        key, playback_id = backend.new_key()
        with Publisher(running, key, *OBS):
            eventually(lambda: running.stream(playback_id), "broadcast")
            times = [_seconds_to_restart(running, playback_id, after=seconds / ROUNDS) for _ in range(ROUNDS)]
        crashes = len(running.metrics("EncoderFailures"))
    text = f"{max(times):.2f} s at most (median {percentile(times, 0.5):.2f}, {crashes} crashes)"
    return [Figure("FFmpeg killed to FFmpeg running", text, "<= 2 s", crashes == ROUNDS and max(times) <= 2)]


def _seconds_to_restart(running: Origin, playback_id: str, *, after: float) -> float:
    def encoder() -> int | None:
        stream = running.stream(playback_id)
        return stream["encoder_pid"] if stream else None

    time.sleep(after)
    victim = eventually(encoder, "FFmpeg")
    began = time.monotonic()
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: encoder() not in {victim, None}, "another FFmpeg")
    return time.monotonic() - began


def worker_row(seconds: float) -> list[Figure]:
    """The nginx worker of one of two broadcasts killed again and again; its publisher reconnects at once."""
    with recording(20, "-g", "60") as file, origin() as (backend, running), ExitStack() as stack:
        (key, playback_id), (other_key, other) = backend.new_key(), backend.new_key()
        for each in (key, other_key):
            stack.enter_context(reconnecting(file, f"rtmp://127.0.0.1:{running.rtmp_port}/live/{each}"))
        well = eventually(lambda: running.stream(other), "the other broadcast")["session"]
        times = [_seconds_off_air(running, playback_id, after=seconds / ROUNDS) for _ in range(ROUNDS)]
        untouched = (running.stream(other) or {}).get("session") == well
    other = "went on" if untouched else "ENDED"
    text = f"{max(times):.2f} s at most (median {percentile(times, 0.5):.2f}), the other broadcast {other}"
    return [Figure("nginx worker killed to back on air", text, "<= 3 s", untouched and max(times) <= 3)]


def _seconds_off_air(running: Origin, playback_id: str, *, after: float) -> float:
    """From the signal to the first picture of the next session."""

    def session() -> str | None:
        stream = running.stream(playback_id)
        return stream["session"] if stream and stream["renditions"] else None

    before = eventually(session, "broadcast")
    time.sleep(after)
    began = time.monotonic()
    os.kill(running.worker(playback_id), signal.SIGSEGV)
    eventually(lambda: session() not in {before, None}, "being back on air")
    return time.monotonic() - began


@contextmanager
def reconnecting(file: Path, url: str) -> Iterator[None]:
    """A publisher that comes back whenever it is cut."""
    ffmpeg = f"ffmpeg -nostdin -v quiet -re -stream_loop -1 -i {file} -c copy -f flv {url}"
    process = subprocess.Popen(["sh", "-c", f"while :; do {ffmpeg}; sleep 0.1; done"], start_new_session=True)
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def ghost_row(seconds: float) -> list[Figure]:
    """A publisher that freezes, and its key again at once; against a key that is free, in the same run."""
    free, more = [], []
    with origin() as (backend, running):
        for _ in range(ROUNDS):
            with ExitStack() as stack:
                key, playback_id = backend.new_key()
                ghost = stack.enter_context(Publisher(running, key))
                eventually(lambda: running.stream(playback_id), "broadcast")  # noqa: B023 # called within this turn
                time.sleep(seconds / ROUNDS)
                free.append(_seconds_to_get_in(running, backend.new_key()[0], stack))
                ghost.freeze()
                more.append(_seconds_to_get_in(running, key, stack) - free[-1])
    text = f"{max(more):.2f} s at most beyond the {percentile(free, 0.5):.2f} s of a free key ({len(more)} ghosts)"
    return [Figure("a ghost's key let in again", text, "<= 2 s", max(more) <= 2)]


def _seconds_to_get_in(running: Origin, key: str, stack: ExitStack) -> float:
    before = len(running.messages("publisher let in"))
    began = time.monotonic()
    stack.enter_context(Publisher(running, key))
    eventually(lambda: len(running.messages("publisher let in")) > before, "being let in")
    return time.monotonic() - began
