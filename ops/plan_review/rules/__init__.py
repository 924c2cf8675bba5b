"""All rules. A module for each concern; each ends with its own RULES.

How to write one: take the Plan, yield an Effect for what hurts, nothing for what does not; declare in `Look` the types,
actions and attributes that the rule decides about, and no more. A test gives it a plan that triggers it and one that
almost does, both made by real Terraform (tests/ops/plan_review/terraform_plans.py).
"""

from __future__ import annotations

from ops.plan_review.rules import access, edge, ingest, network, origin, service, storage

RULES = (
    *ingest.RULES,
    *service.RULES,
    *origin.RULES,
    *edge.RULES,
    *network.RULES,
    *storage.RULES,
    *access.RULES,
)
