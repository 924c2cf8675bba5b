"""The CloudFront distribution: whom it serves, under which name, how long it waits for the origin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ops.plan_review.change import Action
from ops.plan_review.effect import Broadcasts, Effect, Urls, Verdict
from ops.plan_review.rule import Look, rule
from ops.plan_review.rules.origin import longest_hold_seconds
from ops.plan_review.rules.parts import COMES_OR_GOES, members, number, output_stays

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ops.plan_review.change import Change
    from ops.plan_review.plan import Plan

_TYPE = ("aws_cloudfront_distribution",)
_EDGE_MINUTES = "CloudFront takes some minutes to tell all edges; until then both answers are given."


def _updated(plan: Plan) -> Iterator[Change]:
    return (change for change in plan.of_type(*_TYPE) if change.action is Action.UPDATE)


@rule(
    "distribution-goes",
    Look(
        types=_TYPE, actions=COMES_OR_GOES, attributes=("enabled", "staging", "retain_on_delete", "wait_for_deployment")
    ),
)
def distribution_goes(plan: Plan) -> Iterator[Effect]:
    """A distribution's own name is random: a new one has another, and making one takes minutes."""
    for change in plan.of_type(*_TYPE):
        off = change.action is Action.UPDATE and change.changed("enabled") and change.after_at("enabled") is not True
        if change.goes or off:
            kept = off or (change.replaced and output_stays(plan, "CloudFrontURL"))
            yield Effect(
                rule="distribution-goes",
                changes=(change,),
                title="CloudFront is turned off"
                if off
                else f"CloudFront is {'replaced' if change.replaced else 'deleted'}",
                verdict=Verdict.NEEDS_APPROVAL,
                broadcasts=Broadcasts.ALL_CUT,
                urls=frozenset() if kept else frozenset({Urls.VIEWERS}),
                streamers="They stay connected, and nobody sees them.",
                viewers=(
                    "All lose their shows, "
                    + (
                        "for minutes at least."
                        if kept
                        else "and every page that embeds a player needs the new address."
                    )
                ),
                safe_way=(
                    "Keep the distribution: all of its settings change in place. If it has to be, apply between shows."
                ),
                shows=change.replace_paths or ((("enabled",),) if off else ()),
            )


@rule("viewer-alias", Look(types=_TYPE, attributes=("aliases",)))
def viewer_alias(plan: Plan) -> Iterator[Effect]:
    """A name that the distribution does not know is answered with 403, whatever DNS says.

    Source: CloudFront developer guide, "Use custom URLs by adding alternate domain names".
    """
    for change in _updated(plan):
        gone = {*members(change.before_at("aliases"))} - {*members(change.after_at("aliases"))}
        first = not change.before_at("aliases") and change.after_at("aliases")
        if gone or first:
            yield Effect(
                rule="viewer-alias",
                changes=(change,),
                title=f"Viewers' name {', '.join(sorted(gone))} goes" if gone else "Viewers get a name of their own",
                verdict=Verdict.NEEDS_APPROVAL,
                urls=frozenset({Urls.VIEWERS}),
                viewers=(
                    "Players that use the old name get 403 within minutes, also in the middle of a show."
                    if gone
                    else "Nobody is cut: the name of CloudFront's own goes on working. New links have the new name."
                ),
                safe_way=(
                    "Serve both names for a while: keep the old alias beside the new one until no page uses it."
                    if gone
                    else "Now; tell the backend the new address when the name resolves."
                ),
                shows=(("aliases",),),
            )


@rule("viewer-tls", Look(types=_TYPE, attributes=("viewer_certificate",)))
def viewer_tls(plan: Plan) -> Iterator[Effect]:
    """A certificate that does not cover its aliases is refused; a newer minimum protocol shuts old devices out."""
    for change in _updated(plan):
        protocol = change.changed("viewer_certificate.0.minimum_protocol_version") and not (
            change.before_at("viewer_certificate.0.cloudfront_default_certificate")
            or change.after_at("viewer_certificate.0.cloudfront_default_certificate")
        )
        lost = change.before_at("viewer_certificate.0.acm_certificate_arn") and not change.after_at(
            "viewer_certificate.0.acm_certificate_arn"
        )
        if change.changed("viewer_certificate"):
            yield Effect(
                rule="viewer-tls",
                changes=(change,),
                title=(
                    "Viewers get another TLS minimum"
                    if protocol
                    else "Viewers' own certificate goes"
                    if lost
                    else "Viewers get another certificate"
                ),
                verdict=Verdict.NEEDS_APPROVAL if protocol or lost else Verdict.SAFE_NOW,
                viewers=(
                    "Devices without the new protocol cannot connect any more."
                    if protocol
                    else "Pages that use the own name get a certificate for another one, and refuse it."
                    if lost
                    else "Nobody is cut: connections that begin later get the new certificate."
                ),
                safe_way=(
                    "Look in the access logs which protocols viewers use."
                    if protocol
                    else "Take the name out of pages first."
                    if lost
                    else "Now, if it is issued for viewer.domain_name; make deploy looks."
                ),
                shows=(("viewer_certificate",),),
            )


