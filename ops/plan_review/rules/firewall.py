"""The firewall in front of CloudFront (viewer.waf).

Source: AWS WAF developer guide, "Rate-based rule statement": requests of one address, over the evaluation window.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ops.plan_review.change import Action
from ops.plan_review.effect import Effect, Verdict
from ops.plan_review.rule import Look, rule
from ops.plan_review.rules.parts import COMES_OR_GOES, lowered, number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ops.plan_review.plan import Plan

_LIMIT = "rule.RateLimit.statement.0.rate_based_statement.0.limit"
_SIX_A_SECOND = 1800  # requests of one low-latency viewer in five minutes (docs/environments.md)


@rule(
    "firewall",
    Look(
        types=("aws_wafv2_web_acl",),
        actions=COMES_OR_GOES,
        attributes=("name", "scope", "default_action", "rule", "visibility_config", "region"),
    ),
    Look(types=("aws_wafv2_web_acl_logging_configuration",), actions=COMES_OR_GOES, attributes=("*",)),
    Look(types=("aws_cloudfront_distribution",), attributes=("web_acl_id",)),
)
def firewall(plan: Plan) -> Iterator[Effect]:
    """Viewers behind one address (a company, a mobile network) count as one: a low limit shuts all of them out."""
    if plan.is_new:
        return
    for change in plan.of_type("aws_wafv2_web_acl"):
        if change.action is Action.DELETE:
            yield Effect(
                rule="firewall",
                changes=(change,),
                title="The firewall goes",
                verdict=Verdict.NEEDS_APPROVAL,
                viewers="Nothing changes. Who asks without end is limited by nothing but CloudFront.",
                safe_way="Say what it was there for, and what limits that now.",
            )
        elif change.action is not Action.NO_OP and change.changed("rule"):
            limit = number(change.after_at(_LIMIT))
            viewers = (
                f"about {limit / _SIX_A_SECOND:.0f} low-latency viewers" if limit else "an unknown number of viewers"
            )
            tighter = change.before is None or lowered(change, _LIMIT)
            other = any(difference.name != _LIMIT for difference in change.differences if difference.path[0] == "rule")
            yield Effect(
                rule="firewall",
                changes=(change,),
                title=f"The firewall blocks an address after {limit:,.0f} requests"
                if limit
                else "The firewall changes",
                verdict=Verdict.NEEDS_APPROVAL if tighter or other else Verdict.SAFE_NOW,
                viewers=f"That is {viewers} behind one address at once; more are refused, and their players stop.",
                safe_way=(
                    "Count for a day first (action count), and look how many requests the busiest address makes."
                    if tighter or other
                    else "Now."
                ),
                shows=tuple((path,) for path in ("rule",)),
            )


RULES = (firewall,)
