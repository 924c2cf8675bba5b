"""Rules on a plan: their effects, and what none of them has looked at."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from ops.plan_review import harmless
from ops.plan_review.change import Action, Change
from ops.plan_review.effect import Verdict
from ops.plan_review.rule import Rule, covers
from ops.plan_review.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ops.plan_review.effect import Effect
    from ops.plan_review.plan import Plan
    from ops.plan_review.values import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class NotJudged:
    """Something that no rule has looked at."""

    change: Change | None  # None: of the plan as a whole
    what: str
    paths: tuple[Path, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """What all rules say of one plan."""

    plan: Plan
    effects: tuple[Effect, ...]  # worst first
    not_judged: tuple[NotJudged, ...]
    noise: int  # attributes that changed and are harmless by nature
    harmless_only: frozenset[str]  # addresses of changes that are nothing but noise


def judge(plan: Plan, rules: Sequence[Rule] = RULES) -> Judgement:
    """What the rules say of a plan."""
    effects = [effect for rule in rules for effect in rule.judge(plan)]
    effects.sort(key=lambda effect: effect.severity)
    looked = _Looked(rules)
    not_judged = [NotJudged(change=None, what=f"part of the plan: {part}") for part in plan.not_understood]
    # What is made where nothing is can hurt nobody, whatever it is.
    made = {Action.CREATE} if plan.is_new else set()
    not_judged += [entry for change in plan.changes if change.action not in made for entry in looked.not_judged(change)]
    counts = {change.address: looked.noise(change) for change in plan.changes}
    return Judgement(
        plan=plan,
        effects=tuple(effects),
        not_judged=tuple(not_judged),
        noise=sum(counts.values()),
        harmless_only=frozenset(
            change.address
            for change in plan.changes
            if change.action is Action.UPDATE and len(change.differences) == counts[change.address]
        ),
    )


def verdict(judgement: Judgement) -> Verdict:
    """The worst of it all."""
    if judgement.not_judged:
        return Verdict.NEEDS_APPROVAL
    return max((effect.verdict for effect in judgement.effects), default=Verdict.SAFE_NOW)


class _Looked:
    """What a set of rules, and the tables of what is harmless, have looked at."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._actions = set(harmless.ACTIONS_ON_TYPE)
        self._attributes: dict[str, list[str]] = {}
        self._types = {type_ for type_, _ in harmless.ACTIONS_ON_TYPE}
        for look in (look for rule in rules for look in rule.looks_at):
            for type_ in look.types:
                self._types.add(type_)
                self._actions.update((type_, action) for action in look.actions)
                self._attributes.setdefault(type_, []).extend(look.attributes)
        self._covered = lru_cache(maxsize=None)(self._is_covered)

    def not_judged(self, change: Change) -> list[NotJudged]:
        if change.action in (Action.NO_OP, Action.READ):
            return []
        if change.action is Action.OTHER:
            return [NotJudged(change=change, what=f"action {'+'.join(change.raw_actions)}")]
        if change.type not in self._types:
            changed = tuple(d.path for d in change.differences if change.action is Action.UPDATE)
            return [NotJudged(change=change, what=f"{change.action} of a type that no rule knows", paths=changed)]
        entries = []
        if change.action is not Action.UPDATE and (change.type, change.action) not in self._actions:
            entries.append(NotJudged(change=change, what=f"{change.action} of {change.type}"))
        if change.action is Action.UPDATE or change.replaced:
            paths = [
                difference.path
                for difference in change.differences
                if not self._covered(change.type, difference.path)
                and not harmless.is_harmless(change.type, difference.path)
            ]
            if paths:
                entries.append(NotJudged(change=change, what="attributes", paths=tuple(paths)))
        return entries

    def noise(self, change: Change) -> int:
        if change.action is not Action.UPDATE:
            return 0
        return sum(harmless.is_harmless(change.type, difference.path) for difference in change.differences)

    def _is_covered(self, type_: str, path: Path) -> bool:
        return any(covers(pattern, path) for pattern in self._attributes.get(type_, ()))
