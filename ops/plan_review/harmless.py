"""What may change without anybody noticing, each with its reason."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from ops.plan_review.change import Action
from ops.plan_review.rule import covers

if TYPE_CHECKING:
    from ops.plan_review.values import Path

# Of any type.
ATTRIBUTES = {
    "tags": "names and costs are sorted by them; nothing here is found by a tag",
    "tags_all": "tags, with the provider's default tags",
    "description": "words for people",
    "comment": "words for people",
}

# Of one type: dotted patterns as in Look.attributes.
ATTRIBUTES_OF_TYPE: dict[str, dict[str, str]] = {
    "aws_cloudwatch_dashboard": {"dashboard_body": "a picture for people"},
}

# An action on a type that can hurt nobody.
ACTIONS_ON_TYPE: dict[tuple[str, Action], str] = {
    ("aws_cloudwatch_dashboard", Action.CREATE): "a picture for people",
}


@lru_cache(maxsize=100_000)
def is_harmless(type_: str, path: Path) -> bool:
    """Whether a change of this attribute can be left out of sight."""
    return path[0] in ATTRIBUTES or any(covers(pattern, path) for pattern in ATTRIBUTES_OF_TYPE.get(type_, ()))
