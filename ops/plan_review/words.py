"""The words that all renderings share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ops.plan_review.change import Action
from ops.plan_review.effect import Broadcasts, Verdict
from ops.plan_review.harmless import is_harmless
from ops.plan_review.text import difference_lines

if TYPE_CHECKING:
    from ops.plan_review.change import Change
    from ops.plan_review.effect import Effect
    from ops.plan_review.judging import NotJudged
    from ops.plan_review.review import Review
    from ops.plan_review.values import Difference

BROADCASTS = {
    Broadcasts.NONE: "none",
    Broadcasts.CUT_ONCE: "once, up to 120 s",
    Broadcasts.ALL_CUT: "all",
}
VERDICTS = {
    Verdict.SAFE_NOW: "safe now",
    Verdict.WAIT: "wait for the end of shows",
    Verdict.NEEDS_APPROVAL: "needs approval",
}
SIGNS = {
    Action.CREATE: "+",
    Action.UPDATE: "~",
    Action.DELETE_THEN_CREATE: "-/+",
    Action.CREATE_THEN_DELETE: "+/-",
    Action.DELETE: "-",
    Action.FORGET: "forget",
}
_MOST_LINES = 24  # of differences, in one card
_MOST_NAMES = 6


def urls(review: Review) -> str:
    return " and ".join(sorted(review.urls)) or "none"


def cost(review: Review) -> str:
    return review.cost or "unknown"


def sign(change: Change) -> str:
    return SIGNS.get(change.action, "?" if change.action is Action.OTHER else "=")


def shown_differences(effect: Effect) -> list[str]:
    """Before and after, of what the rule wants to be seen, or of all that differs in place."""
    change = effect.changes[0]
    if effect.shows:
        chosen = [d for d in change.differences if any(d.path[: len(path)] == path for path in effect.shows)]
    elif change.action is Action.UPDATE:
        chosen = list(change.differences)
    else:
        forced = change.replace_paths
        # What forced it, then what else differs; a resource that comes or goes as a whole has no difference to show.
        chosen = [d for d in change.differences if change.replaced]
        chosen.sort(key=lambda difference: difference.path[:1] not in {path[:1] for path in forced})
    return bounded_lines([d for d in chosen if not is_harmless(change.type, d.path)])


def bounded_lines(chosen: list[Difference]) -> list[str]:
    lines = [line for difference in chosen[:_MOST_LINES] for line in difference_lines(difference)]
    if len(lines) > _MOST_LINES or len(chosen) > _MOST_LINES:
        rest = len(lines) - _MOST_LINES + max(len(chosen) - _MOST_LINES, 0)
        lines = [*lines[:_MOST_LINES], f"  … {rest} more"]
    return lines


def changed_names(change: Change) -> str:
    """The names of what differs in place, shortened."""
    if change.action is not Action.UPDATE:
        return ", ".join(change.forced_by)
    names = [difference.name for difference in change.differences]
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more


def not_judged_lines(entry: NotJudged) -> list[str]:
    """Before and after, of the attributes that nobody has looked at."""
    if entry.change is None or not entry.paths:
        return []
    wanted = set(entry.paths)
    return bounded_lines([difference for difference in entry.change.differences if difference.path in wanted])


def plural(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"
