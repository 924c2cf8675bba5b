"""libFuzzer over one target in C, from its seeds and its corpus."""

import re
import shutil
import subprocess
from pathlib import Path

from tests.fuzz.rtmp_module import seeds
from tests.fuzz.rtmp_module.programs import HERE

CORPUS = HERE / "corpus"
_INPUT_BYTES = 8192
_SLOW_SECONDS = 10  # for one input; most take a millisecond
_OPTIONS = ("-rss_limit_mb=1024", f"-timeout={_SLOW_SECONDS}", f"-max_len={_INPUT_BYTES}", "-print_final_stats=1")
_ENVIRONMENT = {"ASAN_OPTIONS": "detect_leaks=0", "UBSAN_OPTIONS": "print_stacktrace=1"}


class FoundError(Exception):
    """A crash, a hang or too much memory: what the sanitizer said, and where the input is."""


def run(programs: Path, target: str, folder: Path, seconds: float) -> str:
    """A line on how much was tried; what it learns is kept in `folder`."""
    grown = folder / target
    grown.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds.of(target)):
        (grown / f"seed-{number}").write_bytes(seed)
    done = subprocess.run(
        [
            programs / target,
            *_OPTIONS,
            f"-max_total_time={max(1, round(seconds))}",
            f"-artifact_prefix={folder}/",
            grown,
            CORPUS / target,
        ],
        env=_ENVIRONMENT,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise FoundError(f"{target}: {done.stderr[-6000:]}")
    tried = re.search(r"number_of_executed_units: +(\d+)", done.stderr)
    covered = re.findall(r"cov: (\d+)", done.stderr)
    return f"{tried[1] if tried else '?'} inputs, {covered[-1] if covered else '?'} edges"


def minimise(programs: Path, target: str, folder: Path) -> None:
    """Put the smallest set of inputs that reach as much into the repository."""
    merged = folder / f"{target}-merged"
    shutil.rmtree(merged, ignore_errors=True)
    merged.mkdir()
    subprocess.run(
        [programs / target, *_OPTIONS, "-merge=1", merged, folder / target, CORPUS / target],
        env=_ENVIRONMENT,
        check=True,
        capture_output=True,
    )
    shutil.rmtree(CORPUS / target, ignore_errors=True)
    shutil.copytree(merged, CORPUS / target)
