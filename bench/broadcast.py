"""The figures of a broadcast, measured on this machine: `python bench/broadcast.py [--seconds N] [ROW ...]`.

Everything runs here, publisher, origin and viewer: what the machine does besides is printed with the table, and ratios
are taken within one run. Without rows, all of them, which takes about half an hour.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

# The tree with this machine's FFmpeg, not the image with its own: a ratio needs the same FFmpeg on both sides.
os.environ.setdefault("ORIGIN", "native")
sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "container")]

from origin.settings import DEFAULT_LADDER  # noqa: E402 # a bench is run from anywhere: the paths come first

from tests.container.browser import Player, Viewer  # noqa: E402 - after sys.path is set
from tests.container.support import Backend, Origin, Publisher, eventually  # noqa: E402 - after sys.path is set
from tests.ports import free_ports  # noqa: E402 - after sys.path is set

HD = ["--size", "1280x720", "--kbps", "2500", "--preset", "veryfast", "--threads", "0"]
ZERO_LATENCY, OBS = ["--clock", *HD], ["--clock", "--obs", *HD]
WARM_UP_SECONDS = 10
LADDER = "[" + ",".join(rung.model_dump_json() for rung in DEFAULT_LADDER) + "]"
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
class Figure:
    """One line of the table."""

    what: str
    measured: str
    goal: str
    reached: bool


Row = Callable[[float], list[Figure]]  # measures for so many seconds


@contextmanager
def origin(**more: object) -> Iterator[tuple[Backend, Origin]]:
    backend = Backend()
    try:
        running = Origin(backend.url, **{"LADDER": LADDER} | more)
        try:
            yield backend, running
        finally:
            running.stop()
    finally:
        backend.stop()


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def cpu_seconds(pid: int) -> float:
    """CPU time of a process and all its descendants, those that ended and were waited for included."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = {int(line.split()[0]): int(line.split()[1]) for line in listed.splitlines()}
    family = {pid}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    total = 0.0
    for each in family:
        try:
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    return total


def resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


# --- what a viewer sees ---


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


# --- what it costs ---


