"""The review as JSON, for other programs. Its fields: docs/plan-review.md."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ops.plan_review import words
from ops.plan_review.text import short, shown
from ops.plan_review.values import Difference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ops.plan_review.change import Change
    from ops.plan_review.review import Review

SCHEMA_VERSION = 1
_VALUE_CHARACTERS = 1000


def json_text(reviews: Sequence[Review]) -> str:
    verdict = max((review.verdict for review in reviews), default=0)
    document = {
        "schema_version": SCHEMA_VERSION,
        "safe": not verdict,
        "environments": [_environment(review) for review in reviews],
    }
    return json.dumps(document, indent=2) + "\n"


def _environment(review: Review) -> dict[str, Any]:
    return {
        "environment": review.environment,
        "verdict": words.VERDICTS[review.verdict],
        "broadcasts_cut": words.BROADCASTS[review.broadcasts],
        "urls_that_change": sorted(review.urls),
        "cost": review.cost,
        "counts": review.counts,
        "effects": [
            {
                "rule": effect.rule,
                "title": effect.title,
                "verdict": words.VERDICTS[effect.verdict],
                "broadcasts_cut": words.BROADCASTS[effect.broadcasts],
                "urls_that_change": sorted(effect.urls),
                "changes": [_change(change) for change in effect.changes],
                "streamers": effect.streamers,
                "viewers": effect.viewers,
                "safe_way": effect.safe_way,
                "paste": effect.paste,
            }
            for effect in review.effects
        ],
        "not_judged": [
            {
                "address": entry.change.address if entry.change is not None else None,
                "what": entry.what,
                "attributes": [".".join(path) for path in entry.paths],
            }
            for entry in review.not_judged
        ],
        "outputs": [
            _difference(Difference((output.name,), output.before, output.after)) for output in review.output_changes
        ],
        "new_findings": [finding.model_dump() for finding in review.new_findings],
        "drift": [_change(change) for change in review.drift],
        "other_changes": [_change(change) for change in review.others],
        "noise": review.noise,
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        "address": change.address,
        "construct_path": change.construct_path,
        "action": change.action.value,
        "forced_by": list(change.forced_by),
        "moved_from": change.moved_from,
        "imported": change.imported,
        "differences": [_difference(difference) for difference in change.differences] if _in_place(change) else [],
    }


def _in_place(change: Change) -> bool:
    return change.before is not None and change.after is not None


def _difference(difference: Difference) -> dict[str, str]:
    """Values as text: a secret is "(sensitive)", what the apply tells "(known after apply)"."""
    return {
        "path": difference.name,
        "before": short(shown(difference.before), _VALUE_CHARACTERS),
        "after": short(shown(difference.after), _VALUE_CHARACTERS),
    }
