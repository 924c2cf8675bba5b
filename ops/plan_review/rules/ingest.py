"""Where streamers come in: the network load balancer, its listeners and target group."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ops.plan_review.change import Action
from ops.plan_review.effect import Broadcasts, Effect, Urls, Verdict
from ops.plan_review.rule import REPLACED, Look, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ops.plan_review.plan import Plan


@rule(
    "ingest-load-balancer-goes",
    Look(
        types=("aws_lb",),
        actions=(Action.CREATE, Action.DELETE, *REPLACED),
        attributes=("name", "internal", "load_balancer_type", "subnets", "security_groups"),
    ),
)
def ingest_load_balancer_goes(plan: Plan) -> Iterator[Effect]:
    """A network load balancer's DNS name holds a random part: a new one has a new name."""
    for change in plan.of_type("aws_lb"):
        if not change.goes or change.before_at("load_balancer_type") != "network":
            continue
        yield Effect(
            rule="ingest-load-balancer-goes",
            changes=(change,),
            title="The ingest load balancer is replaced" if change.replaced else "The ingest load balancer is deleted",
            verdict=Verdict.NEEDS_APPROVAL,
            broadcasts=Broadcasts.ALL_CUT,
            urls=frozenset({Urls.STREAMERS}),
            streamers="All are cut, and OBS cannot come back by itself: the server's address is another one.",
            viewers="Every show stops until its streamer has typed the new address into OBS.",
            safe_way=(
                "Leave it as it is. If it must be: give ingest a domain name of its own first (ingest.domain_name), so "
                "that the address stays, and apply between shows."
            ),
        )


RULES = (ingest_load_balancer_goes,)
