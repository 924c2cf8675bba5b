"""How the origin works: its settings in the container's environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ops.plan_review.rule import Rule

RULES: tuple[Rule, ...] = ()
