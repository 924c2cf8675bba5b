"""The processes that are measured, and what they take."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from origin.settings import DEFAULT_LADDER

from tests.container.support import Backend, Origin

LADDER = "[" + ",".join(rung.model_dump_json() for rung in DEFAULT_LADDER) + "]"


@contextmanager
def origin(**more: object) -> Iterator[tuple[Backend, Origin]]:
    """A backend and an origin of the tree with this machine's FFmpeg: a ratio needs the same FFmpeg on both sides."""
    os.environ["ORIGIN"] = "native"
    backend = Backend()
    try:
        running = Origin(backend.url, **{"LADDER": LADDER, "ENCODER_PATIENCE_SECONDS": 5} | more)
        try:
            yield backend, running
        finally:
            running.stop()
    finally:
        backend.stop()


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


def own_cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


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