@contextmanager
def recording(seconds: int, *options: str) -> Iterator[Path]:
    """A broadcast in a file: sent again without coding, publishers take next to nothing of the machine."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "source.flv"
        source = ["-f", "lavfi", "-i", "testsrc2=s=1280x720:r=30,noise=alls=8:allf=t"]
        sound = ["-f", "lavfi", "-i", "sine=frequency=300:sample_rate=48000"]
        coding = ["-c:v", "libx264", "-preset", "veryfast", "-profile:v", "high", "-pix_fmt", "yuv420p"]
        rate = ["-b:v", "2500k", "-maxrate", "2500k", "-bufsize", "2500k", "-sc_threshold", "0", *options]
        audio = ["-c:a", "aac", "-b:a", "128k", "-ac", "2", "-t", str(seconds)]
        subprocess.run(["ffmpeg", "-v", "error", *source, *sound, *coding, *rate, *audio, str(file)], check=True)
        yield file


@contextmanager
def replay(file: Path, url: str) -> Iterator[None]:
    command = ["ffmpeg", "-nostdin", "-v", "error", "-re", "-stream_loop", "-1", "-i", str(file), "-c", "copy"]
    process = subprocess.Popen([*command, "-f", "flv", url])
    try:
        yield
    finally:
        process.kill()
        process.wait()


@contextmanager
def plain_nginx() -> Iterator[tuple[int, int]]:
    """nginx-rtmp alone, for comparison: process id and port."""
    (port,) = free_ports(1)
    module = "/usr/lib/nginx/modules/ngx_rtmp_module.so"
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "nginx.conf").write_text(
            f"load_module {module}; daemon off; user root; worker_processes 1; pid {folder}/pid; error_log stderr;"
            f"events {{}} rtmp {{ server {{ listen 127.0.0.1:{port}; application live {{ live on; }} }} }}"
        )
        process = subprocess.Popen(["nginx", "-c", f"{folder}/nginx.conf", "-p", folder, "-e", "stderr"])
        try:
            time.sleep(1)
            yield process.pid, port
        finally:
            process.terminate()
            process.wait()


def hls_output(folder: Path, name: str, kbps: int) -> list[str]:
    coding = ["-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-g", "60", "-sc_threshold", "0"]
    rate = ["-b:v", f"{kbps}k", "-maxrate", f"{kbps * 1.07:.0f}k", "-bufsize", f"{kbps}k", "-c:a", "copy"]
    target = folder / name
    target.mkdir()
    hls = ["-f", "hls", "-hls_time", "2", "-hls_list_size", "8", "-hls_flags", "delete_segments"]
    return [*coding, *rate, *hls, str(target / "index.m3u8")]


def tutorial_commands(url: str, folder: Path) -> list[list[str]]:
    """Three FFmpegs, each decoding and encoding for itself."""
    start = ["ffmpeg", "-nostdin", "-v", "error", "-i", url]
    return [
        [*start, "-vf", f"scale=-2:{rung.height}", *hls_output(folder, rung.name, rung.video_kbps)]
        for rung in DEFAULT_LADDER
    ]


def one_ffmpeg_command(url: str, folder: Path) -> list[str]:
    """One FFmpeg that decodes once and encodes all three."""
    count = len(DEFAULT_LADDER)
    graph = f"[0:v]split={count}" + "".join(f"[s{index}]" for index in range(count))
    command = ["ffmpeg", "-nostdin", "-v", "error", "-i", url, "-filter_complex"]
    outputs: list[str] = []
    for index, rung in enumerate(DEFAULT_LADDER):
        graph += f";[s{index}]scale=-2:{rung.height}[v{index}]"
        outputs += ["-map", f"[v{index}]", "-map", "0:a"]
        outputs += hls_output(folder, rung.name, rung.video_kbps)
    return [*command, graph, *outputs]


def cost_of_ours(file: Path, seconds: float) -> float:
    with origin() as (backend, running):
        key, playback_id = backend.new_key()
        with replay(file, f"rtmp://127.0.0.1:{running.rtmp_port}/live/{key}"):
            eventually(lambda: running.fetch(f"/hls/{playback_id}/master.m3u8").status == 200, "playlist")
            time.sleep(3)
            before = cpu_seconds(running.process.pid)
            time.sleep(seconds)
            return (cpu_seconds(running.process.pid) - before) / seconds * 60


def cost_of(make: Callable[[str, Path], Sequence[list[str]]], file: Path, seconds: float) -> float:
    with plain_nginx() as (nginx, port), tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        url = f"rtmp://127.0.0.1:{port}/live/x"
        stack.enter_context(replay(file, url))
        time.sleep(1)
        processes = [subprocess.Popen(command) for command in make(url, Path(folder))]
        for process in processes:
            stack.callback(process.wait)
            stack.callback(process.kill)
        time.sleep(5)
        pids = [nginx, *(process.pid for process in processes)]
        before = sum(map(cpu_seconds, pids))
        time.sleep(seconds)
        return (sum(map(cpu_seconds, pids)) - before) / seconds * 60


def cost_row(seconds: float) -> list[Figure]:
    rounds = 4  # taken in turn, so that what else the machine does falls on all three
    with recording(20, "-g", "60") as file:
        ours, tutorial, single = [], [], []
        for _ in range(rounds):
            ours.append(cost_of_ours(file, seconds / rounds))
            tutorial.append(cost_of(tutorial_commands, file, seconds / rounds))
            single.append(cost_of(lambda url, folder: [one_ffmpeg_command(url, folder)], file, seconds / rounds))
    mine, three, one = (sum(each) / rounds for each in (ours, tutorial, single))
    text = f"{mine:.1f} against {{:.1f}} CPU-seconds a minute: {{:.2f}}"
    return [
        Figure("CPU, against three FFmpegs", text.format(three, mine / three), "<= 0.45", mine / three <= 0.45),
        Figure("CPU, against one FFmpeg for all", text.format(one, mine / one), "<= 0.62", mine / one <= 0.62),
    ]


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


def own_cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


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


ROWS: dict[str, tuple[float, Row]] = {
    "latency": (60, low_latency_row("zerolatency", ZERO_LATENCY, 1.5, 2.5)),
    "latency-obs": (60, low_latency_row("OBS's usual settings", OBS, 2.0, 3.0)),
    "latency-ordinary": (40, ordinary_row),
    "cost": (60, cost_row),
    "copied": (300, real_time_row(3, "copied", "-g", "60")),
    "encoded": (300, real_time_row(2, "encoded", "-g", "250")),
    "viewers": (300, viewers_row),
    "memory": (120, memory_row),
}


def load() -> str:
    one, five, _ = os.getloadavg()
    return f"{os.cpu_count()} cores, load {one:.1f} (1 min) {five:.1f} (5 min)"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(ROWS)}; all if none is named")
    parser.add_argument("--seconds", type=float, help="instead of each row's own duration")
    options = parser.parse_args()
    if unknown := set(options.rows) - set(ROWS):
        parser.error(f"unknown row {', '.join(unknown)}; there are {', '.join(ROWS)}")
    reached = True
    print("| what | measured | goal | reached | machine before |")
    print("|---|---|---|---|---|")
    for name in options.rows or ROWS:
        seconds, measure = ROWS[name]
        before = load()
        for figure in measure(options.seconds or seconds):
            reached &= figure.reached
            shown = "yes" if figure.reached else "NO"
            print(f"| {figure.what} | {figure.measured} | {figure.goal} | {shown} | {before} |", flush=True)
    return not reached


if __name__ == "__main__":
    sys.exit(main())
