"""What workflows tell GitHub, against a stand-in of its API."""

from __future__ import annotations

import base64
import gzip
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from ops.errors import FailedError, NotReadyError
from ops.github.artifacts import fetch_artifact
from ops.github.pull_requests import post_comment, pull_request_of, set_check
from ops.github.reports import differs, tell_drift, upload_sarif
from ops.plan_review.comment import marker
from tests.ops.github.conftest import BOT, TOKEN, packed
from tests.shipped import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from ops.github.api import Github
    from tests.ops.github.conftest import StandIn

SHA = "a" * 40


@pytest.fixture
def review(tmp_path: Path) -> Path:
    path = tmp_path / "comment.md"
    path.write_text(f"{marker('dev')}\n\nall well\n")
    return path


def test_there_is_one_comment_which_is_updated_in_place(github: Github, stand_in: StandIn, review: Path) -> None:
    """Also when a hundred others lie between; older ones of the same environment go, other people's stay."""
    stand_in.comments = {
        **{number: {"id": number, "user": {"login": "somebody"}, "body": marker("dev")} for number in range(1, 121)},
        121: {"id": 121, "user": BOT, "body": f"{marker('prod')}\nof another environment"},
    }
    assert post_comment(github, 5, review) == "written"
    stand_in.comments[200] = {"id": 200, "user": BOT, "body": "<!-- plan-review:v0:dev -->\nof an older version"}

    review.write_text(f"{marker('dev')}\n\nnot well\n")
    assert post_comment(github, 5, review) == "updated"

    ours = {id_: comment["body"] for id_, comment in stand_in.comments.items() if comment["user"] == BOT}
    assert ours == {121: f"{marker('prod')}\nof another environment", 122: f"{marker('dev')}\n\nnot well\n"}
    assert len(stand_in.comments) == 122


@pytest.mark.parametrize(
    ("text", "said"), [("no marker", "has no marker"), (marker("dev") + "x" * 60_000, "characters")]
)
def test_fails_when_the_file_is_no_review(github: Github, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "x").write_text(text)

    with pytest.raises(NotReadyError, match=said):
        post_comment(github, 5, tmp_path / "x")


@pytest.mark.parametrize(
    ("verdicts", "state"),
    [
        ({"dev": "safe now"}, "success"),
        ({"dev": "safe now", "prod": "needs approval"}, "failure"),
        ({"dev": "wait for the end of shows"}, "failure"),
        ({"dev": "something new"}, "failure"),
    ],
)
def test_the_check_is_the_worst_verdict(
    github: Github, stand_in: StandIn, tmp_path: Path, verdicts: dict[str, str], state: str
) -> None:
    document = {"environments": [{"environment": name, "verdict": verdict} for name, verdict in verdicts.items()]}
    (tmp_path / "review.json").write_text(json.dumps(document))

    assert set_check(github, SHA, tmp_path / "review.json", "https://example.com/run") == state

    ((path, body),) = stand_in.posted
    assert path == f"statuses/{SHA}"
    assert body["state"] == state
    assert body["context"] == "plan review"
    assert all(f"{name}: {verdict}" in body["description"] for name, verdict in verdicts.items())


@pytest.mark.parametrize("text", ["", "[]", '{"environments": []}', '{"environments": [{}]}'])
def test_fails_when_there_is_no_verdict(github: Github, tmp_path: Path, text: str) -> None:
    """Nothing that is not understood is a green check."""
    (tmp_path / "review.json").write_text(text)

    with pytest.raises(NotReadyError):
        set_check(github, SHA, tmp_path / "review.json", "https://example.com")


def test_a_forks_pull_request_is_found_by_what_github_says_of_the_run(github: Github, stand_in: StandIn) -> None:
    """Not by what an artifact says. Another head is another pull request, or a newer push."""
    stand_in.pulls = [{"number": 4, "head": {"sha": "b" * 40}}, {"number": 9, "head": {"sha": SHA}}]

    assert pull_request_of(github, "someone", "fix/it", SHA) == 9
    with pytest.raises(FailedError, match="no open pull request"):
        pull_request_of(github, "someone", "fix/it", "c" * 40)
    with pytest.raises(FailedError, match="unusual name"):
        pull_request_of(github, "someone&head=x", "fix", SHA)


