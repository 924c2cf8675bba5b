"""scripts/repeat_tests.py on tests of its own: it counts, keeps logs of failures, and leaves nothing running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "repeat_tests.py"
MARK = "REPEAT_TESTS_MARK"  # in the environment of all that the script starts: how they are found

# What each condition does, seen from inside; and one that fails every second time.
TESTS = """
import os
from pathlib import Path

def test_sees_its_condition():
    told = Path(__file__).with_name("told")
    told.write_text(f"{len(os.sched_getaffinity(0))} {Path('/proc/self/cgroup').read_text()}")

def test_of_luck():
    marker = Path(__file__).with_name("ran-once")
    if marker.exists():
        marker.unlink()
    else:
        marker.touch()
        assert False, "bad luck"
"""


@pytest.fixture
def started(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment for the script; whatever it should have ended and did not is ended here."""
    mark = f"{tmp_path}"
    yield os.environ | {MARK: mark, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # plugins take seconds to load
    for pid in running(mark):
        os.kill(pid, signal.SIGKILL)


def running(mark: str) -> list[int]:
    """Processes with this mark in their environment, but for zombies."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK}={mark}\0".encode() in (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except OSError:  # it has ended meanwhile
            continue
    return found


def command(folder: Path, *options: str) -> list[str]:
    # No settings but those of pytest itself: the repository's would look for these tests' neighbours.
    settings = ["-c", os.devnull, f"--rootdir={folder}", "-p", "no:cacheprovider"]
    return [sys.executable, str(SCRIPT), "--logs", str(folder / "logs"), *options, "--", *settings, str(folder)]


def run(folder: Path, environment: dict[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(folder, *options), env=environment, capture_output=True, text=True, timeout=300, check=False
    )


def test_counts_what_failed_under_each_condition(tmp_path: Path, started: dict[str, str]) -> None:
    """A table of tests and conditions, exit code 1, and a log for each run that failed."""
    (tmp_path / "test_sample.py").write_text(TESTS)

    done = run(tmp_path, started, "--runs", "2", "--under", "quiet", "one-core")

    assert done.returncode == 1, done.stderr
    *_, header, row = done.stdout.splitlines()
    assert header.split() == ["failed,", "of", "2", "runs", "quiet", "one-core"]
    assert row.split() == ["test_sample.py::test_of_luck", "1", "1"]
    assert "quiet 2/2: passed" in done.stdout
    logs = sorted((tmp_path / "logs").glob("*/*"))
    assert [log.name for log in logs] == ["one-core-1.log", "quiet-1.log"]
    assert "bad luck" in logs[0].read_text()
    assert (tmp_path / "told").read_text().startswith("1 "), "one core"


def test_says_so_when_nothing_failed_and_leaves_no_logs(tmp_path: Path, started: dict[str, str]) -> None:
    (tmp_path / "test_sample.py").write_text("def test_passes(): pass\n")

    done = run(tmp_path, started, "--runs", "1", "--under", "busy")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("nothing failed in 1 runs under each of: busy\n")
    assert list((tmp_path / "logs").iterdir()) == []
    assert running(str(tmp_path)) == [], "a busy loop is left"


def test_half_the_processor_is_a_limit_of_the_kernels(tmp_path: Path, started: dict[str, str]) -> None:
    """Or one line that says why not, before anything ran."""
    (tmp_path / "test_sample.py").write_text(TESTS)

    done = run(tmp_path, started, "--runs", "1", "--under", "half")

    if done.returncode == 2:
        assert done.stderr.startswith("half: no cpu.max or cpu.cfs_quota_us below /sys/fs/cgroup may be set")
        assert not (tmp_path / "told").exists()
        return
    assert "repeat-tests-" in (tmp_path / "told").read_text()
    assert not list(Path("/sys/fs/cgroup").glob("**/repeat-tests-*"))


def test_fails_when_pytest_itself_does(tmp_path: Path, started: dict[str, str]) -> None:
    """No test is no success."""
    done = run(tmp_path, started, "--runs", "1", "--under", "quiet")

    assert done.returncode == 1
    assert "(pytest itself: exit code 5)" in done.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_lets_tests_clean_up_and_ends_everything(
    tmp_path: Path, started: dict[str, str], number: signal.Signals
) -> None:
    (tmp_path / "test_sample.py").write_text(
        "import time\nfrom pathlib import Path\n\ndef test_waits():\n    here = Path(__file__)\n"
        "    here.with_name('begun').touch()\n    try:\n        time.sleep(600)\n"
        "    finally:\n        here.with_name('cleaned-up').touch()\n"
    )
    with subprocess.Popen(command(tmp_path, "--under", "busy"), env=started, start_new_session=True) as script:
        deadline = time.monotonic() + 120
        while not (tmp_path / "begun").exists():
            assert time.monotonic() < deadline, "the test has not begun within 120 s"
            assert script.poll() is None
            time.sleep(0.05)
        script.send_signal(number)
        assert script.wait(120) == 128 + number
    assert (tmp_path / "cleaned-up").exists()
    assert running(str(tmp_path)) == []