@rule("http-version", Look(types=_TYPE, attributes=("http_version", "is_ipv6_enabled")))
def http_version(plan: Plan) -> Iterator[Effect]:
    """Low-latency HLS wants HTTP/2: blocked requests would use up a browser's six connections of HTTP/1.1.

    Source: RFC 8216bis, section 6.2.5; CloudFront developer guide, "Supported HTTP versions".
    """
    for change in _updated(plan):
        without_2 = change.changed("http_version") and change.after_at("http_version") in ("http1.1", "http3")
        without_6 = change.before_at("is_ipv6_enabled") is True and change.after_at("is_ipv6_enabled") is not True
        if without_2 or without_6:
            yield Effect(
                rule="http-version",
                changes=(change,),
                title="Viewers lose HTTP/2" if without_2 else "Viewers lose IPv6",
                verdict=Verdict.NEEDS_APPROVAL,
                viewers=(
                    "Low latency breaks: players stall, or fall back to seconds more of delay."
                    if without_2
                    else "Who has IPv6 only cannot watch; AAAA records lead nowhere."
                ),
                safe_way="Keep http2and3 and IPv6.",
            )


@rule(
    "origin-read-timeout",
    Look(
        types=_TYPE,
        attributes=(
            "origin.*.vpc_origin_config.*.origin_read_timeout",
            "origin.*.vpc_origin_config.*.origin_keepalive_timeout",
            "origin.*.response_completion_timeout",
        ),
    ),
    Look(types=("aws_ecs_task_definition",), attributes=("container_definitions.*.environment.SEGMENT_SECONDS",)),
)
def origin_read_timeout(plan: Plan) -> Iterator[Effect]:
    """CloudFront answers 504 when the origin is silent for longer than it holds a playlist request.

    That is up to three target durations. Sources: CloudFront API reference, VpcOriginConfig; RFC 8216bis 6.2.5.2.
    """
    hold = longest_hold_seconds(plan)
    for change in plan.of_type(*_TYPE):
        path = "origin.playback.vpc_origin_config.0.origin_read_timeout"
        waits = number(change.after_at(path))
        matters = change.changed(path) or longest_hold_changed(plan)
        if matters and hold is not None and waits is not None and waits < hold:
            yield Effect(
                rule="origin-read-timeout",
                changes=(change, *(each for each in plan.of_type("aws_ecs_task_definition") if each.replaced)),
                title=f"CloudFront waits {waits:g} s for an origin that may hold a request for {hold:g} s",
                verdict=Verdict.NEEDS_APPROVAL,
                viewers=(
                    "When a streamer drops off for moments, their viewers get 504 instead of waiting, and "
                    "players give up."
                ),
                safe_way=f"Keep origin_read_timeout at {hold:g} s or more (30 s is CloudFront's default).",
                shows=(tuple(path.split(".")),),
            )


def longest_hold_changed(plan: Plan) -> bool:
    """Whether segments get other lengths."""
    path = "container_definitions.RTMPContainer.environment.SEGMENT_SECONDS"
    return any(change.changed(path) for change in plan.of_type("aws_ecs_task_definition"))


@rule(
    "origin-settings",
    Look(
        types=_TYPE,
        attributes=(
            *("origin.*.domain_name", "origin.*.origin_path", "origin.*.connection_attempts"),
            *("origin.*.connection_timeout", "origin.*.origin_shield", "origin.*.vpc_origin_config.*.vpc_origin_id"),
        ),
    ),
)
def origin_settings(plan: Plan) -> Iterator[Effect]:
    """Origin Shield is one cache that asks for all edges. Source: CloudFront developer guide, "Use Origin Shield"."""
    for change in _updated(plan):
        path = "origin.playback.origin_shield.0.enabled"
        if change.before_at(path) is True and change.after_at(path) is not True:
            yield Effect(
                rule="origin-settings",
                changes=(change,),
                title="Origin Shield is turned off",
                verdict=Verdict.NEEDS_APPROVAL,
                streamers="Tasks answer every edge instead of one cache: shows with many viewers cost them CPU.",
                viewers="With many edges, answers get slower under load.",
                safe_way="Keep Origin Shield on; its region may change at any time.",
                shows=(("origin", "playback", "origin_shield"),),
            )


