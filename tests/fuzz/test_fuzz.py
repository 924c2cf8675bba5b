"""A short turn of every fuzz target, and proof that the frame finds what it is there to find."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fuzz import runner, worker
from tests.fuzz.__main__ import main

HEAD = "SEEDS = [b'seed']\n\n\ndef run(data: bytes) -> None:\n"
SLOW = """    import time
    end = time.process_time() + 0.5 * data.startswith(b"s")
    while time.process_time() < end: pass
"""
EVERY = pytest.mark.parametrize("path", runner.targets().values(), ids=runner.targets().keys())


@EVERY
def test_corpus_does_no_harm(path: Path) -> None:
    """Every seed, and every input that a long run kept: no error, and time linear in size."""
    run = worker.load(path).run
    for data in runner.cases(path):
        worker.timed(run, data)


@EVERY
@pytest.mark.slow
def test_short_turn_finds_nothing(path: Path, tmp_path: Path) -> None:
    outcome = runner.turn(path, 1.5, work=tmp_path)
    assert outcome.well, outcome
    assert outcome.cases >= len(runner.cases(path))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "crashes", "hangs"),
    [
        ("    if data[:1] == b's': raise ValueError('planted')\n", 1, 0),
        ("    while data[:1] == b's': pass\n", 0, 1),
        ("    while data[:1] == b's': data = data + data\n", 1, 0),
        (SLOW, 1, 0),
    ],
    ids=["error", "hang", "memory", "slow"],
)
@pytest.mark.parametrize("engine", sorted({worker.ENGINE, "blind"}))
def test_planted_fault_is_found(body: str, crashes: int, hangs: int, engine: str, tmp_path: Path) -> None:
    """With the input that shows it, whichever way inputs are made."""
    target = tmp_path / "planted.py"
    target.write_text(HEAD + body)
    outcome = runner.turn(target, 20, work=tmp_path, engine=engine)
    assert (outcome.crashes, outcome.hangs) == (crashes, hangs), outcome
    assert not outcome.well
    assert outcome.findings[0].read_bytes()[:1] == b"s"


@pytest.mark.slow
def test_ctrl_c_ends_a_run_with_its_processes() -> None:
    command = [sys.executable, "-m", "tests.fuzz", "--minutes", "5", "amf"]
    process = subprocess.Popen(command, cwd=runner.ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        deadline = time.monotonic() + 60
        while not children.read_text() and time.monotonic() < deadline:
            time.sleep(0.05)
        (child,) = map(int, children.read_text().split())
        os.kill(process.pid, signal.SIGINT)
        output, _ = process.communicate(timeout=30)
        assert process.returncode == 130
        assert output.endswith("stopped\n")
        with pytest.raises(ProcessLookupError):
            os.kill(child, 0)
    finally:
        process.kill()


def test_fails_when_a_target_is_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["nothing"])
    assert "no target 'nothing'; it is one of: amf" in capsys.readouterr().err
