"""Findings for code scanning: at the line that made the resource, what is accepted suppressed with its reason."""

from __future__ import annotations

import ast
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from policy.accepted import Accepted, review
from policy.findings import Finding, PolicyError
from policy.sarif import Places, sarif
from stacks.app import build_app
from stacks.document import StackDocument
from stacks.sources import recorded
from tests.shipped import ROOT, everything_config

if TYPE_CHECKING:
    from pathlib import Path

STACK = "LiveCommerceStreamingStack-dev"
DOCUMENT = {
    "resource": {"aws_lb": {"Ingest_1": {"//": {"metadata": {"path": f"{STACK}/Ingest/Resource"}}}}},
    "data": {"aws_iam_policy_document": {"Doc_2": {"//": {"metadata": {"path": f"{STACK}/Roles/Doc"}}}}},
}
OPEN = Finding(check="CKV_1", stack=STACK, address="aws_lb.Ingest_1", message="is open")
KNOWN = Finding(check="CKV_2", stack=STACK, address="data.aws_iam_policy_document.Doc_2", message="is broad")
REASON = "was looked at, and is meant so"
ENTRY = Accepted(check="CKV_2", addresses=(KNOWN.address,), reason=REASON)
SOURCES = {f"{STACK}/Ingest/Resource": "constructs_lib/a.py:12", f"{STACK}/Roles/Doc": "constructs_lib/b.py:3"}


def results(*findings: Finding, sources: dict[str, str] = SOURCES, **options: Any) -> list[dict[str, Any]]:
    stacks = [StackDocument(name=STACK, document=DOCUMENT)]
    document = sarif(review(findings, [ENTRY], stacks), Places(stacks, sources), **options)
    assert document["version"] == "2.1.0"
    (run,) = document["runs"]
    assert {rule["id"] for rule in run["tool"]["driver"]["rules"]} == {result["ruleId"] for result in run["results"]}
    found: list[dict[str, Any]] = run["results"]
    return found


def test_a_finding_is_where_python_made_the_resource() -> None:
    (one,) = results(OPEN)

    (location,) = one["locations"]
    physical = location["physicalLocation"]
    assert (physical["artifactLocation"]["uri"], physical["region"]["startLine"]) == ("constructs_lib/a.py", 12)
    assert location["logicalLocations"][0]["fullyQualifiedName"] == f"{STACK}/Ingest/Resource"
    assert one["level"] == "error"
    assert "suppressions" not in one


def test_what_is_accepted_is_suppressed_with_its_reason() -> None:
    (one,) = results(KNOWN)

    assert one["suppressions"] == [{"kind": "external", "status": "accepted", "justification": REASON}]
    assert results(KNOWN, with_accepted=False) == []


def test_a_finding_keeps_its_fingerprint_when_lines_move() -> None:
    """Else every edit above it would close an alert and open another."""
    moved = {path: f"{line}9" for path, line in SOURCES.items()}

    assert results(OPEN)[0]["partialFingerprints"] == results(OPEN, sources=moved)[0]["partialFingerprints"]


def test_without_sources_a_finding_is_at_the_app() -> None:
    (one,) = results(OPEN, sources={})

    assert one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "main.py"


def test_fails_when_the_sources_are_cut_off(tmp_path: Path) -> None:
    (tmp_path / "sources.json").write_text('{"a": ')

    with pytest.raises(PolicyError, match=r"sources\.json: is not JSON"):
        Places.beside(tmp_path / "stacks", [])


def test_each_construct_knows_the_call_that_made_it(tmp_path: Path) -> None:
    """Of real stacks with every option on: an existing line of ours, within a call."""
    with recorded() as sources:
        build_app([everything_config()], tmp_path)
    sources.write(tmp_path)

    lines = json.loads((tmp_path / "sources.json").read_text())
    assert len(lines) > 150
    assert lines[f"{everything_config().streaming_stack_name}/Ingest"].startswith("stacks/streaming.py:")
    assert all(re.fullmatch(r"(constructs_lib|stacks)/[\w/]+\.py:\d+", line) for line in lines.values())
    calls: dict[str, set[int]] = {}
    for line in lines.values():
        file, _, number = line.partition(":")
        if file not in calls:
            tree = ast.parse((ROOT / file).read_text())
            calls[file] = {
                at
                for node in ast.walk(tree)
                if isinstance(node, ast.Call)
                for at in range(node.lineno, (node.end_lineno or node.lineno) + 1)
            }
        assert int(number) in calls[file], line
