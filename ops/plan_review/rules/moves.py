"""The same thing under another address: Terraform deletes and creates what it could have kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ops.plan_review.change import Action
from ops.plan_review.effect import Broadcasts, Effect, Verdict
from ops.plan_review.rule import Look, rule
from ops.plan_review.values import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ops.plan_review.change import Change
    from ops.plan_review.plan import Plan

_ALIKE = 0.8  # of what both say


@rule("renamed-construct", Look(types=()))
def renamed_construct(plan: Plan) -> Iterator[Effect]:
    """A resource goes and one of the same type with the same arguments comes: a construct was moved or renamed.

    Source: CDKTF, "Refactoring", TerraformResource.move_from_id; Terraform, "Refactoring", moved blocks.
    """
    for old, new in _pairs(plan):
        yield Effect(
            rule="renamed-construct",
            changes=(new, old),
            title=f"{old.construct_path} is deleted and made again as {new.construct_path}",
            verdict=Verdict.NEEDS_APPROVAL,
            broadcasts=Broadcasts.NONE,
            streamers="What deleting it does, the other cards say. Moved, nothing happens to it at all.",
            viewers="As for streamers.",
            safe_way=(
                "Call this on the new resource in the construct that makes it, deploy, then take the call out again."
            ),
            paste=f'.move_from_id("{old.address}")',
            shows=(),
        )


def _pairs(plan: Plan) -> Iterator[tuple[Change, Change]]:
    """Each that goes with the one that is most like it, if any is."""
    created: dict[str, list[Change]] = {}
    for change in plan.changes:
        if change.action is Action.CREATE:
            created.setdefault(change.type, []).append(change)
    for old in plan.changes:
        candidates = created.get(old.type, [])
        if old.action is not Action.DELETE or not candidates:
            continue
        best = max(candidates, key=lambda new: _likeness(old, new))
        if _likeness(old, best) >= _ALIKE:
            candidates.remove(best)
            yield old, best


def _likeness(old: Change, new: Change) -> float:
    """The share of the new one's known arguments that the old one has as well."""
    known = {name: value for name, value in _arguments(new.after_view).items() if value is not UNKNOWN}
    before = _arguments(old.before_view)
    return sum(before.get(name) == value for name, value in known.items()) / len(known) if known else 0.0


def _arguments(view: Any) -> dict[str, Any]:
    return view if isinstance(view, dict) else {}


RULES = (renamed_construct,)
