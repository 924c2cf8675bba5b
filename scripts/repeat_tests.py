"""Run tests again and again, undisturbed and short of processor: which of them fail, how often, and when.

`python scripts/repeat_tests.py --runs 10 --under quiet half -- tests/container`; what follows `--` is for pytest.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

REPOSITORY = Path(__file__).resolve().parents[1]
LOGS = REPOSITORY / ".cache" / "repeat-tests"
EVERYTHING = ["-n", "2", "--dist", "loadfile", "--no-loadscope-reorder", "tests"]
CGROUPS = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup/unified"))
_PERIOD_MICROSECONDS = 100_000
_CLEANING_UP_SECONDS = 60
# It ends with whoever started it, even when that one was killed.
_BUSY_LOOP = "import os\nparent = os.getppid()\nwhile os.getppid() == parent:\n    for _ in range(100_000): pass"
_INTO_CGROUP = 'echo $$ >"$0" && exec "$@"'


class NotPossibleError(Exception):
    """This machine cannot make a condition; the text says why."""


# --- conditions: each gives the command to put before pytest's ---


@contextlib.contextmanager
def quiet() -> Iterator[list[str]]:
    """As the machine is."""
    yield []


@contextlib.contextmanager
def one_core() -> Iterator[list[str]]:
    """All on one core."""
    yield ["taskset", "-c", str(cores()[0])]


@contextlib.contextmanager
def busy() -> Iterator[list[str]]:
    """Two cores, and on each a loop that wants all of it."""
    two = [str(core) for core in cores()[:2]]
    loops = [subprocess.Popen(["taskset", "-c", core, sys.executable, "-c", _BUSY_LOOP]) for core in two]
    try:
        yield ["taskset", "-c", ",".join(two)]
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


@contextlib.contextmanager
def half() -> Iterator[list[str]]:
    """Half of the processor's time.

    By the kernel: tools that stop and continue processes would wake up those that a test has put to sleep.
    """
    group = limited_cgroup(len(cores()) * _PERIOD_MICROSECONDS // 2)
    try:
        yield ["sh", "-c", _INTO_CGROUP, str(group / "cgroup.procs")]
    finally:
        remove_cgroup(group)


CONDITIONS: dict[str, Callable[[], AbstractContextManager[list[str]]]] = {
    "quiet": quiet,
    "one-core": one_core,
    "busy": busy,
    "half": half,
}


def cores() -> list[int]:
    return sorted(os.sched_getaffinity(0))


def limited_cgroup(microseconds: int) -> Path:
    """A new control group with so much processor time in each period; of version 2 or 1, wherever one may be made."""
    limits = {"cpu.max": f"{microseconds} {_PERIOD_MICROSECONDS}", "cpu.cfs_quota_us": str(microseconds)}
    for parent in CGROUPS:
        group = parent / f"repeat-tests-{os.getpid()}"
        with contextlib.suppress(OSError):
            group.mkdir()
            for name, limit in limits.items():
                if (group / name).exists():
                    (group / name).write_text(limit)
                    return group
            group.rmdir()
    raise NotPossibleError("half: no cpu.max or cpu.cfs_quota_us below /sys/fs/cgroup may be set: run it as root")


def remove_cgroup(group: Path) -> None:
    """With whatever a test has left running in it."""
    while pids := (group / "cgroup.procs").read_text().split():
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        time.sleep(0.05)
    group.rmdir()


# --- runs ---


def run(command: Sequence[str], report: Path, log: Path) -> list[str]:
    """The names of the tests that failed; the log stays if there are any."""
    with log.open("wb") as output:
        # Out of the terminal's reach: an interrupt is passed on below, once.
        process = subprocess.Popen(
            [*command, f"--junitxml={report}"],
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait()
        finally:
            if process.poll() is None:
                stop(process)
    failed = failures(report) if report.exists() else []
    report.unlink(missing_ok=True)
    if code and not failed:
        failed = [f"(pytest itself: exit code {code})"]
    if not failed:
        log.unlink()
    return failed


def stop(process: subprocess.Popen[bytes]) -> None:
    """As Ctrl-C does, so that tests clean up after themselves; and then whatever is left of it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_CLEANING_UP_SECONDS)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def failures(report: Path) -> list[str]:
    """From a report in JUnit's form."""
    cases = ET.parse(report).getroot().iter("testcase")  # noqa: S314 - pytest wrote it a moment ago
    return sorted(
        {
            f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name', '')}"
            for case in cases
            if case.find("failure") is not None or case.find("error") is not None
        }
    )


def repeat(condition: str, runs: int, tests: Sequence[str], logs: Path) -> Counter[str]:
    """How often each test failed under this condition."""
    failed: Counter[str] = Counter()
    for number in range(1, runs + 1):
        name = f"{condition}-{number}"
        began = time.monotonic()
        with CONDITIONS[condition]() as before:
            command = [*before, sys.executable, "-m", "pytest", "-q", *tests]
            names = run(command, logs / f"{name}.xml", logs / f"{name}.log")
        failed.update(names)
        told = f"{len(names)} failed, see {logs / name}.log" if names else "passed"
        print(f"{condition} {number}/{runs}: {told} ({time.monotonic() - began:.0f} s)", flush=True)
    return failed


def table(failed: dict[str, Counter[str]], runs: int) -> str:
    """A line for each test that failed, a column for each condition."""
    names = sorted(set().union(*failed.values()))
    if not names:
        return f"nothing failed in {runs} runs under each of: {', '.join(failed)}"
    width = max(map(len, names))
    lines = [f"{f'failed, of {runs} runs':<{width}}  {'  '.join(failed)}"]
    for name in names:
        counts = (f"{counted[name] or '-':>{len(condition)}}" for condition, counted in failed.items())
        lines.append(f"{name:<{width}}  {'  '.join(counts)}")
    return "\n".join(lines)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="repeat_tests.py", description=__doc__)
    parser.add_argument("--runs", type=int, default=10, help="under each condition")
    parser.add_argument("--under", nargs="+", choices=CONDITIONS, default=list(CONDITIONS), metavar="CONDITION",
                        help="of " + ", ".join(CONDITIONS))  # fmt: skip
    parser.add_argument("--logs", type=Path, default=LOGS, help="where the logs of failed runs stay")
    parser.add_argument("tests", nargs="*", default=EVERYTHING, help="what pytest is given, after --")
    return parser.parse_args(arguments)


def end(number: int, _: object) -> NoReturn:
    sys.exit(128 + number)


def main(arguments: Sequence[str]) -> int:
    """0: nothing failed. 1: something did. 2: a condition cannot be made here. 130: interrupted."""
    options = parse(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    logs = options.logs / time.strftime("%Y%m%dT%H%M%S")
    logs.mkdir(parents=True)
    try:
        failed = {condition: repeat(condition, options.runs, options.tests, logs) for condition in options.under}
    except NotPossibleError as error:
        print(error, file=sys.stderr)
        return 2
    finally:
        with contextlib.suppress(OSError):  # not empty: something failed
            logs.rmdir()
    print(table(failed, options.runs))
    return int(any(failed.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
