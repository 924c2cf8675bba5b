"""What a rule is: a function from a plan to effects, and what of the plan it has looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ops.plan_review.change import Action

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ops.plan_review.effect import Effect
    from ops.plan_review.plan import Plan
    from ops.plan_review.values import Path

REPLACED = (Action.DELETE_THEN_CREATE, Action.CREATE_THEN_DELETE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """What a rule has looked at: of these types, these actions, and these attributes where they change.

    An attribute is a dotted path; `*` is any one element, and what lies below is looked at as well. Who returns no
    effect for what it has looked at says that it is safe. What no rule has looked at is not judged, and needs approval.
    """

    types: tuple[str, ...]
    actions: tuple[Action, ...] = ()
    attributes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """A rule of the review."""

    id: str
    judge: Callable[[Plan], Iterable[Effect]]
    looks_at: tuple[Look, ...]


def rule(id_: str, *looks_at: Look) -> Callable[[Callable[[Plan], Iterable[Effect]]], Rule]:
    """Make a rule of a function, which then is that rule: `RULES = (first_rule, second_rule)` ends each module."""

    def make(judge: Callable[[Plan], Iterable[Effect]]) -> Rule:
        return Rule(id=id_, judge=judge, looks_at=looks_at)

    return make


def covers(pattern: str, path: Path) -> bool:
    """Whether a dotted pattern names this path or something above it."""
    wanted = pattern.split(".")
    return len(wanted) <= len(path) and all(want in ("*", got) for want, got in zip(wanted, path, strict=False))
