"""What one IAM policy document allows that another does not.

Compared by meaning, statement by statement: order, statement ids and the split into statements say nothing. What a
wildcard admits is admitted; a condition more is less, a value more in a condition is more.
Source: IAM user guide, "Policy evaluation logic" and "IAM JSON policy elements".
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_MOST_STATEMENTS = 500  # a document has 10,240 characters at most (a role's inline policies), most have fewer than 20
_MOST_GRANTS = 5_000

Conditions = frozenset[tuple[str, str, frozenset[str]]]


class UnreadablePolicyError(ValueError):
    """Not a policy document, or one larger than AWS takes."""


@dataclass(frozen=True, kw_only=True, order=True)
class Grant:
    """One action, on one resource, by one principal ("" in a policy of a role, whose holder it is).

    `inverted` names the elements that are meant as "all but": NotAction, NotResource, NotPrincipal.
    """

    action: str
    resource: str
    principal: str = ""
    conditions: Conditions = frozenset()
    inverted: frozenset[str] = frozenset()

    def __str__(self) -> str:
        action = f"all actions but {self.action}" if "NotAction" in self.inverted else self.action
        resource = f"everything but {self.resource}" if "NotResource" in self.inverted else self.resource
        parts = [action, *(["on", resource] if resource else [])]
        if self.principal:
            parts += ["by", f"all but {self.principal}" if "NotPrincipal" in self.inverted else self.principal]
        if self.conditions:
            parts.append("if " + " and ".join(_condition_text(condition) for condition in _ordered(self.conditions)))
        return " ".join(parts)

    def covers(self, other: Grant) -> bool:
        """Whether whoever has this one has the other as well."""
        if self.inverted or other.inverted:
            return self == other
        return (
            _admits(self.action.lower(), other.action.lower())
            and _admits(self.resource, other.resource)
            and _admits(self.principal, other.principal)
            and all(any(_is_looser(mine, theirs) for theirs in other.conditions) for mine in self.conditions)
        )


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What the newer document allows and the older did not, and the reverse."""

    gained: tuple[Grant, ...]
    lost: tuple[Grant, ...]


def difference(before: str | None, after: str | None) -> Difference:
    """Compare two documents (JSON); None is none at all, which allows nothing.

    A Deny that goes is gained, and one that comes is lost, each in the terms of what it denies.

    Raises:
        UnreadablePolicyError: One of them is no policy document.
    """
    old_allows, old_denies = _grants(before)
    new_allows, new_denies = _grants(after)
    return Difference(
        gained=tuple(sorted({*_not_covered(new_allows, old_allows), *_not_covered(old_denies, new_denies)}, key=str)),
        lost=tuple(sorted({*_not_covered(old_allows, new_allows), *_not_covered(new_denies, old_denies)}, key=str)),
    )


def document_of(arguments: Any, unknown: Any) -> str:
    """The document that the data source aws_iam_policy_document makes of its arguments, which have to be known.

    Raises:
        UnreadablePolicyError: They are not, or bring in other documents.
    """
    marks = unknown if isinstance(unknown, dict) else {}
    if not isinstance(arguments, dict) or _any_true(marks.get("statement")):
        raise UnreadablePolicyError("statements that only the apply tells")
    if any(arguments.get(name) or _any_true(marks.get(name)) for name in _OTHER_DOCUMENTS):
        raise UnreadablePolicyError("a document that takes others in")
    return json.dumps({"Statement": [_statement(block) for block in arguments.get("statement") or []]})


_OTHER_DOCUMENTS = ("source_policy_documents", "override_policy_documents")
_ELEMENTS = {"actions": "Action", "not_actions": "NotAction", "resources": "Resource", "not_resources": "NotResource"}
_PRINCIPALS = {"principals": "Principal", "not_principals": "NotPrincipal"}


def _any_true(marks: Any) -> bool:
    if isinstance(marks, dict | list):
        return any(_any_true(mark) for mark in (marks.values() if isinstance(marks, dict) else marks))
    return marks is True


