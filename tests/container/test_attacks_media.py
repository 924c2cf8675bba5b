"""A streamer with a key sends what no encoder sends, while another broadcast is live: its viewer sees no gap."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import pairwise

import pytest

from tests.container.support import ROOT, Backend, Follower, Origin, Publisher, Web, eventually

STALL_SECONDS = 5  # one parse took 7.6 s, and forty came; machines that run tests are busy


class Pulse(threading.Thread):
    """Asks the origin for its health all the time; the longest that it took to answer."""

    def __init__(self, origin: Origin) -> None:
        super().__init__(daemon=True)
        self.longest = 0.0
        self.asked = 0
        self._port = origin.http_port
        self._halt = threading.Event()
        self.start()

    def run(self) -> None:
        with Web(self._port) as web:
            while not self._halt.wait(0.02):
                began = time.monotonic()
                web.fetch("/health")
                self.longest = max(self.longest, time.monotonic() - began)
                self.asked += 1

    def stop(self) -> float:
        self._halt.set()
        self.join(20)
        return self.longest


@pytest.fixture(scope="module")
def watched(backend: Backend) -> Iterator[tuple[Origin, Follower]]:
    """An origin with a broadcast and a viewer of it, who must not notice anything of all this."""
    origin = Origin(backend.url)
    key, playback_id = backend.new_key()
    try:
        with Publisher(origin, key):
            eventually(lambda: origin.fetch(f"/hls/{playback_id}/master.m3u8").status == 200, "playlist", 60)
            follower = Follower(origin, playback_id, "720p")
            yield origin, follower
            seen = len(follower.complete)
            eventually(lambda: len(follower.complete) > seen + 1, "the broadcast to go on", 60)
            follower.stop()
        numbers = follower.numbers()
        gaps = [pair for pair in pairwise(numbers) if pair[0] is None or pair[1] != pair[0] + 1]
        assert not gaps
        assert not [line for line in origin.logs if "exception" in line]
    finally:
        origin.stop()


@pytest.mark.parametrize(
    ("attack", "said"),
    [
        ("large_parameter_sets", "H.264 configuration: has 65"),
        ("empty_units", "no H.264 key frame"),
        ("huge_pictures", "16384x8192 are too large"),
        ("huge_pictures_in_band", "16384x8192 are too large"),
        ("new_configurations", "its format changed"),
        ("tiny_messages", "more than 1000 messages a second"),
        ("metadata", "no H.264 key frame"),
    ],
)
def test_fails_when_a_streamer_sends_what_no_encoder_sends(
    watched: tuple[Origin, Follower], backend: Backend, attack: str, said: str
) -> None:
    """Refused in one line and hung up on; the origin answers others all the time."""
    origin, follower = watched
    key, playback_id = backend.new_key()
    pulse = Pulse(origin)
    command = [sys.executable, "-m", "tests.container.hostile", str(origin.rtmp_port), key, attack]
    with subprocess.Popen(command, cwd=ROOT, env={"PYTHONPATH": f"{ROOT}:{ROOT / 'container'}"}) as hostile:
        try:
            refused = eventually(
                lambda: [line for line in origin.messages("source refused") if line["stream"] == playback_id],
                "one line",
                90,
            )
            assert said in refused[0]["message"]
            eventually(lambda: hostile.poll() is not None, "the streamer to be hung up on", 60)
        finally:
            hostile.kill()
    assert pulse.stop() < STALL_SECONDS
    assert pulse.asked
    assert not follower.problem