_RANK = {"PriceClass_100": 1, "PriceClass_200": 2, "PriceClass_All": 3}
# By the beginning of a region's name; what is not named needs all edges. Source: CloudFront pricing, "Price classes".
_CLASS_OF_REGION = {
    "us": 1,
    "ca": 1,
    "eu": 1,
    "il": 1,
    "ap-northeast": 2,
    "ap-east": 2,
    "ap-south-": 2,
    "ap-southeast-1": 2,
    "ap-southeast-3": 2,
    "af": 2,
    "me": 2,
}


def _needed_class(region: str) -> int:
    found = [rank for start, rank in _CLASS_OF_REGION.items() if region.startswith(start)]
    return max(found, default=3)


@rule("price-class", Look(types=_TYPE, attributes=("price_class",)))
def price_class(plan: Plan) -> Iterator[Effect]:
    """Which edges serve. We take the audience to be where the stack is."""
    for change in _updated(plan):
        before, after = (_RANK.get(str(at("price_class")), 0) for at in (change.before_at, change.after_at))
        if after >= before:
            continue
        home = after < _needed_class(plan.region or "")
        yield Effect(
            rule="price-class",
            changes=(change,),
            title=f"Fewer edges: {change.after_at('price_class')} instead of {change.before_at('price_class')}",
            verdict=Verdict.NEEDS_APPROVAL if home else Verdict.SAFE_NOW,
            viewers=(
                f"Viewers near {plan.region or 'the stack'} are served from another continent: more "
                "latency, and stalls."
                if home
                else "Viewers outside of the class are served from edges farther away: more latency for them."
            ),
            safe_way="Take a class that has edges where viewers are (docs/environments.md)." if home else "Now.",
            shows=(("price_class",),),
        )


@rule("viewers-excluded", Look(types=_TYPE, attributes=("restrictions",)))
def viewers_excluded(plan: Plan) -> Iterator[Effect]:
    """Whole countries get 403."""
    for change in _updated(plan):
        kind: Any = change.after_at("restrictions.0.geo_restriction.0.restriction_type")
        if change.changed("restrictions") and kind != "none":
            yield Effect(
                rule="viewers-excluded",
                changes=(change,),
                title="Viewers of some countries are excluded",
                verdict=Verdict.NEEDS_APPROVAL,
                viewers="Who is excluded loses the show within minutes, and gets 403.",
                safe_way=f"Agree on the list first. {_EDGE_MINUTES}",
                shows=(("restrictions",),),
            )


@rule("error-caching", Look(types=_TYPE, attributes=("custom_error_response",)))
def error_caching(plan: Plan) -> Iterator[Effect]:
    """At the start of a show, and after a reconnect, "not found" is true for a moment only.

    Source: CloudFront developer guide, "How CloudFront caches errors" (ten seconds where nothing is said).
    """
    for change in _updated(plan):
        before, after = (at("custom_error_response") or {} for at in (change.before_at, change.after_at))
        longer = sorted(
            code
            for code, response in before.items()
            if (number((after.get(code) or {}).get("error_caching_min_ttl")) or (10 if code not in after else 0))
            > (number(response.get("error_caching_min_ttl")) or 0)
        )
        other = sorted(code for code, response in after.items() if response.get("response_code"))
        if longer or (other and change.changed("custom_error_response")):
            yield Effect(
                rule="error-caching",
                changes=(change,),
                title=f"Errors are kept for longer: {', '.join(longer)}" if longer else "Errors get other answers",
                verdict=Verdict.NEEDS_APPROVAL,
                viewers="Who asks a moment too early sees an error for as long, with everybody behind the same edge.",
                safe_way="Keep 1 s for what is true for a moment, and 0 for 400.",
                shows=(("custom_error_response",),),
            )


RULES = (
    distribution_goes,
    viewer_alias,
    viewer_tls,
    http_version,
    origin_read_timeout,
    origin_settings,
    price_class,
    viewers_excluded,
    error_caching,
)