def _statement(block: Mapping[str, Any]) -> dict[str, Any]:
    statement: dict[str, Any] = {"Effect": block.get("effect") or "Allow"}
    statement |= {element: block[name] for name, element in _ELEMENTS.items() if block.get(name)}
    for name, element in _PRINCIPALS.items():
        for each in block.get(name) or []:
            statement.setdefault(element, {}).setdefault(each["type"], []).extend(each["identifiers"])
    for condition in block.get("condition") or []:
        tests = statement.setdefault("Condition", {}).setdefault(condition["test"], {})
        tests[condition["variable"]] = condition["values"]
    return statement


def _grants(document: str | None) -> tuple[set[Grant], set[Grant]]:
    if not document:
        return set(), set()
    try:
        statements = _listed(json.loads(document)["Statement"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise UnreadablePolicyError("no policy document: it has no Statement") from error
    allows: set[Grant] = set()
    denies: set[Grant] = set()
    if len(statements) > _MOST_STATEMENTS:
        raise UnreadablePolicyError(f"a policy document of {len(statements)} statements")
    for statement in statements:
        if not isinstance(statement, dict):
            raise UnreadablePolicyError("no policy document: a statement is no object")
        (denies if statement.get("Effect") == "Deny" else allows).update(_of_statement(statement))
        if len(allows) + len(denies) > _MOST_GRANTS:
            raise UnreadablePolicyError(f"a policy document of more than {_MOST_GRANTS} grants")
    return allows, denies


def _of_statement(statement: Mapping[str, Any]) -> Iterator[Grant]:
    inverted = frozenset(name for name in ("NotAction", "NotResource", "NotPrincipal") if name in statement)
    actions = _listed(statement.get("Action", statement.get("NotAction", [])))
    resources = _listed(statement.get("Resource", statement.get("NotResource", [""])))
    principals = _principals(statement.get("Principal", statement.get("NotPrincipal")))
    conditions = frozenset(
        (str(test), str(key), frozenset(str(value) for value in _listed(values)))
        for test, keys in _items(statement.get("Condition"))
        for key, values in _items(keys)
    )
    if len(actions) * len(resources) * len(principals) > _MOST_GRANTS:
        raise UnreadablePolicyError(f"a policy document of more than {_MOST_GRANTS} grants")
    for action in actions:
        for resource in resources:
            for principal in principals:
                yield Grant(
                    action=str(action),
                    resource=str(resource),
                    principal=principal,
                    conditions=conditions,
                    inverted=inverted,
                )


def _principals(value: Any) -> list[str]:
    """Names as AWS writes them; the kind ("Service", "AWS") says nothing that the name does not."""
    if value is None:
        return [""]
    if isinstance(value, dict):
        return [str(name) for names in value.values() for name in _listed(names)]
    return [str(name) for name in _listed(value)]


def _items(value: Any) -> Iterable[tuple[Any, Any]]:
    return value.items() if isinstance(value, dict) else ()


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _not_covered(grants: set[Grant], others: set[Grant]) -> Iterator[Grant]:
    return (grant for grant in grants - others if not any(other.covers(grant) for other in others))


def _admits(pattern: str, name: str) -> bool:
    """IAM's wildcards: `*` any text, `?` one character. A pattern admits a narrower pattern, taken as text."""
    if pattern == name:
        return True
    if "*" not in pattern and "?" not in pattern:
        return False
    expression = "".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in re.sub(r"\*+", "*", pattern))
    return re.fullmatch(expression, name, re.DOTALL) is not None


def _is_looser(one: tuple[str, str, frozenset[str]], other: tuple[str, str, frozenset[str]]) -> bool:
    """The same test of the same key, with the other's values among its own. A negated test is the other way round."""
    if one[:2] != other[:2]:
        return False
    return one[2] <= other[2] if "Not" in one[0] else one[2] >= other[2]


def _ordered(conditions: Conditions) -> list[tuple[str, str, frozenset[str]]]:
    return sorted(conditions, key=lambda condition: (condition[1], condition[0], sorted(condition[2])))


def _condition_text(condition: tuple[str, str, frozenset[str]]) -> str:
    test, key, values = condition
    return f"{key} {test} {' or '.join(sorted(values))}"
