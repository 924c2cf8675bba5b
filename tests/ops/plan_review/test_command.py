"""`python -m ops plan-review`: what it prints and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from ops.plan_review.command import NEEDS_APPROVAL, NOT_UNDERSTOOD, SAFE, review_plans
from tests.ops.harness import copy_repository
from tests.ops.plan_review.documents import change, document
from tests.shipped import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def plan(tmp_path: Path) -> Callable[..., str]:
    """Writes a plan and says where."""

    def write(*changes: dict[str, Any], name: str = "dev") -> str:
        (tmp_path / f"{name}.json").write_text(json.dumps(document(*changes)))
        return str(tmp_path / f"{name}.json")

    return write


def test_nothing_is_safe(plan: Callable[..., str], capsys: pytest.CaptureFixture[str]) -> None:
    assert review_plans([plan()]) == SAFE
    assert capsys.readouterr().out == "dev: nothing changes.\n"


def test_several_environments_are_reviewed_at_once(
    plan: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The worst of them counts."""
    code = review_plans([f"prod={plan(change('aws_unheard_of.x'))}", plan(name="staging")])

    lines = capsys.readouterr().out.splitlines()
    assert code == NEEDS_APPROVAL
    assert lines[0] == "prod: needs approval; broadcasts cut: none; URLs that change: none; cost: unknown"
    assert lines[2] == "staging: nothing changes."


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ([change("aws_unheard_of.x")], "update of a type that no rule knows"),
        ([change("aws_vpc.x", before={"new_argument": 1}, after={"new_argument": 2})], "attributes"),
        ([change("aws_vpc.x", ("delete", "forget"))], "action delete+forget"),
        ([change("aws_vpc.x", ("forget",), after=None)], "forget of aws_vpc"),
    ],
)
def test_what_nobody_has_looked_at_is_never_safe(
    plan: Callable[..., str], capsys: pytest.CaptureFixture[str], changes: list[dict[str, Any]], said: str
) -> None:
    """A type, an attribute of a known type, an action."""
    assert review_plans([plan(*changes)]) == NEEDS_APPROVAL
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.json"], "plan-review: nowhere.json: cannot be read: No such file or directory\n"),
        (["=x"], "=x: must be ENVIRONMENT=PLAN.json, or PLAN.json\n"),
        (["\x1b[31mx"], "plan-review: \\x1b[31mx: cannot be read"),
        (["--offline", "no-such"], "no environments/no-such.toml"),
    ],
)
def test_fails_in_one_line(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert review_plans(arguments) == NOT_UNDERSTOOD
    told = capsys.readouterr()
    assert told.out == ""
    assert said in told.err
    assert told.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["--format", "xml", "x"], ["x", "--offline", "dev"], ["x", "--base", "main"], ["--frobnicate"], ["x"] * 33,
        ["x", "--base-findings", "y"], ["--offline", "dev", "--findings", "y"],
    ],
)  # fmt: skip
def test_a_wrong_call_does_not_end_like_a_plan_that_needs_approval(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        review_plans(arguments)

    assert ended.value.code == NOT_UNDERSTOOD
    assert "usage: python -m ops plan-review" in capsys.readouterr().err


def test_colours_are_for_terminals(
    plan: Callable[..., str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not for pipes, and not for those who said no."""
    path = plan(change("aws_unheard_of.x"))
    monkeypatch.delenv("NO_COLOR", raising=False)
    for terminal, no_color, coloured in ((False, False, False), (True, False, True), (True, True, False)):
        monkeypatch.setattr("sys.stdout.isatty", lambda terminal=terminal: terminal)
        if no_color:
            monkeypatch.setenv("NO_COLOR", "1")
        review_plans([path])
        assert ("\x1b[" in capsys.readouterr().out) is coloured


def test_json_has_what_the_comment_has(plan: Callable[..., str], capsys: pytest.CaptureFixture[str]) -> None:
    path = plan(change("aws_vpc.Network_12345678", ("delete", "create"), replace_paths=[["cidr_block"]]))

    assert review_plans([path, "--format", "json"]) == NEEDS_APPROVAL

    (one,) = json.loads(capsys.readouterr().out)["environments"]
    assert (one["environment"], one["verdict"], one["broadcasts_cut"]) == ("dev", "needs approval", "all")
    assert one["urls_that_change"] == ["streamers'"]
    assert one["effects"][0]["changes"][0]["forced_by"] == ["cidr_block"]
    assert one["cost"] is None


def test_findings_are_held_against_the_bases(plan: Callable[..., str], tmp_path: Path) -> None:
    """What was found before is no news."""
    finding = {"check": "CKV_1", "stack": "S-dev", "address": "aws_lb.x", "message": "m", "accepted": None}
    (tmp_path / "new.json").write_text(json.dumps({"schema_version": 1, "findings": [finding]}))
    (tmp_path / "old.json").write_text(json.dumps({"schema_version": 1, "findings": []}))
    new = ["--findings", str(tmp_path / "new.json")]

    assert review_plans([plan(), *new]) == NEEDS_APPROVAL
    assert review_plans([plan(), *new, "--base-findings", str(tmp_path / "old.json")]) == NEEDS_APPROVAL
    assert review_plans([plan(), *new, "--base-findings", str(tmp_path / "new.json")]) == SAFE


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_offline_a_branch_is_planned_from_what_its_base_had_left(tmp_path: Path) -> None:
    """No AWS: real synthesis of both commits, real Terraform, checkov on both. The working tree is what counts."""
    copy_repository(tmp_path, synthesized=None)
    (tmp_path / "offline_terraform").symlink_to(ROOT / "offline_terraform")
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.com", "-C", str(tmp_path)]
    (tmp_path / ".gitignore").write_text(".venv\n__pycache__\n")
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message=base"]):
        subprocess.run([*git, *command], check=True)
    path = tmp_path / "environments" / "dev.toml"
    path.write_text(path.read_text().replace('image_tag = "0.1.0"', 'image_tag = "0.2.0"'))

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "ops", "plan-review", "--offline", "dev", *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    changed = run("--base", "HEAD", "--format", "json")
    unknown = run("--base", "no-such-branch")

    assert changed.returncode == SAFE, changed.stderr
    (one,) = json.loads(changed.stdout)["environments"]
    assert [effect["rule"] for effect in one["effects"]] == ["new-task-definition"]
    assert one["counts"] == {"create": 0, "update": 1, "replace": 1, "delete": 0, "moved": 0, "imported": 0}
    assert unknown.returncode == NOT_UNDERSTOOD
    assert "BASE=no-such-branch: git knows no such branch, tag or commit" in unknown.stderr
    assert (
        subprocess.run([*git, "worktree", "list"], capture_output=True, text=True, check=True).stdout.count("\n") == 1
    )
