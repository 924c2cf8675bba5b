"""Where streamers come in: the network load balancer, its listeners, its target group."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ops.plan_review.change import Action
from ops.plan_review.effect import Broadcasts, Effect, Urls, Verdict
from ops.plan_review.rule import Look, rule
from ops.plan_review.rules.parts import (
    BETWEEN_SHOWS,
    COMES_OR_GOES,
    balancer_goes,
    ingest_balancers,
    is_ingest_listener,
    is_ingest_target_group,
    members,
    output_stays,
    vpc_goes,
)
from ops.plan_review.values import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ops.plan_review.change import Change
    from ops.plan_review.plan import Plan

_LOOK_BALANCER = Look(
    types=("aws_lb",),
    actions=COMES_OR_GOES,
    attributes=("name", "internal", "load_balancer_type", "region"),
)


@rule("ingest-load-balancer-goes", _LOOK_BALANCER)
def ingest_load_balancer_goes(plan: Plan) -> Iterator[Effect]:
    """A network load balancer's DNS name holds a random part: a new one has a new name, and a new one takes minutes.

    It is replaced for another name, another scheme, for subnets that go, and for its first or its last security group.
    Sources: Elastic Load Balancing, user guide for network load balancers, "Update the security groups" (none can be
    associated later); the provider's `elbv2/load_balancer.go`.
    """
    for change in ingest_balancers(plan):
        if not change.goes:
            continue
        kept = change.replaced and output_stays(plan, "RTMPServerURL")
        back = (
            "Their own domain name stays and follows the new balancer. OBS tries again by itself and gets in once the "
            "new balancer is up, which takes minutes."
            if kept
            else "OBS cannot come back by itself: the server's address is another one, which each has to type."
        )
        yield Effect(
            rule="ingest-load-balancer-goes",
            changes=(change,),
            title=f"The ingest load balancer is {'replaced' if change.replaced else 'deleted'}",
            verdict=Verdict.NEEDS_APPROVAL,
            broadcasts=Broadcasts.ALL_CUT,
            urls=frozenset() if kept else frozenset({Urls.STREAMERS}),
            streamers=f"All are cut. {back}",
            viewers="Every show stops, and its playlist ends after a minute.",
            safe_way=(
                "Keep the old balancer: take back what forces its replacement. If it has to be, give ingest a domain "
                "name first (ingest.domain_name), tell streamers, and apply when nobody is live."
            ),
            shows=change.replace_paths,
        )


def _zones_leave(plan: Plan, change: Change) -> bool:
    after = change.after_at("subnets")
    if after is UNKNOWN:
        gone = {subnet.before_at("id") for subnet in plan.of_type("aws_subnet") if subnet.goes}
        return bool(gone & {*members(change.before_at("subnets"))})
    return bool({*members(change.before_at("subnets"))} - {*members(after)})


@rule("ingest-zone-leaves", Look(types=("aws_lb",), attributes=("subnets", "subnet_mapping")))
def ingest_zone_leaves(plan: Plan) -> Iterator[Effect]:
    """A zone that leaves takes its connections along, also those that came in by another zone to a target in it.

    Source: Elastic Load Balancing, user guide for network load balancers, "Update the Availability Zones" (removing a
    subnet ends its connections, and its targets become unused; the name's time to live is 60 s).
    """
    for change in ingest_balancers(plan):
        if change.action is Action.UPDATE and not vpc_goes(plan) and _zones_leave(plan, change):
            yield Effect(
                rule="ingest-zone-leaves",
                changes=(change, *(subnet for subnet in plan.of_type("aws_subnet") if subnet.goes)),
                title="The ingest load balancer leaves a zone",
                verdict=Verdict.WAIT,
                broadcasts=Broadcasts.CUT_ONCE,
                streamers=(
                    "Those who came in by that zone, or are on a task in it, are cut. OBS reconnects to another zone; "
                    "the old zone's address may be tried for up to a minute."
                ),
                viewers="These shows stall until their streamer is back.",
                safe_way=f"Add a zone at any time; take one away between shows. {BETWEEN_SHOWS}",
                shows=(("subnets",),),
            )


@rule("ingest-security-groups", Look(types=("aws_lb",), attributes=("security_groups",)))
def ingest_security_groups(plan: Plan) -> Iterator[Effect]:
    """Another group guards the balancer. AWS says that changed rules leave tracked connections alone, and not this."""
    for change in ingest_balancers(plan):
        if change.action is Action.UPDATE and change.changed("security_groups") and not vpc_goes(plan):
            yield Effect(
                rule="ingest-security-groups",
                changes=(change,),
                title="The ingest load balancer gets other security groups",
                verdict=Verdict.WAIT,
                broadcasts=Broadcasts.CUT_ONCE,
                streamers=(
                    "The new group may take over before its rules exist: for moments nobody can connect, and health "
                    "checks may fail. Whether running connections stay is not documented."
                ),
                viewers="A show that is cut stalls until its streamer is back.",
                safe_way=f"Change the rules of the group that is there, not the group. {BETWEEN_SHOWS}",
                shows=(("security_groups",),),
            )


@rule("ingest-cross-zone-off", Look(types=("aws_lb",), attributes=("enable_cross_zone_load_balancing",)))
def ingest_cross_zone_off(plan: Plan) -> Iterator[Effect]:
    """A zone may hold no task; then the addresses of that zone lead nowhere."""
    for change in ingest_balancers(plan):
        on, stays = (at("enable_cross_zone_load_balancing") is True for at in (change.before_at, change.after_at))
        if change.action is Action.UPDATE and on and not stays:
            yield Effect(
                rule="ingest-cross-zone-off",
                changes=(change,),
                title="The ingest load balancer no longer crosses zones",
                verdict=Verdict.NEEDS_APPROVAL,
                broadcasts=Broadcasts.CUT_ONCE,
                streamers="Whoever comes by a zone in which no task runs gets no answer, and is cut if live already.",
                viewers="These shows stall until their streamer has found another zone.",
                safe_way="Leave cross-zone load balancing on.",
                shows=(("enable_cross_zone_load_balancing",),),
            )


_LISTENER_BREAKS = ("port", "protocol", "load_balancer_arn")
_PORTS = {"1935": "RTMP", "443": "RTMPS"}


@rule(
    "ingest-listener",
    Look(
        types=("aws_lb_listener",),
        actions=COMES_OR_GOES,
        attributes=(*_LISTENER_BREAKS, "default_action", "region"),
    ),
)
def ingest_listener(plan: Plan) -> Iterator[Effect]:
    """Port and protocol are in the address that OBS has. A listener that is replaced refuses everybody meanwhile."""
    if balancer_goes(plan, ingest=True) or vpc_goes(plan):
        return
    for change in plan.of_type("aws_lb_listener"):
        moved = change.action is Action.UPDATE and any(change.changed(path) for path in ("port", "protocol"))
        if not is_ingest_listener(change) or not (change.goes or moved):
            continue
        port = str(change.before_at("port"))
        what = _PORTS.get(port, f"port {port}")
        back = change.replaced and not change.changed("port")
        yield Effect(
            rule="ingest-listener",
            changes=(change,),
            title=(
                f"The {what} listener is {'replaced' if change.replaced else 'deleted' if change.goes else 'changed'}"
            ),
            verdict=Verdict.NEEDS_APPROVAL,
            broadcasts=Broadcasts.CUT_ONCE if back else Broadcasts.ALL_CUT,
            urls=frozenset() if back else frozenset({Urls.STREAMERS}),
            streamers=(
                "Nobody can connect until the new one is there, and running connections may be cut; OBS tries again."
                if back
                else f"Those who publish by {what} on {port} are cut, and their address works no more."
            ),
            viewers="Shows that are cut stall until their streamer is back.",
            safe_way=(
                "Add a second listener first, tell streamers its address, and take the old one away when none uses it."
            ),
            shows=tuple((path,) for path in ("port", "protocol") if change.changed(path)),
        )


@rule("ingest-tls", Look(types=("aws_lb_listener",), attributes=("certificate_arn", "ssl_policy", "alpn_policy")))
def ingest_tls(plan: Plan) -> Iterator[Effect]:
    """A certificate counts for connections that begin after it. Another TLS policy may shut old encoders out.

    Source: Elastic Load Balancing, user guide for network load balancers, "Update a TLS listener".
    """
    for change in plan.of_type("aws_lb_listener"):
        if change.action is not Action.UPDATE or not is_ingest_listener(change):
            continue
        policy = change.changed("ssl_policy") or change.changed("alpn_policy")
        if not policy and not change.changed("certificate_arn"):
            continue
        yield Effect(
            rule="ingest-tls",
            changes=(change,),
            title="RTMPS gets another TLS policy" if policy else "RTMPS gets another certificate",
            verdict=Verdict.NEEDS_APPROVAL if policy else Verdict.SAFE_NOW,
            streamers=(
                "Nobody is cut. At the next connection an encoder without a protocol or cipher of the "
                "policy is refused."
                if policy
                else "Nobody is cut: running connections keep the old certificate, the next ones get the new one."
            ),
            safe_way=(
                "Ask which encoders publish, and try the oldest against dev first."
                if policy
                else "Now, if it is issued for ingest.domain_name; make deploy looks."
            ),
        )


@rule(
    "ingest-target-group-goes",
    Look(
        types=("aws_lb_target_group",),
        actions=COMES_OR_GOES,
        attributes=("name", "name_prefix", "port", "protocol", "target_type", "vpc_id", "region", "ip_address_type"),
    ),
)
def ingest_target_group_goes(plan: Plan) -> Iterator[Effect]:
    """The new group is made first and the service moves to it.

    What happens to connections by the old one when AWS deletes that is not documented: we count them as cut.
    """
    if balancer_goes(plan, ingest=True) or vpc_goes(plan):
        return
    for change in plan.of_type("aws_lb_target_group"):
        if change.goes and is_ingest_target_group(change):
            services = tuple(each for each in plan.of_type("aws_ecs_service") if each.changed("load_balancer"))
            yield Effect(
                rule="ingest-target-group-goes",
                changes=(change, *services),
                title=f"The target group of ingest is {'replaced' if change.replaced else 'deleted'}",
                verdict=Verdict.WAIT if change.replaced else Verdict.NEEDS_APPROVAL,
                broadcasts=Broadcasts.CUT_ONCE if change.replaced else Broadcasts.ALL_CUT,
                streamers=(
                    "Connections through the old group end when it is deleted, at the end of the apply. OBS reconnects "
                    "and comes to a new task."
                    if change.replaced
                    else "Nobody reaches a task any more."
                ),
                viewers="Each show stalls once, until its streamer is back.",
                safe_way=BETWEEN_SHOWS,
                shows=change.replace_paths,
            )


RULES = (
    ingest_load_balancer_goes,
    ingest_zone_leaves,
    ingest_security_groups,
    ingest_cross_zone_off,
    ingest_listener,
    ingest_tls,
    ingest_target_group_goes,
)
