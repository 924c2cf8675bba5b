"""From CloudFront to the tasks: VPC origin, playback load balancer, its listener and rule; and the names in DNS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ops.plan_review.change import Action
from ops.plan_review.effect import Broadcasts, Effect, Urls, Verdict
from ops.plan_review.rule import Look, rule
from ops.plan_review.rules.origin import longest_hold_seconds
from ops.plan_review.rules.parts import (
    BETWEEN_SHOWS,
    COMES_OR_GOES,
    balancer_goes,
    either,
    is_ingest_listener,
    is_ingest_target_group,
    members,
    number,
    playback_balancers,
    vpc_goes,
)
from ops.plan_review.values import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ops.plan_review.change import Change
    from ops.plan_review.plan import Plan


@rule("playback-load-balancer-goes", Look(types=("aws_lb",), actions=COMES_OR_GOES))
def playback_load_balancer_goes(plan: Plan) -> Iterator[Effect]:
    """A new balancer brings a target group, a rule and a VPC origin; the service deploys once more (docs/adr/0018)."""
    for change in playback_balancers(plan):
        if change.goes and not vpc_goes(plan):
            beside = change.action is Action.CREATE_THEN_DELETE
            yield Effect(
                rule="playback-load-balancer-goes",
                changes=(change, *(each for each in plan.of_type("aws_ecs_service") if each.changed("load_balancer"))),
                title=f"The playback load balancer is {'replaced' if change.replaced else 'deleted'}",
                verdict=Verdict.WAIT if beside else Verdict.NEEDS_APPROVAL,
                broadcasts=Broadcasts.CUT_ONCE if beside else Broadcasts.ALL_CUT,
                streamers="They stay connected.",
                viewers=(
                    "The new one takes over before the old one goes, but old tasks are in the old target group only: "
                    "shows that run now are lost when it is deleted."
                    if beside
                    else "All lose their shows until balancer, VPC origin and CloudFront are new: half an hour."
                ),
                safe_way=f"It takes half an hour. Give it a new name, or AWS refuses the second one. {BETWEEN_SHOWS}",
                shows=change.replace_paths,
            )


@rule(
    "playback-load-balancer-settings",
    Look(
        types=("aws_lb",),
        attributes=(
            *("idle_timeout", "client_keep_alive", "security_groups", "subnets", "ip_address_type"),
            *("drop_invalid_header_fields", "xff_header_processing_mode", "desync_mitigation_mode"),
        ),
    ),
)
def playback_load_balancer_settings(plan: Plan) -> Iterator[Effect]:
    """An idle time-out below the longest hold ends requests that the origin is still holding."""
    hold = longest_hold_seconds(plan) or 18
    for change in playback_balancers(plan):
        if change.action is not Action.UPDATE or vpc_goes(plan):
            continue
        idle = number(change.after_at("idle_timeout"))
        short = change.changed("idle_timeout") and idle is not None and idle <= max(hold, 60)
        groups = change.changed("security_groups")
        subnets = change.after_at("subnets")
        fewer = subnets is not UNKNOWN and {*members(change.before_at("subnets"))} - {*members(subnets)}
        if short or groups or fewer:
            yield Effect(
                rule="playback-load-balancer-settings",
                changes=(change,),
                title=(
                    f"The playback load balancer ends requests after {idle:g} s"
                    if short
                    else "The playback load balancer gets other security groups"
                    if groups
                    else "The playback load balancer leaves a zone"
                ),
                verdict=Verdict.NEEDS_APPROVAL if short else Verdict.WAIT,
                viewers=(
                    "CloudFront keeps connections for 60 s, and the origin requests for up to "
                    f"{hold:g} s: some get 502 or 504."
                    if short
                    else "Requests fail for moments: players ask again, some stall."
                ),
                safe_way="Keep 75 s." if short else BETWEEN_SHOWS,
            )


@rule(
    "vpc-origin",
    Look(
        types=("aws_cloudfront_vpc_origin",),
        actions=COMES_OR_GOES,
        attributes=("vpc_origin_endpoint_config", "timeouts"),
    ),
    Look(types=("terraform_data",), actions=COMES_OR_GOES, attributes=("input", "triggers_replace")),
)
def vpc_origin(plan: Plan) -> Iterator[Effect]:
    """AWS refuses to change or delete one that a distribution uses. A new one first is the way (docs/adr/0018).

    Source: CloudFront developer guide, "Restrict access with VPC origins".
    """
    for change in plan.of_type("aws_cloudfront_vpc_origin"):
        in_place = change.action is Action.UPDATE and (
            change.changed("vpc_origin_endpoint_config") or change.changed("tags") or change.changed("tags_all")
        )
        if change.action is Action.CREATE_THEN_DELETE:
            if not balancer_goes(plan, ingest=False) and not vpc_goes(plan):
                yield Effect(
                    rule="vpc-origin",
                    changes=(change, *plan.of_type("aws_cloudfront_distribution")),
                    title="CloudFront reaches the tasks by a new VPC origin",
                    verdict=Verdict.SAFE_NOW,
                    viewers="Nothing is lost: the new one is there before CloudFront moves, and the old one goes last.",
                    safe_way="Now; the apply takes up to 40 minutes, and must not be broken off.",
                    shows=change.replace_paths,
                )
        elif in_place or change.goes:
            yield Effect(
                rule="vpc-origin",
                changes=(change,),
                title="AWS refuses this change of the VPC origin",
                verdict=Verdict.NEEDS_APPROVAL,
                broadcasts=Broadcasts.ALL_CUT if change.goes else Broadcasts.NONE,
                viewers=(
                    "The apply stops half way, with 409, while CloudFront uses the origin."
                    if in_place
                    else "The old origin goes first: AWS refuses while CloudFront uses it; if not, all shows stop."
                ),
                safe_way="Let a new one take over (create_before_destroy, and a name that follows what changes).",
                shows=(("vpc_origin_endpoint_config",),) if in_place else change.replace_paths,
            )


def _gone(change: Change, path: str) -> bool:
    return bool({*members(change.before_at(path))} - {*members(change.after_at(path))})


@rule(
    "playback-listener",
    Look(types=("aws_lb_listener",), actions=COMES_OR_GOES, attributes=("port", "protocol", "default_action")),
    Look(
        types=("aws_lb_listener_rule",),
        actions=COMES_OR_GOES,
        attributes=("condition", "action", "priority", "listener_arn", "region"),
    ),
    Look(types=("aws_lb_target_group",), actions=COMES_OR_GOES, attributes=("load_balancing_algorithm_type",)),
)
def playback_listener(plan: Plan) -> Iterator[Effect]:
    """What the balancer forwards. Everything else is 404."""
    if balancer_goes(plan, ingest=False) or vpc_goes(plan):
        return
    listeners = [each for each in plan.of_type("aws_lb_listener") if not is_ingest_listener(each)]
    rules = list(plan.of_type("aws_lb_listener_rule"))
    groups = [each for each in plan.of_type("aws_lb_target_group") if each.goes and not is_ingest_target_group(each)]
    found = [each for each in (*listeners, *rules) if each.goes]
    found += [
        each
        for each in listeners
        if each.action is Action.UPDATE and (each.changed("port") or each.changed("protocol"))
    ]
    found += [
        each for each in rules if each.action is Action.UPDATE and _gone(each, "condition.0.path_pattern.0.values")
    ]
    found += groups
    if found:
        only_group = found == groups and all(each.replaced for each in groups)
        yield Effect(
            rule="playback-listener",
            changes=tuple(dict.fromkeys(found)),
            title=(
                "The target group of playback is replaced" if only_group else "The playback load balancer forwards less"
            ),
            verdict=Verdict.WAIT if only_group else Verdict.NEEDS_APPROVAL,
            broadcasts=Broadcasts.CUT_ONCE if only_group else Broadcasts.ALL_CUT,
            viewers=(
                "Tasks with shows stay in the old group, which nobody asks any more: shows that run now get 404 or 503."
                if only_group
                else "Requests get 404, or no answer, at once."
            ),
            safe_way=BETWEEN_SHOWS,
        )


def _record_of(plan: Plan, record: Change) -> str:
    """Whose name a record is: CloudFront serves by the viewers' one."""
    aliases = {
        name
        for change in plan.of_type("aws_cloudfront_distribution")
        for at in (change.before_at, change.after_at)
        for name in members(at("aliases"))
    }
    return "viewers" if either(record, "name") in aliases else "streamers"


