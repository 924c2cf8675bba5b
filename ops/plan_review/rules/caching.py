"""What CloudFront keeps, what makes two requests the same, and what it adds to answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ops.plan_review.change import Action
from ops.plan_review.effect import Broadcasts, Effect, Verdict
from ops.plan_review.rule import Look, rule
from ops.plan_review.rules.parts import COMES_OR_GOES, lowered, members, number, raised
from ops.plan_review.values import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ops.plan_review.change import Change
    from ops.plan_review.plan import Plan

_POLICY = ("aws_cloudfront_cache_policy",)
_HEADERS = ("aws_cloudfront_response_headers_policy",)
_DISTRIBUTION = ("aws_cloudfront_distribution",)
_KEY = "parameters_in_cache_key_and_forwarded_to_origin"
_STRINGS = f"{_KEY}.0.query_strings_config.0"
_DIRECTIVES = frozenset({"_HLS_msn", "_HLS_part", "_HLS_skip"})  # RFC 8216bis 6.2.5
_BEHAVIOURS = ("default_cache_behavior", "ordered_cache_behavior")


def _behaviours(change: Change, side: str) -> dict[str, dict[str, Any]]:
    """By path pattern; the default is `*`."""
    at = change.before_at if side == "before" else change.after_at
    ordered, default = at("ordered_cache_behavior"), at("default_cache_behavior.0")
    found = (
        {name: each for name, each in ordered.items() if isinstance(each, dict)} if isinstance(ordered, dict) else {}
    )
    return {**found, **({"*": default} if isinstance(default, dict) else {})}


def _serves(plan: Plan, policy: Change) -> set[str]:
    """The path patterns that a cache policy decides about."""
    return {
        pattern
        for change in plan.of_type(*_DISTRIBUTION)
        for side in ("before", "after")
        for pattern, behaviour in _behaviours(change, side).items()
        if policy.before_at("id") is not None and behaviour.get("cache_policy_id") == policy.before_at("id")
    }


def _is_of_playlists(plan: Plan, policy: Change) -> bool:
    return any(pattern.endswith(".m3u8") for pattern in _serves(plan, policy))


@rule("playlist-ttl", Look(types=_POLICY, attributes=("min_ttl", "default_ttl", "max_ttl")))
def playlist_ttl(plan: Plan) -> Iterator[Effect]:
    """A playlist that is kept for longer than a segment is an old one. Media never change and may be kept for a day."""
    for change in plan.of_type(*_POLICY):
        if change.action is not Action.UPDATE:
            continue
        live = _is_of_playlists(plan, change) or _serves(plan, change) == {"*"}
        longer = [path for path in ("min_ttl", "default_ttl", "max_ttl") if raised(change, path)]
        shorter = [path for path in ("default_ttl", "max_ttl") if lowered(change, path)]
        if live and longer:
            most = number(change.after_at("max_ttl")) or 0
            yield Effect(
                rule="playlist-ttl",
                changes=(change,),
                title=f"Playlists are kept for up to {most:g} s",
                verdict=Verdict.NEEDS_APPROVAL,
                broadcasts=Broadcasts.ALL_CUT
                if (number(change.after_at("min_ttl")) or 0) > 2 or most > 6
                else Broadcasts.NONE,
                viewers="Players get old playlists: more latency, then stalls, and 'stream ended' when one is too old.",
                safe_way="Keep 0 / 1 / 2 s (minimum, default, maximum).",
                shows=tuple((path,) for path in longer),
            )
        elif not live and shorter:
            yield Effect(
                rule="playlist-ttl",
                changes=(change,),
                title="Segments and parts are kept for less time",
                verdict=Verdict.NEEDS_APPROVAL,
                streamers="Tasks send the same parts more often: CPU and traffic grow with the viewers.",
                safe_way="Keep a day: names are unique, so what a name holds never changes.",
                shows=tuple((path,) for path in shorter),
            )


@rule("cache-key", Look(types=_POLICY, attributes=(_KEY,)))
def cache_key(plan: Plan) -> Iterator[Effect]:
    """A delivery directive that is not in the key is not sent to the origin either: it cannot hold the request.

    Sources: CloudFront developer guide, "Control the cache key"; RFC 8216bis 6.2.5.
    """
    for change in plan.of_type(*_POLICY):
        if change.action is not Action.UPDATE:
            continue
        sent = [
            frozenset(members(at(f"{_STRINGS}.query_strings.0.items"))) for at in (change.before_at, change.after_at)
        ]
        every = change.after_at(f"{_STRINGS}.query_string_behavior") == "all"
        dropped = (sent[0] & _DIRECTIVES) - sent[1]
        if dropped and not every:
            yield Effect(
                rule="cache-key",
                changes=(change,),
                title=f"Low-latency HLS breaks: {', '.join(sorted(dropped))} leaves the cache key",
                verdict=Verdict.NEEDS_APPROVAL,
                broadcasts=Broadcasts.ALL_CUT,
                viewers="Low-latency players get a playlist without what they asked for, ask again at once, and stall.",
                safe_way="Keep all three of _HLS_msn, _HLS_part and _HLS_skip.",
                shows=(tuple(_STRINGS.split(".")),),
            )
        elif _more_varied(change):
            yield Effect(
                rule="cache-key",
                changes=(change,),
                title="Fewer viewers share an answer: the cache key has more in it",
                verdict=Verdict.NEEDS_APPROVAL,
                streamers=(
                    "Tasks are asked once for each variant instead of once: CPU and traffic grow with the viewers."
                ),
                viewers="Under load answers get slower.",
                safe_way="Keep headers and cookies out of the key; playlists need only the three delivery directives.",
                shows=((_KEY,),),
            )


def _more_varied(change: Change) -> bool:
    for path in ("headers_config.0.header_behavior", "cookies_config.0.cookie_behavior"):
        behaviour = change.after_at(f"{_KEY}.0.{path}")
        if change.changed(f"{_KEY}.0.{path}") and behaviour != "none":
            return True
    before, after = ({*members(at(f"{_STRINGS}.query_strings.0.items"))} for at in (change.before_at, change.after_at))
    every = change.after_at(f"{_STRINGS}.query_string_behavior") in ("all", "allExcept")
    return bool(after - before - _DIRECTIVES) or (change.changed(f"{_STRINGS}.query_string_behavior") and every)


@rule(
    "cache-policy-goes",
    Look(types=(*_POLICY, *_HEADERS), actions=COMES_OR_GOES, attributes=("name",)),
)
def cache_policy_goes(plan: Plan) -> Iterator[Effect]:
    """AWS refuses to delete a policy that a distribution uses, and a new one of the same name beside it."""
    gone = [change for change in plan.of_type(*_POLICY, *_HEADERS) if change.goes]
    if gone:
        yield Effect(
            rule="cache-policy-goes",
            changes=tuple(gone),
            title="A policy of CloudFront's goes",
            verdict=Verdict.NEEDS_APPROVAL,
            viewers="If the distribution still uses it, AWS refuses and the apply stops half way; nobody notices that.",
            safe_way="Change the policy in place. Take it away when no behaviour uses it any more.",
        )


def _lost(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]], name: str) -> set[str]:
    """The patterns whose behaviour loses something that it had."""
    return {pattern for pattern, each in before.items() if each.get(name) and not (after.get(pattern) or {}).get(name)}


@rule(
    "cors-removed",
    Look(types=_HEADERS, attributes=("cors_config",)),
    Look(types=_DISTRIBUTION, attributes=tuple(f"{each}.*.response_headers_policy_id" for each in _BEHAVIOURS)),
)
def cors_removed(plan: Plan) -> Iterator[Effect]:
    """A browser refuses what it fetched from another site without these headers (Fetch standard, "CORS protocol")."""
    for change in plan.of_type(*_HEADERS):
        if change.action is not Action.UPDATE or not change.changed("cors_config"):
            continue
        gone = []
        for name in ("origins", "methods", "headers"):
            path = f"cors_config.0.access_control_allow_{name}.0.items"
            before, after = ({*members(at(path))} for at in (change.before_at, change.after_at))
            if "*" not in after:
                gone += sorted(str(item) for item in before - after)
        without = not change.after_at("cors_config.0.origin_override")
        if gone or without:
            yield Effect(
                rule="cors-removed",
                changes=(change,),
                title="CORS is taken away" if without else f"CORS no longer admits {', '.join(gone)}",
                verdict=Verdict.NEEDS_APPROVAL,
                broadcasts=Broadcasts.ALL_CUT if without else Broadcasts.NONE,
                viewers="Players on web pages that are not admitted stop within minutes, and cannot start.",
                safe_way="Look which pages embed players, and keep these (viewer.cors_origins).",
                shows=(("cors_config",),),
            )
    for change in plan.of_type(*_DISTRIBUTION):
        if change.action is Action.UPDATE:
            patterns = (
                _lost(_behaviours(change, "before"), _behaviours(change, "after"), "response_headers_policy_id")
                & _behaviours(change, "after").keys()
            )
            if patterns:
                yield Effect(
                    rule="cors-removed",
                    changes=(change,),
                    title=f"{', '.join(sorted(patterns))} are answered without CORS",
                    verdict=Verdict.NEEDS_APPROVAL,
                    broadcasts=Broadcasts.ALL_CUT,
                    viewers="Players on web pages stop within minutes, and cannot start.",
                    safe_way="Keep the response headers policy on every behaviour.",
                )


@rule("security-headers", Look(types=_HEADERS, attributes=("security_headers_config", "custom_headers_config")))
def security_headers(plan: Plan) -> Iterator[Effect]:
    """What makes browsers careful with our answers."""
    for change in plan.of_type(*_HEADERS):
        before, after = (at("security_headers_config.0") or {} for at in (change.before_at, change.after_at))
        gone = sorted(before.keys() - after.keys()) if isinstance(after, dict) else []
        if change.action is Action.UPDATE and gone:
            yield Effect(
                rule="security-headers",
                changes=(change,),
                title=f"Security headers go: {', '.join(gone)}",
                verdict=Verdict.NEEDS_APPROVAL,
                viewers="Nobody notices; browsers are less careful with what they get.",
                safe_way="Keep them: they cost nothing.",
                shows=(("security_headers_config",),),
            )


_OF_BEHAVIOUR = ("allowed_methods", "cached_methods", "viewer_protocol_policy", "compress", "target_origin_id")


@rule(
    "behaviour-changed",
    Look(
        types=_DISTRIBUTION,
        attributes=tuple(
            f"{each}.*.{name}" for each in _BEHAVIOURS for name in (*_OF_BEHAVIOUR, "cache_policy_id", "path_pattern")
        ),
    ),
)
def behaviour_changed(plan: Plan) -> Iterator[Effect]:
    """Which policy serves which path. A pattern that goes leaves its paths to the default, which keeps nothing."""
    for change in plan.of_type(*_DISTRIBUTION):
        if change.action is not Action.UPDATE:
            continue
        before, after = _behaviours(change, "before"), _behaviours(change, "after")
        gone = before.keys() - after.keys()
        other = {
            pattern
            for pattern in before.keys() & after.keys()
            for name in (*_OF_BEHAVIOUR, "cache_policy_id")
            if before[pattern].get(name) != after[pattern].get(name) and after[pattern].get(name) is not UNKNOWN
            if name != "compress"
        }
        if gone or other:
            yield Effect(
                rule="behaviour-changed",
                changes=(change,),
                title=f"CloudFront treats {', '.join(sorted(gone | other))} differently",
                verdict=Verdict.NEEDS_APPROVAL,
                viewers=(
                    "Within minutes these paths follow other rules: kept too long, players stall; not kept, tasks are "
                    "asked by every viewer; without OPTIONS, players on web pages stop."
                ),
                safe_way="Try it in dev with a player on a page of another site, and look at X-Cache and Age.",
            )


RULES = (playlist_ttl, cache_key, cache_policy_goes, cors_removed, security_headers, behaviour_changed)
