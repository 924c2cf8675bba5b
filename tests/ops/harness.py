"""A copy of the repository with `python -m ops` in it, against local S3 and STS and the stand-in for AWS."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.shipped import ROOT, copy_environments

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from offline_terraform.engine import OfflineTerraform

FOLDERS = ("config", "constructs_lib", "ops", "policy", "stacks")
OPERATOR = {
    "CDK_DEFAULT_ACCOUNT": "123456789012",
    "CDK_DEFAULT_REGION": "ap-northeast-2",
    "BACKEND_URL": "https://api-dev.shop.example",
    "BACKEND_URL_PROD": "https://api.shop.example",
}
# Synthesis has tests of its own and takes seconds: here its result is copied. Only `test_cdktf.py` and one deploy
# below synthesize for real.
SYNTHESIZED = """import os, shutil, sys
shutil.copytree(os.environ["SYNTHESIZED"], os.path.join(os.environ["CDKTF_OUTDIR"], "stacks"), dirs_exist_ok=True)
print("synth: copied", file=sys.stderr)
"""


def copy_repository(folder: Path, *, synthesized: Path | None) -> None:
    """What the commands need, to write into; with `synthesized`, `main.py` copies those stacks."""
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Makefile", "Pipfile.lock", "cdktf.json", "main.py"):
        shutil.copy(ROOT / name, folder / name)
    copy_environments(folder)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    if synthesized is not None:
        (folder / "main.py").write_text(SYNTHESIZED)


@dataclass(frozen=True, kw_only=True)
class Project:
    """The copy, and how to run commands in it."""

    folder: Path
    environment: dict[str, str]

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        """`python -m ops ...` in a process group of its own, as a terminal would have it."""
        return subprocess.Popen(
            [sys.executable, "-m", "ops", *arguments],
            cwd=self.folder,
            env={**self.environment, **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, answer: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        """The same, finished; `answer` is what is typed. No command ever shows a traceback or a secret."""
        with self.start(*arguments, **variables) as process:
            try:
                stdout, stderr = process.communicate(answer, timeout=300)
            except BaseException:
                os.killpg(process.pid, 9)
                raise
        assert "Traceback" not in stderr, stderr
        assert "dummy" not in stdout + stderr, "a secret key was printed"
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    @property
    def bootstrap_folder(self) -> Path:
        """Where dev's bootstrap keeps its state until it is in the bucket."""
        return self.folder / ".bootstrap" / "live-commerce-tfstate-dev-123456789012-ap-northeast-2"


def project_in(
    folder: Path, engine: OfflineTerraform, aws_environment: Mapping[str, str], synthesized: Path | None
) -> Project:
    copy_repository(folder, synthesized=synthesized)
    environment = {**engine.environment, **aws_environment, **OPERATOR, "SYNTHESIZED": str(synthesized)}
    return Project(folder=folder, environment=environment)
