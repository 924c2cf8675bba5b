"""Runs targets, each in a process of its own, and tells what came of it."""

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz import worker

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TARGETS = HERE / "targets"
CORPUS = HERE / "corpus"
WORK = ROOT / ".fuzz"  # what a run collects, and its findings
_START_SECONDS = 120  # for imports, instrumentation and the corpus, on a busy machine


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one target's turn gave."""

    target: str
    cases: int
    seconds: float
    slowest_seconds: float
    slowest_bytes: int
    findings: list[Path] = field(default_factory=list)
    said: str = ""  # the last words of a turn that went wrong

    @property
    def crashes(self) -> int:
        return sum(not path.name.startswith("timeout-") for path in self.findings)

    @property
    def hangs(self) -> int:
        return sum(path.name.startswith("timeout-") for path in self.findings)

    @property
    def well(self) -> bool:
        return not self.findings and not self.said


def targets() -> dict[str, Path]:
    """Every target by its name."""
    return {path.stem: path for path in sorted(TARGETS.glob("*.py")) if path.stem != "__init__"}


def cases(path: Path) -> list[bytes]:
    """A target's seeds and its corpus."""
    corpus = CORPUS / path.stem
    return [*worker.load(path).SEEDS, *(each.read_bytes() for each in sorted(corpus.glob("*")))]


def turn(path: Path, seconds: float, *, work: Path = WORK, engine: str = worker.ENGINE) -> Outcome:
    """Fuzz one target for so long, or until its first finding; KeyboardInterrupt ends it cleanly."""
    collected, found = work / path.stem / "corpus", work / path.stem / "found"
    for folder in (collected, found):
        folder.mkdir(parents=True, exist_ok=True)
    kept = CORPUS / path.stem
    corpora = [collected, *([kept] if kept.is_dir() else [])]
    known = set(found.iterdir())
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fuzz.worker", engine, *map(str, (path, found, *corpora, seconds))],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'container'}", "PYTHONHASHSEED": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,  # Ctrl-C is for the runner, which then ends this one
    )
    try:
        output, _ = process.communicate(timeout=seconds + worker.HANG_SECONDS + _START_SECONDS)
    except subprocess.TimeoutExpired:
        output = "does not end"
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    slowest = re.findall(r"^slowest (\S+) (\d+)$", output, re.MULTILINE) or [("0", "0")]
    counted = re.findall(r"^(?:cases|stat::number_of_executed_units:) +(\d+)$", output, re.MULTILINE) or ["0"]
    return Outcome(
        target=path.stem,
        cases=int(counted[-1]),
        seconds=time.monotonic() - began,
        slowest_seconds=float(slowest[-1][0]),
        slowest_bytes=int(slowest[-1][1]),
        findings=sorted(set(found.iterdir()) - known),
        said=output[-4000:] if process.returncode else "",
    )