def test_an_artifacts_plans_are_unpacked(github: Github, stand_in: StandIn, tmp_path: Path) -> None:
    """Where it lies is asked without the token."""
    stand_in.artifact = packed({"dev.json": b"{}", "prod-2.json": b"[]"})

    paths = fetch_artifact(github, 1, "plans", tmp_path)

    assert [path.name for path in paths] == ["dev.json", "prod-2.json"]
    assert stand_in.tokens == [f"Bearer {TOKEN}", f"Bearer {TOKEN}", None]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"../../evil.json": b"{}"}, "only NAME.json is expected"),
        ({"/etc/x.json": b"{}"}, "only NAME.json is expected"),
        ({"a.sh": b"x"}, "only NAME.json is expected"),
        ({"a/b.json": b"{}"}, "only NAME.json is expected"),
        ({f"f{number}.json": b"{}" for number in range(65)}, "has 65 files, at most 64"),
        ({"bomb.json": b"0" * ((64 << 20) + 1)}, "bomb.json is larger than 64 MB"),
        (b"not a zip", "is no zip"),
        (packed({"a.json": b"{}"})[:40], "is no zip"),
    ],
    ids=["up", "root", "script", "folder", "many", "bomb", "text", "cut"],
)
def test_fails_when_an_artifact_is_hostile(
    github: Github, stand_in: StandIn, tmp_path: Path, content: bytes | dict[str, bytes], said: str
) -> None:
    (tmp_path / "in").mkdir()
    stand_in.artifact = content if isinstance(content, bytes) else packed(content)

    with pytest.raises(FailedError, match=said):
        fetch_artifact(github, 1, "plans", tmp_path / "in")

    assert {path.name for path in tmp_path.rglob("*")} <= {"in"} | {f"f{number}.json" for number in range(65)}


def test_fails_when_there_is_no_artifact(github: Github, tmp_path: Path) -> None:
    with pytest.raises(FailedError, match="run 1 has no artifact plans"):
        fetch_artifact(github, 1, "plans", tmp_path)


def test_findings_go_to_code_scanning(github: Github, stand_in: StandIn, tmp_path: Path) -> None:
    (tmp_path / "x.sarif").write_text('{"version": "2.1.0"}')

    upload_sarif(github, tmp_path / "x.sarif", SHA, "refs/pull/5/merge")

    ((path, body),) = stand_in.posted
    assert (path, body["commit_sha"], body["ref"]) == ("code-scanning/sarifs", SHA, "refs/pull/5/merge")
    assert gzip.decompress(base64.b64decode(body["sarif"])) == b'{"version": "2.1.0"}'


@pytest.mark.parametrize(
    ("changes", "there_is"),
    [
        ({}, False),
        ({"counts": {"update": 1}}, True),
        ({"outputs": [{}]}, True),
        ({"drift": [{}]}, True),
        ({"not_judged": [{}]}, True),
    ],
)
def test_drift_is_whatever_a_plan_would_change(changes: dict[str, Any], there_is: object) -> None:
    one = {"counts": {"update": 0}, "outputs": [], "drift": [], "not_judged": [], **changes}

    assert differs(json.dumps({"environments": [one]})) is there_is


def test_fails_when_there_is_no_review_to_look_for_drift_in() -> None:
    with pytest.raises(NotReadyError, match="is none of plan-review"):
        differs("{}")


def test_drift_is_one_issue_that_opens_is_updated_and_closes(github: Github, stand_in: StandIn) -> None:
    assert tell_drift(github, "dev", "") == "nothing to tell"
    assert tell_drift(github, "dev", "a group has a rule more") == "opened"
    assert tell_drift(github, "dev", "two rules more") == "updated"
    assert tell_drift(github, "prod", "an alarm less") == "opened"
    assert [issue["body"] for issue in stand_in.issues.values()] == [
        "<!-- drift:dev -->\ntwo rules more",
        "<!-- drift:prod -->\nan alarm less",
    ]

    assert tell_drift(github, "dev", "") == "closed"
    assert stand_in.issues[1]["state"] == "closed"
    assert "state" not in stand_in.issues[2]


def test_a_refusal_says_what_was_asked_and_never_the_token(github: Github, stand_in: StandIn, review: Path) -> None:
    stand_in.refused = 403

    with pytest.raises(FailedError) as error:
        post_comment(github, 5, review)

    assert "GitHub refused GET /issues/5/comments" in str(error.value)
    assert "403" in str(error.value)
    assert TOKEN not in str(error.value)
    assert TOKEN not in repr(github)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "GITHUB_API_URL must be"),
        ({"GITHUB_API_URL": "https://api.example", "GITHUB_REPOSITORY": "a b"}, "GITHUB_REPOSITORY must be"),
        ({"GITHUB_API_URL": "https://api.example", "GITHUB_REPOSITORY": "a/b"}, "GITHUB_TOKEN is not set"),
        ({"GITHUB_API_URL": "http://api.example", "GITHUB_REPOSITORY": "a/b", "GITHUB_TOKEN": "x"}, "must be an https"),
    ],
)
def test_fails_outside_of_a_workflow(variables: dict[str, str], said: str) -> None:
    run = _run(variables, "comment", "--pull-request", "5", "--file", "x")

    assert run.returncode == 2
    assert said in run.stderr
    assert "Traceback" not in run.stderr


def test_the_command_does_what_it_says(stand_in: StandIn, review: Path) -> None:
    variables = {"GITHUB_API_URL": stand_in.url, "GITHUB_REPOSITORY": "shop/live", "GITHUB_TOKEN": TOKEN}

    run = _run(variables, "comment", "--pull-request", "5", "--file", str(review))

    assert (run.returncode, run.stderr) == (0, "comment written\n")
    assert stand_in.comments[1]["body"] == review.read_text()


def _run(variables: dict[str, Any], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ops.github", *arguments],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", **variables},
        capture_output=True,
        text=True,
        check=False,
    )
