"""All rules. A module for each concern; each ends with its own RULES.

How to write one: take the Plan, yield an Effect for what hurts, nothing for what does not; declare in `Look` the types,
actions and attributes that the rule decides about, and no more. A test gives it a plan that triggers it and one that
almost does, both made by real Terraform (tests/ops/plan_review/test_rules.py).
"""

from __future__ import annotations

from ops.plan_review.rules import (
    access,
    caching,
    container,
    edge,
    firewall,
    ingest,
    moves,
    network,
    origin,
    playback,
    scaling,
    security_groups,
    service,
    storage,
    targets,
    watching,
)

RULES = (
    *ingest.RULES,
    *targets.RULES,
    *service.RULES,
    *container.RULES,
    *origin.RULES,
    *scaling.RULES,
    *playback.RULES,
    *edge.RULES,
    *firewall.RULES,
    *caching.RULES,
    *security_groups.RULES,
    *network.RULES,
    *storage.RULES,
    *watching.RULES,
    *access.RULES,
    *moves.RULES,
)