@rule(
    "dns-record",
    Look(
        types=("aws_route53_record",),
        actions=COMES_OR_GOES,
        attributes=("name", "type", "zone_id", "alias", "set_identifier", "ttl", "records", "allow_overwrite"),
    ),
)
def dns_record(plan: Plan) -> Iterator[Effect]:
    """A name that goes is found for about a minute more. A record that follows its target is what it is there for.

    Source: Route 53 developer guide, "Choosing between alias and non-alias records" (the target's time to live, 60 s
    for load balancers and CloudFront).
    """
    gone = {
        whose: [
            each
            for each in plan.of_type("aws_route53_record")
            if (each.goes or (each.action is Action.UPDATE and each.changed("type")))
            and _record_of(plan, each) == whose
        ]
        for whose in ("streamers", "viewers")
    }
    for whose, records in gone.items():
        if not records:
            continue
        name = records[0].before_at("name")
        streamers = whose == "streamers"
        yield Effect(
            rule="dns-record",
            changes=tuple(records),
            title=f"The {whose}' name {name} goes"
            if records[0].changed("name")
            else f"The record of {name} is made anew",
            verdict=Verdict.NEEDS_APPROVAL,
            urls=frozenset({Urls.STREAMERS if streamers else Urls.VIEWERS}),
            streamers=(
                "Live shows go on. Who reconnects after about a minute does not find the server under its old name."
                if streamers
                else "Nothing changes."
            ),
            viewers=(
                "Nothing changes."
                if streamers
                else "Players do not find the old name any more within minutes, and stop."
            ),
            safe_way="Serve both names for a while: keep the old record until nobody uses it.",
            shows=records[0].replace_paths,
        )


RULES = (
    playback_load_balancer_goes,
    playback_load_balancer_settings,
    vpc_origin,
    playback_listener,
    dns_record,
)
