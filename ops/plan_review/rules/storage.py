"""What keeps things: leases, images, logs, and what watches: alarms."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ops.plan_review.rule import Rule

RULES: tuple[Rule, ...] = ()
