"""What a reader of a plan is shown: only what differs, and no secret."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ops.plan_review.comment import comment
from ops.plan_review.json_view import json_text
from ops.plan_review.reading import plan_in
from ops.plan_review.review import review
from ops.plan_review.terminal_view import TerminalView
from tests.ops.plan_review.documents import change, document

SECRET = "hunter2-TopSecret"  # noqa: S105 - of nothing


def texts(*changes: dict[str, Any], **parts: Any) -> list[str]:
    reviews = review([plan_in(document(*changes, **parts), source="dev.json")])
    return [comment(reviews), json_text(reviews), TerminalView(colours=False).text(reviews)]


def container(**variables: str) -> str:
    variables_ = [{"name": name, "value": value} for name, value in variables.items()]
    return json.dumps([{"name": "RTMPContainer", "image": "x", "environment": variables_}])


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param(
            {"before": {"x": SECRET}, "after": {"x": "b"}, "before_sensitive": {"x": True}, "after_sensitive": {}},
            id="before",
        ),
        pytest.param(
            {"before": {"x": "b"}, "after": {"x": SECRET}, "before_sensitive": {}, "after_sensitive": {"x": True}},
            id="after",
        ),
        pytest.param(
            {"before": None, "after": {"x": SECRET}, "after_sensitive": True, "actions": ["create"]}, id="whole"
        ),
        pytest.param(
            {
                "before": {"x": [{"y": "b"}]},
                "after": {"x": [{"y": SECRET}]},
                "before_sensitive": {"x": [{}]},
                "after_sensitive": {"x": [{"y": True}]},
            },
            id="nested",
        ),
        pytest.param(
            {
                "before": {"container_definitions": container(BACKEND_TOKEN=SECRET[::-1])},
                "after": {"container_definitions": container(BACKEND_TOKEN=SECRET)},
            },
            id="by its name in JSON in a string",
        ),
        pytest.param(
            {
                "before": {"container_definitions": container(BACKEND_URL="https://a.example")},
                "after": {"container_definitions": container(BACKEND_URL=f"https://me:{SECRET}@a.example")},
            },
            id="credentials in a URL",
        ),
    ],
)
def test_no_secret_is_shown(parts: dict[str, Any]) -> None:
    """By Terraform's marks of any shape, and by the names of what is in JSON in a string, which has no marks."""
    told = texts(change("aws_unheard_of.x", **parts))

    assert all(SECRET not in text and "aws_unheard_of.x" in text for text in told)


def test_that_a_secret_changes_is_shown() -> None:
    """Not what to."""
    marks: dict[str, Any] = {"before_sensitive": {"x": True}, "after_sensitive": {"x": True}}

    told = texts(change("aws_unheard_of.x", before={"x": "a"}, after={"x": SECRET}, **marks))

    assert "- x = (sensitive)\n+ x = (sensitive, another one)" in told[0]


def test_an_output_that_is_secret_is_not_shown() -> None:
    output = {"actions": ["update"], "before": "a", "after": SECRET, "before_sensitive": True, "after_sensitive": True}

    for text in texts(output_changes={"Token": output}):
        assert SECRET not in text
        assert "Token" in text


def test_of_json_in_a_string_only_what_differs_is_shown() -> None:
    """Of 300 variables the one that changed."""
    many = {f"NAME_{number}": str(number) for number in range(300)}
    parts: dict[str, Any] = {
        "before": {"container_definitions": container(**many)},
        "after": {"container_definitions": container(**{**many, "NAME_7": "eight"})},
    }

    for text in texts(change("aws_unheard_of.x", **parts)):
        assert "container_definitions.RTMPContainer.environment.NAME_7" in text
        assert "NAME_8" not in text
        assert len(text) < 2500


def test_json_in_another_order_is_no_change() -> None:
    before = '{"a": 1, "b": [{"name": "x", "v": 1}, {"name": "y", "v": 2}]}'
    after = '{"b": [{"v": 2, "name": "y"}, {"v": 1, "name": "x"}], "a": 1}'

    (text, *_) = texts(change("aws_unheard_of.x", before={"policy": before}, after={"policy": after}))

    assert "```diff" not in text
