"""How much one machine carries: broadcasts, viewers, memory."""

import json
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from bench.broadcast.figures import Figure, Row, percentile
from bench.broadcast.processes import origin, own_cpu_seconds, recording, replay, resident_mib
from tests.container.support import eventually


def real_time_row(count: int, kind: str, *options: str) -> Row:
    def measure(seconds: float) -> list[Figure]:
        lags: list[list[int]] = []
        with recording(25, *options) as file, origin() as (backend, running), ExitStack() as stack:
            for _ in range(count):
                key, _ = backend.new_key()
                stack.enter_context(replay(file, f"rtmp://127.0.0.1:{running.rtmp_port}/live/{key}"))
                time.sleep(1)
            eventually(
                lambda: [each["top"] for each in running.status()["streams"] if each["renditions"]] == [kind] * count,
                f"{count} {kind} broadcasts",
            )
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                time.sleep(2)
                lags.append([each["lag_ms"] for each in running.status()["streams"]])
            alive = all(len(each) == count for each in lags)
        worst = [max(each) for each in lags if each]
        half = len(worst) // 2
        early, late = percentile(worst[:half], 0.5), percentile(worst[half:], 0.5)
        flat = alive and late < early + 500 and percentile(worst, 0.95) < 3000
        text = f"encoder lag, median {early} ms in the first half, {late} ms in the second, worst {max(worst)} ms"
        return [Figure(f"{count} {kind} broadcasts for {seconds:.0f} s", text, "real time, lag flat", flat)]

    return measure


def viewers_row(seconds: float) -> list[Figure]:
    count = 500
    with recording(20, "-g", "60") as file, origin() as (backend, running):
        key, playback_id = backend.new_key()
        with replay(file, f"rtmp://127.0.0.1:{running.rtmp_port}/live/{key}"):
            eventually(lambda: running.fetch(f"/hls/{playback_id}/720p/index.m3u8").status == 200, "playlist")
            script = str(Path(__file__).with_name("viewers.py"))
            path = f"/hls/{playback_id}/720p/index.m3u8"
            before, began = own_cpu_seconds(running.process.pid), time.monotonic()
            done = subprocess.run(
                [sys.executable, script, str(running.http_port), path, str(count), str(seconds)],
                capture_output=True,
                check=True,
            )
            cores = (own_cpu_seconds(running.process.pid) - before) / (time.monotonic() - began)
            stream = running.stream(playback_id)
            assert stream
    seen = json.loads(done.stdout)
    text = (
        f"{seen['missed_parts']} of {seen['parts']} x {count} parts missed, {seen['failures']} failures, "
        f"{seen['requests_per_second']} requests/s at {cores:.2f} of a core, encoder lag {stream['lag_ms']} ms"
    )
    good = not seen["missed_parts"] and not seen["failures"] and stream["lag_ms"] < 2000 and cores < 0.5
    return [Figure(f"{count} LL-HLS viewers for {seconds:.0f} s", text, "no part missed, < 0.5 core", good)]


def memory_row(seconds: float) -> list[Figure]:
    count = 2
    with recording(20, "-g", "60") as file, origin() as (backend, running), ExitStack() as stack:
        base = resident_mib(running.process.pid)
        for _ in range(count):
            url = f"rtmp://127.0.0.1:{running.rtmp_port}/live/{backend.new_key()[0]}"
            stack.enter_context(replay(file, url))
        time.sleep(60)  # until what is kept of a broadcast is full
        early = (resident_mib(running.process.pid) - base) / count
        time.sleep(seconds)
        late = (resident_mib(running.process.pid) - base) / count
    text = f"{late:.0f} MiB, {late - early:+.1f} MiB within {seconds:.0f} s (process without any: {base:.0f} MiB)"
    return [Figure("origin memory per broadcast", text, "<= 60 MiB, flat", late <= 60 and late - early < 3)]
