"""What one policy document allows beyond another one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ops.plan_review.policy_documents import UnreadablePolicyError, difference

_READ = {"Action": "dynamodb:GetItem", "Resource": "arn:table"}
_OUR_TAGS = {"StringEquals": {"aws:ResourceTag/Project": ["live"]}}


def _document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **each} for each in statements]})


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param([_READ], [{"Sid": "Other", **_READ}], id="another statement id"),
        pytest.param([_READ], [{"Action": ["dynamodb:getitem"], "Resource": ["arn:table"]}], id="case, and lists"),
        pytest.param(
            [{"Action": ["a:B", "a:C"], "Resource": "r"}],
            [{"Action": "a:C", "Resource": "r"}, {"Action": "a:B", "Resource": "r"}],
            id="split and in another order",
        ),
        pytest.param(
            [{"Action": "a:*", "Resource": "*"}],
            [{"Action": "a:*", "Resource": "*"}, {"Action": "a:B", "Resource": "r"}],
            id="one more that a wildcard has already",
        ),
        pytest.param(
            [{**_READ, "Principal": {"Service": "ecs.amazonaws.com"}}],
            [{**_READ, "Principal": {"Service": ["ecs.amazonaws.com"]}}],
            id="a principal as a list",
        ),
    ],
)
def test_the_same_in_other_words_is_no_difference(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> None:
    found = difference(_document(*before), _document(*after))

    assert (found.gained, found.lost) == ((), ())


@pytest.mark.parametrize(
    ("narrow", "wide", "gained", "lost"),
    [
        pytest.param(
            _READ, {**_READ, "Action": "dynamodb:*"}, ["dynamodb:* on arn:table"], [], id="wildcard in the action"
        ),
        pytest.param(_READ, {**_READ, "Resource": "*"}, ["dynamodb:GetItem on *"], [], id="any resource"),
        pytest.param(
            {**_READ, "Condition": _OUR_TAGS},
            _READ,
            ["dynamodb:GetItem on arn:table"],
            [],
            id="a condition goes",
        ),
        pytest.param(
            {**_READ, "Condition": _OUR_TAGS},
            {**_READ, "Condition": {"StringEquals": {"aws:ResourceTag/Project": ["live", "other"]}}},
            ["dynamodb:GetItem on arn:table if aws:ResourceTag/Project StringEquals live or other"],
            [],
            id="a condition takes one more value",
        ),
        pytest.param(
            {**_READ, "Principal": {"AWS": "arn:us"}},
            {**_READ, "Principal": {"AWS": "*"}},
            ["dynamodb:GetItem on arn:table by *"],
            [],
            id="anybody",
        ),
        pytest.param(
            _READ,
            {"Action": "dynamodb:PutItem", "Resource": "arn:table"},
            ["dynamodb:PutItem on arn:table"],
            ["dynamodb:GetItem on arn:table"],
            id="another action",
        ),
        pytest.param(
            _READ,
            {"NotAction": "iam:*", "Resource": "*"},
            ["all actions but iam:* on *"],
            ["dynamodb:GetItem on arn:table"],
            id="all but some",
        ),
    ],
)
def test_what_is_gained_and_lost_is_named(
    narrow: dict[str, Any], wide: dict[str, Any], gained: list[str], lost: list[str]
) -> None:
    """Both ways round: what one direction gains the other loses."""
    there = difference(_document(narrow), _document(wide))
    back = difference(_document(wide), _document(narrow))

    assert ([str(each) for each in there.gained], [str(each) for each in there.lost]) == (gained, lost)
    assert (back.gained, back.lost) == (there.lost, there.gained)


def test_a_deny_that_goes_is_gained() -> None:
    forbidden = {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}

    assert [str(each) for each in difference(_document(_READ, forbidden), _document(_READ)).gained] == ["s3:* on *"]


def test_none_is_a_document_that_allows_nothing() -> None:
    assert [str(each) for each in difference(None, _document(_READ)).gained] == ["dynamodb:GetItem on arn:table"]


@pytest.mark.parametrize(
    "document",
    [
        "no JSON",
        "[]",
        '{"Statement": 1}',
        '{"Statement": ["text"]}',
        _document(*[_READ] * 501),
        _document({"Action": [f"a:{number}" for number in range(100)], "Resource": [str(n) for n in range(100)]}),
        '{"Statement":' + "[" * 100_000,
    ],
    ids=lambda document: document[:20],
)
def test_fails_when_it_is_no_policy_document_or_larger_than_aws_takes(document: str) -> None:
    with pytest.raises(UnreadablePolicyError):
        difference(_document(_READ), document)
