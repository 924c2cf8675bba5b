"""Nobody is stuck on CDKTF: with its successor, from the same source, the same stacks come out."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from cdk_terrain.compare import differences
from tests.shipped import EVERYTHING, ROOT

if TYPE_CHECKING:
    from pathlib import Path


def document(version: str, **resources: object) -> dict[str, Any]:
    return {
        "//": {"metadata": {"version": version, "stackName": "Stack"}},
        "terraform": {"required_providers": {"aws": {"version": version, "source": f"from-{version}"}}},
        "resource": resources,
    }


def write(folder: Path, stack: str, content: dict[str, Any]) -> Path:
    (folder / stack).mkdir(parents=True)
    (folder / stack / "cdk.tf.json").write_text(json.dumps(content))
    return folder


def run(project: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cdk_terrain"], cwd=project, capture_output=True, text=True, check=False, timeout=580
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of what synthesis needs, with one environment that has every option on."""
    ignored = shutil.ignore_patterns("__pycache__", ".venv")
    for name in ("cdk_terrain", "config", "constructs_lib", "stacks"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    shutil.copy(ROOT / "main.py", tmp_path)
    (tmp_path / "environments").mkdir()
    shutil.copy(EVERYTHING, tmp_path / "environments")
    return tmp_path


@pytest.mark.slow
def test_the_successor_synthesizes_the_same_stacks(project: Path) -> None:
    """Real bindings of both, every option on: only who made it and for which provider differs."""
    (project / "cdk_terrain" / ".venv").symlink_to(ROOT / "cdk_terrain" / ".venv")

    done = run(project)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "LiveCommerceBootstrapStack-everything  the same" in done.stdout
    assert "LiveCommerceStreamingStack-everything  the same" in done.stdout


def test_fails_when_the_environment_of_the_successor_is_missing(project: Path) -> None:
    """One line that says how to get it."""
    done = run(project)

    assert done.returncode == 2
    assert done.stderr == "cdk_terrain/.venv is missing: run make synth-cdktn, which sets it up\n"


def test_versions_and_spelling_of_the_provider_may_differ(tmp_path: Path) -> None:
    ours = write(tmp_path / "ours", "Stack", document("1", aws_vpc={"Vpc": {}}))
    theirs = write(tmp_path / "theirs", "Stack", document("2", aws_vpc={"Vpc": {}}))

    assert differences(ours, theirs) == {}


def test_anything_else_that_differs_is_shown(tmp_path: Path) -> None:
    ours = write(tmp_path / "ours", "Stack", document("1", aws_vpc={"Vpc": {"cidr_block": "10.0.0.0/16"}}))
    theirs = write(tmp_path / "theirs", "Stack", document("2", aws_vpc={"Vpc": {"cidr_block": "10.1.0.0/16"}}))

    diff = differences(ours, theirs)["Stack"]

    assert '-        "cidr_block": "10.0.0.0/16"' in diff
    assert '+        "cidr_block": "10.1.0.0/16"' in diff
    assert "version" not in diff


def test_a_stack_that_only_one_of_them_writes_differs(tmp_path: Path) -> None:
    ours = write(tmp_path / "ours", "Stack", document("1"))
    theirs = write(tmp_path / "theirs", "Other", document("1"))

    assert set(differences(ours, theirs)) == {"Other", "Stack"}
