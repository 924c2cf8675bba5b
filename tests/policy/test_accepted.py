"""The list of accepted findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from policy.accepted import Accepted, read_accepted, review
from policy.findings import Finding, PolicyError
from stacks.document import StackDocument

if TYPE_CHECKING:
    from pathlib import Path

REASON = "a reason long enough to be one"


def finding(environment: str = "dev", check: str = "CKV_1", address: str = "aws_lb.A") -> Finding:
    return Finding(check=check, stack=f"LiveCommerceStreamingStack-{environment}", address=address, message="m")


def accept(*environments: str, check: str = "CKV_1", address: str = "aws_lb.A") -> Accepted:
    return Accepted(check=check, addresses=(address,), environments=environments, reason=REASON)


def test_an_exception_for_dev_does_not_hide_prod() -> None:
    """This is what checkov's own baseline gets wrong."""
    result = review([finding("dev"), finding("prod")], [accept("dev")])

    assert [one.environment for one in result.unexplained] == ["prod"]
    assert [one.environment for one, _ in result.explained] == ["dev"]


def test_a_star_is_any_environment() -> None:
    """For what lies in the design, also in environments that come later."""
    result = review([finding("dev"), finding("staging")], [accept("*")])

    assert (result.unexplained, result.unused) == ([], [])


@pytest.mark.parametrize("other", [{"check": "CKV_2"}, {"address": "aws_lb.B"}])
def test_an_entry_is_for_one_check_on_one_address(other: dict[str, str]) -> None:
    """Neither another check nor another resource is covered."""
    result = review([finding(**other)], [accept("dev")])

    assert len(result.unexplained) == 1


def test_an_entry_that_matches_nothing_is_told() -> None:
    """For each of its environments: a list that only grows is no review."""
    result = review([finding("dev")], [accept("dev", "prod")])

    assert [said for _, said in result.unused] == ["CKV_1 aws_lb.A prod"]


def test_an_entry_with_a_condition_is_for_stacks_in_which_it_holds() -> None:
    """An environment that is there to be torn down, whatever it is called."""
    entry = Accepted(check="CKV_1", addresses=("aws_lb.A",), when={"aws_lb.A.protected": False}, reason=REASON)
    stacks = [
        StackDocument(name=f"LiveCommerceStreamingStack-{name}", document={"resource": {"aws_lb": {"A": arguments}}})
        for name, arguments in (("dev", {"protected": False}), ("prod", {"protected": True}), ("old", {}))
    ]

    result = review([finding("dev"), finding("prod"), finding("old")], [entry], stacks)

    assert [one.environment for one in result.unexplained] == ["prod", "old"]


@pytest.mark.parametrize(
    "text",
    [
        "accepted = [",
        'accepted = [{check = "CKV_1", addresses = ["a"], environments = ["dev"]}]',
        'accepted = [{check = "CKV_1", addresses = ["a"], environments = ["dev"], reason = "because"}]',
        f'accepted = [{{check = "CKV_1", addresses = [], environments = ["dev"], reason = "{REASON}"}}]',
        f'accepted = [{{check = "CKV_1", addresses = ["a"], environments = [], reason = "{REASON}"}}]',
        f'accepted = [{{check = "CKV_1", addresses = ["a"], when = {{"a.b" = 1}}, reason = "{REASON}"}}]',
        f'accepted = [{{chek = "CKV_1", addresses = ["a"], environments = ["dev"], reason = "{REASON}"}}]',
    ],
)
def test_fails_when_the_list_is_malformed(tmp_path: Path, text: str) -> None:
    """No TOML, no reason, a word for a reason, nothing named, an unknown key."""
    path = tmp_path / "accepted.toml"
    path.write_text(text)

    with pytest.raises(PolicyError, match=r"^accepted\.toml: is no valid list"):
        read_accepted(path)
