"""CPU time of a broadcast, against the tutorial way and against one FFmpeg that encodes everything."""

import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import rtmp_module
from origin.settings import DEFAULT_LADDER

from bench.broadcast.figures import Figure
from bench.broadcast.processes import cpu_seconds, origin, recording, replay
from tests.container.support import eventually
from tests.ports import free_ports


@contextmanager
def plain_nginx() -> Iterator[tuple[int, int]]:
    """nginx-rtmp alone, for comparison: process id and port."""
    (port,) = free_ports(1)
    with tempfile.TemporaryDirectory() as folder:
        module = rtmp_module.build()
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
