"""Planning with credentials that only read, and applying exactly what was reviewed."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from ops.plan_review.fingerprint import fingerprint
from tests.shipped import shipped_configs

if TYPE_CHECKING:
    from pathlib import Path

    from tests.local_aws import LocalAws
    from tests.ops.harness import Project

DEV = shipped_configs()[0]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_only_the_plan_that_was_reviewed_is_applied(
    project: Project, aws: LocalAws, synthesized: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A plan writes nothing, not even a lock. Another one by the time of the deploy is stale, and is not applied."""
    aws.make_state_buckets()
    changed = tmp_path_factory.mktemp("changed") / "stacks"
    shutil.copytree(synthesized, changed)
    path = changed / DEV.streaming_stack_name / "cdk.tf.json"
    path.write_text(path.read_text().replace('"retention_in_days": 30', '"retention_in_days": 60'))

    planned = project.run("plan", "dev", "--json", "plan.json")
    assert planned.returncode == 0, planned.stderr
    reviewed = planned.stdout.splitlines()[-1]
    assert reviewed == fingerprint(json.loads((project.folder / "plan.json").read_text()))
    assert aws.everything_stored()[DEV.state_bucket_name] == []
    assert not list(project.folder.rglob("*.tfplan"))

    arguments = ("deploy", "dev", "--yes", "--no-wait", "--reviewed", reviewed)
    stale = project.run(*arguments, SYNTHESIZED=str(changed))
    assert stale.returncode == 3, stale.stderr
    assert "the plan is not the one that was reviewed" in stale.stderr
    assert aws.objects()[DEV.state_bucket_name] == []

    applied = project.run(*arguments)
    assert applied.returncode == 0, applied.stderr
    assert "Apply complete!" in applied.stdout


def test_fails_when_the_fingerprint_is_none(project: Project) -> None:
    run = project.run("deploy", "dev", "--reviewed", "latest")

    assert run.returncode == 2
    assert "must be 64 hexadecimal digits" in run.stderr


def plan(**changes: object) -> dict[str, object]:
    change = {"actions": ["update"], "before": {"a": 1}, "after": {"a": 2}, **changes}
    still = {"address": "a.still", "change": {"actions": ["no-op"], "before": {}, "after": {}}}
    return {
        "resource_changes": [still, {"address": "a.b", "change": change}],
        "timestamp": "now",
        "prior_state": {"x": 1},
    }


def test_a_fingerprint_is_of_what_happens_and_of_nothing_else() -> None:
    same = plan()
    same["timestamp"] = "later"
    same["resource_changes"] = list(reversed(same["resource_changes"]))  # type: ignore[call-overload] # a list
    others = [
        plan(after={"a": 3}),
        plan(actions=["delete", "create"]),
        plan(before={"a": 0}),
        plan(after_unknown={"b": True}),
    ]

    assert fingerprint(plan()) == fingerprint(same)
    assert len({fingerprint(each) for each in (plan(), *others)}) == len(others) + 1
