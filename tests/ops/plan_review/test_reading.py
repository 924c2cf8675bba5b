"""Files that are no plan, or none that is understood: a line that says so, and never "safe"."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from ops.plan_review.change import Action
from ops.plan_review.errors import NotUnderstoodError
from ops.plan_review.reading import LARGEST_BYTES, MOST_CHANGES, plan_in, read_plan
from tests.ops.plan_review.documents import change, document

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("", "is not JSON, or cut off", id="empty"),
        pytest.param(json.dumps(document(change()))[:-9], "is not JSON, or cut off", id="cut off"),
        pytest.param("[]", "the document is list, not an object", id="a list"),
        pytest.param('{"a": NaN}', "NaN is no JSON", id="NaN"),
        pytest.param("[" * 100_000, "nested deeper", id="deep"),
        pytest.param(
            '{"version": 4, "terraform_version": "1.14.0", "resources": []}', "is no plan of Terraform's", id="state"
        ),
        pytest.param('{"Resources": {}}', "is no plan of Terraform's", id="CloudFormation's"),
        pytest.param(json.dumps(document(format_version="2.0")), 'format_version is "2.0", and only 1.x', id="newer"),
        pytest.param(json.dumps(document(errored=True)), "ended with errors", id="errored"),
        pytest.param(json.dumps(document({"address": "a"})), "resource_changes[0].change", id="no change"),
        pytest.param(json.dumps(document(change(actions=()))), "actions must be a list", id="no action"),
        pytest.param(json.dumps(document(*[change()] * (MOST_CHANGES + 1))), "at most 20000 are reviewed", id="many"),
    ],
)
def test_fails_when_it_is_not_a_plan(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text)

    with pytest.raises(NotUnderstoodError) as error:
        read_plan(path)

    assert said in str(error.value)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_fails_when_it_is_too_large(tmp_path: Path) -> None:
    """Before it is parsed."""
    path = tmp_path / "plan.json"
    with path.open("wb") as file:
        file.truncate(LARGEST_BYTES + 1)

    with pytest.raises(NotUnderstoodError, match="is larger than 64 MB"):
        read_plan(path)


def test_fails_when_it_is_the_plan_file_itself(tmp_path: Path) -> None:
    (tmp_path / "plan").write_bytes(b"PK\x03\x04....")

    with pytest.raises(NotUnderstoodError, match="is a plan file, not its JSON: write one with `terraform show -json"):
        read_plan(tmp_path / "plan")


@pytest.mark.parametrize("bytes_", [b"\xff\xfe{}", b'{"a": "\xff"}'])
def test_fails_when_it_is_no_text(tmp_path: Path, bytes_: bytes) -> None:
    (tmp_path / "plan").write_bytes(bytes_)

    with pytest.raises(NotUnderstoodError, match="is not JSON"):
        read_plan(tmp_path / "plan")


def test_an_action_that_nobody_knows_is_told_as_it_stands() -> None:
    plan = plan_in(document(change(actions=("delete", "forget"))), source="p")

    assert plan.changes[0].action is Action.OTHER
    assert plan.changes[0].raw_actions == ("delete", "forget")


def test_a_part_that_nobody_knows_is_told() -> None:
    """A later Terraform may write something that changes the meaning of the rest."""
    parts: dict[str, Any] = {"deferred_changes": [{}], "timestamp": "x", "new_part": []}

    assert plan_in(document(**parts), source="p").not_understood == ("deferred_changes",)


@pytest.mark.parametrize(
    ("tags", "file", "environment"),
    [({"Environment": "prod"}, "x.json", "prod"), ({}, "dev.json", "dev"), ({"Environment": "a\nb <x>"}, "x", "a-b-x")],
)
def test_a_plan_says_whose_it_is(tags: dict[str, str], file: str, environment: str) -> None:
    """By the provider's default tags, else by the file; as a name that is safe everywhere."""
    provider = {"aws": {"expressions": {"default_tags": [{"tags": {"constant_value": tags}}]}}}

    plan = plan_in(document(configuration={"provider_config": provider}), source=file)

    assert plan.environment == environment
