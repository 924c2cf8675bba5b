"""How soon a broadcast goes on after something died."""

import os
import signal
import time
from contextlib import ExitStack

from bench.broadcast.figures import Figure, percentile
from bench.broadcast.latency import OBS
from bench.broadcast.processes import origin
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
