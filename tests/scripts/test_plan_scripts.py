"""Shell steps of workflows that plan, review and comment. What they call is a stand-in that keeps what was asked."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.shipped import ROOT

if TYPE_CHECKING:
    from pathlib import Path

# Answers with $CODE_<word>, for the first word that has one, and prints the arguments.
PYTHON = """#!/bin/sh
echo "$*" >>"$CALLS"
echo "TOKEN=${GITHUB_TOKEN:-}" >>"$TOKENS"
for word in "$@"; do
  code=$(printenv "CODE_$(echo "$word" | tr -c 'a-zA-Z0-9\\n' _)") && exit "$code"
done
[ "$3" = artifact ] && touch "$9/dev.json"
[ "$3" = pull-request ] && echo 9
exit 0
"""


@dataclass
class Copy:
    folder: Path

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": os.environ["PATH"],
            "CALLS": str(self.folder / "calls"),
            "TOKENS": str(self.folder / "tokens"),
        }
        return subprocess.run(
            [str(self.folder / "scripts" / arguments[0]), *arguments[1:]],
            env={**environment, **variables},
            capture_output=True,
            text=True,
            check=False,
        )

    def calls(self) -> list[str]:
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    for folder in ("scripts", "environments", ".venv/bin", "plans"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("plan-every-environment.sh", "review-plans.sh", "comment-on-plans.sh"):
        shutil.copy(ROOT / "scripts" / name, tmp_path / "scripts")
    for name in ("dev", "prod"):
        (tmp_path / "environments" / f"{name}.toml").touch()
    (tmp_path / ".venv" / "bin" / "python").write_text(PYTHON)
    (tmp_path / ".venv" / "bin" / "python").chmod(0o755)
    return Copy(tmp_path)


def test_every_environment_is_planned_offline(copy: Copy) -> None:
    """One that needs approval is planned all the same."""
    run = copy.run("plan-every-environment.sh", "--offline", "main", "out", CODE_dev="2")

    assert run.returncode == 0, run.stderr
    assert copy.calls() == [
        f"-m ops plan-review --offline {name} --base main --write-plans out" for name in ("dev", "prod")
    ]


def test_fails_when_one_is_not_planned_after_the_others_were(copy: Copy) -> None:
    run = copy.run(
        "plan-every-environment.sh", "--aws", "out", CODE_dev="1", PLAN_ROLES="{}", CDK_DEFAULT_REGION="eu-west-3"
    )

    assert run.returncode == 1
    assert "not planned: dev" in run.stderr
    assert copy.calls() == [
        "-m ops.github sign-in --environment dev --roles {} --region eu-west-3",
        "-m ops.github sign-in --environment prod --roles {} --region eu-west-3",
        "-m ops plan prod --json out/prod.json",
    ]


def test_a_review_has_the_plans_and_the_findings(copy: Copy) -> None:
    for name in ("LiveA.json", "LiveB.json", "findings-dev.json"):
        (copy.folder / "plans" / name).touch()

    run = copy.run(
        "review-plans.sh", "plans", "out", CODE_plan_review="2", GITHUB_STEP_SUMMARY=str(copy.folder / "summary")
    )

    assert run.returncode == 0, run.stderr
    expected = "-m ops plan-review plans/LiveA.json plans/LiveB.json --findings plans/findings-dev.json --format"
    assert copy.calls() == [f"{expected} markdown", f"{expected} json"]
    assert (copy.folder / "summary").exists()


@pytest.mark.parametrize(("plans", "code"), [([], "0"), (["a.json"], "1")])
def test_fails_when_nobody_understands(copy: Copy, plans: list[str], code: str) -> None:
    """No plan, or one that the review does not understand: no comment, and no green check."""
    for name in plans:
        (copy.folder / "plans" / name).touch()

    assert copy.run("review-plans.sh", "plans", "out", CODE_plan_review=code).returncode == 1


SHA = "b" * 40
OF_THE_RUN = {
    "RUN": "5",
    "OWNER": "someone",
    "BRANCH": "a;$(touch x)`id`",
    "SHA": SHA,
    "URL": "u",
    "GITHUB_TOKEN": "of-the-job",
}


def test_another_runs_plans_become_a_comment(copy: Copy) -> None:
    """Nothing of the other run is executed; what reads its plans has no token."""
    run = copy.run("comment-on-plans.sh", CODE_plan_review="2", **OF_THE_RUN)

    assert run.returncode == 0, run.stderr
    calls = [re.sub(r"/\S+/(plans|review)(?=/| |$)", r"\1", call, count=1) for call in copy.calls()]
    assert calls == [
        "-m ops.github artifact --run 5 --name plans --folder plans",
        f"-m ops.github pull-request --owner someone --branch a;$(touch x)`id` --sha {SHA}",
        "-m ops plan-review plans/dev.json --format markdown",
        "-m ops plan-review plans/dev.json --format json",
        "-m ops.github comment --pull-request 9 --file review/comment.md",
        f"-m ops.github check --sha {SHA} --file review/review.json --url u",
    ]
    tokens = (copy.folder / "tokens").read_text().splitlines()
    assert tokens == [f"TOKEN={'' if 'plan-review' in call else 'of-the-job'}" for call in calls]
    assert not (copy.folder / "x").exists()


def test_without_an_artifact_there_is_nothing_to_say(copy: Copy) -> None:
    run = copy.run("comment-on-plans.sh", CODE_artifact="1", **OF_THE_RUN)

    assert run.returncode == 0
    assert len(copy.calls()) == 1
