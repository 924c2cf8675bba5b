"""What belongs to whoever deploys, `environments/*.toml` and `policy/accepted.toml`, may say anything that is valid."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from config.loader import load_environments
from policy.__main__ import ACCEPTED
from policy.accepted import read_accepted
from tests.shipped import ENVIRONMENTS, ROOT, copy_environments

if TYPE_CHECKING:
    from pathlib import Path

MADE = (".git", ".venv*", "node_modules", ".cache", "cdktf.out", "__pycache__", ".*_cache", ".hypothesis", "dist")
OWNERS = ("environments", ".env", ".bootstrap")


def test_the_environments_are_valid() -> None:
    """Without a `.env`, too: what it may set has a placeholder."""
    assert load_environments(ROOT / "environments", {})


def test_the_accepted_findings_are_a_valid_list() -> None:
    assert read_accepted(ACCEPTED) is not None


def edit(folder: Path) -> None:
    """What docs/deploy.md asks for, and what anybody tries next, in environments that have other names."""
    environments = folder / "environments"
    (environments / "prod.toml").rename(environments / "live.toml")
    text = (environments / "dev.toml").read_text()
    for old, new in {
        "availability_zones": 'availability_zones = ["c", "d"]',
        "cpu_target_percent": "cpu_target_percent = 70",
        "image_tag": f'image_digest = "sha256:{"a" * 64}"',
        "log_retention_days": "log_retention_days = 60",
        "memory_mib": "memory_mib = 8192",
        "segment_seconds": "segment_seconds = 1.0",
    }.items():
        text, count = re.subn(rf"^{old} = .*$", new, text, flags=re.MULTILINE)
        assert count == 1, old
    (environments / "staging.toml").write_text(text)
    (environments / "qa.toml").write_text(text.replace("10.20.0.0/16", "10.40.0.0/16"))
    (environments / "dev.toml").unlink()
    (folder / "policy" / "accepted.toml").write_text(
        '[[accepted]]\ncheck = "CKV_1"\naddresses = ["a.b"]\nreason = "was looked at last year"\n'
    )


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_suite_stays_green_whatever_they_say(tmp_path: Path) -> None:
    """The quick tests but those of the container, which no environment file reaches."""
    folder = tmp_path / "project"
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*MADE, *OWNERS))
    shutil.copytree(ENVIRONMENTS, folder / "tests" / "environments", dirs_exist_ok=True)
    for name in (".venv", "node_modules"):
        (folder / name).symlink_to(ROOT / name)
    copy_environments(folder)
    edit(folder)

    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow", "tests"]
        + [f"--ignore=tests/{name}" for name in ("container", "cluster", "fuzz", "scripts")],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stdout[-5000:]
    assert re.search(r"\b[1-9]\d{2,} passed", run.stdout), run.stdout[-500:]
