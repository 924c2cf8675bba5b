"""The origin's settings, in the container's environment: where it asks, what it makes of a show, how many it takes.

They count for tasks that start anew; a running show keeps what it began with.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ops.plan_review.effect import Effect, Verdict
from ops.plan_review.rule import Look, rule
from ops.plan_review.rules.parts import number, setting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ops.plan_review.change import Change
    from ops.plan_review.plan import Plan

_ENVIRONMENT = "container_definitions.*.environment."
_BLOCKED_TARGET_DURATIONS = 3  # RFC 8216bis 6.2.5.2; container/origin/delivery.py
_PARTS_HELD_BACK = 3  # RFC 8216bis 4.4.3.8; container/origin/playlists.py


def longest_hold_seconds(plan: Plan) -> float | None:
    """The longest that the origin keeps a playlist request open: three target durations."""
    segment = number(setting(plan, "SEGMENT_SECONDS"))
    return None if segment is None else _BLOCKED_TARGET_DURATIONS * math.ceil(segment)


def _look(*names: str) -> Look:
    return Look(types=("aws_ecs_task_definition",), attributes=tuple(_ENVIRONMENT + name for name in names))


def _both(plan: Plan, name: str) -> tuple[Any, Any]:
    return setting(plan, name, "before"), setting(plan, name, "after")


def _definition(plan: Plan, *names: str) -> tuple[Change, tuple[tuple[str, ...], ...]] | None:
    """The definition in which these settings change from one value to another, and where; None if they do not."""
    for change in plan.of_type("aws_ecs_task_definition"):
        if change.before is not None and change.after is not None:
            paths = tuple(path for path in (each.path for each in change.differences) if path[3:] and path[3] in names)
            if paths:
                return change, paths
    return None


@rule("backend-url", _look("BACKEND_URL"))
def backend_url(plan: Plan) -> Iterator[Effect]:
    """Who is asked about stream keys (docs/backend.md)."""
    found = _definition(plan, "BACKEND_URL")
    if found:
        yield Effect(
            rule="backend-url",
            changes=(found[0],),
            title="New tasks ask another backend about stream keys",
            verdict=Verdict.NEEDS_APPROVAL,
            streamers=(
                "Nobody is cut. If the new backend does not answer as agreed within 3 s, or does not "
                "know the keys, each "
                "new publisher is refused."
            ),
            viewers="If it gives other playback ids, new shows are at other addresses.",
            safe_way=(
                "Ask the new backend about a known key from the VPC first, then publish a test show after the deploy."
            ),
            shows=found[1],
        )


@rule("leases-elsewhere", _look("LEASES_TABLE"))
def leases_elsewhere(plan: Plan) -> Iterator[Effect]:
    """Tasks find each other's streams in one table; with two, each half does not know of the other (docs/adr/0008)."""
    found = _definition(plan, "LEASES_TABLE")
    if found:
        yield Effect(
            rule="leases-elsewhere",
            changes=(found[0],),
            title="New tasks keep their leases in another table than old ones",
            verdict=Verdict.WAIT,
            streamers="Nobody is cut. While both kinds of tasks run, a key may be live twice.",
            viewers="While both kinds run, about half of the requests end at a task that does not know the show: 404.",
            safe_way="Apply it when nobody is live, so that the old tasks stop at once: make broadcasts ENV=<env>.",
            shows=found[1],
        )


def _requests_per_second(part: float) -> float:
    """A low-latency viewer's: a playlist and a part for each part (docs/environments.md: six at 0.35 s)."""
    return 2 / part


def _timing(plan: Plan) -> str:
    (old, new), (old_part, new_part) = (
        tuple(map(number, _both(plan, name))) for name in ("SEGMENT_SECONDS", "PART_SECONDS")
    )
    words = []
    if old_part and new_part and old_part != new_part:
        words.append(
            f"low-latency players stay {_PARTS_HELD_BACK * new_part:.2f} s behind instead of "
            f"{_PARTS_HELD_BACK * old_part:.2f} s, and ask {_requests_per_second(new_part):.1f} times "
            "a second instead of "
            f"{_requests_per_second(old_part):.1f}"
        )
    if old and new and old != new:
        words.append(f"ordinary players stay {3 * new:g} s behind instead of {3 * old:g} s")
    return "; ".join(words)


@rule("playback-timing", _look("SEGMENT_SECONDS", "PART_SECONDS", "PLAYLIST_SEGMENTS"))
def playback_timing(plan: Plan) -> Iterator[Effect]:
    """Latency, and how often viewers ask. Each request is one that CloudFront bills.

    Sources: RFC 8216bis 4.4.3.8 (hold back: three parts, three target durations), docs/environments.md.
    """
    found = _definition(plan, "SEGMENT_SECONDS", "PART_SECONDS", "PLAYLIST_SEGMENTS")
    if not found:
        return
    old, new = map(number, _both(plan, "SEGMENT_SECONDS"))
    shorter = old is not None and new is not None and new < old
    old_part, new_part = map(number, _both(plan, "PART_SECONDS"))
    more = old_part is not None and new_part is not None and new_part < old_part
    timing = _timing(plan)
    yield Effect(
        rule="playback-timing",
        changes=(found[0],),
        title="New shows are cut into other segments or parts" if timing else "New playlists reach back differently",
        verdict=Verdict.NEEDS_APPROVAL if shorter or more else Verdict.SAFE_NOW,
        streamers=(
            f"Nobody is cut. Set a key frame interval of {new:g} s: with a longer one a show has to be "
            "encoded and counts "
            "twice."
            if shorter
            else "Nobody is cut."
        ),
        viewers=(
            (f"Of shows that begin on new tasks: {timing}. " if timing else "")
            + "A show whose streamer reconnects to a new task goes on, with a discontinuity."
        ),
        safe_way=(
            "Try it in dev with the players that people use; CloudFront's and the origin's requests are a price of it "
            "(how much: unknown)."
            if shorter or more
            else "Now."
        ),
        shows=found[1],
    )


def _encoded_pixels(ladder: Any) -> float:
    """What a task encodes of a show that fits: all but the top rendition, which is copied. Pixels of 16:9 pictures."""
    heights = sorted((number(rung.get("height")) or 0 for rung in ladder.values()), reverse=True)
    return sum(height * height * 16 / 9 for height in heights[1:])


def _load(plan: Plan) -> tuple[float, float] | None:
    """How many vCPU a task has for each show, before and after."""
    for change in plan.of_type("aws_ecs_task_definition"):
        cpu, streams = (number(change.before_at("cpu")), number(change.after_at("cpu"))), _both(plan, "MAX_STREAMS")
        before, after = (number(units) for units in streams)
        if cpu[0] and cpu[1] and before and after:
            return cpu[0] / 1024 / before, cpu[1] / 1024 / after
    return None


@rule(
    "capacity",
    _look("MAX_STREAMS", "LADDER"),
    Look(types=("aws_ecs_task_definition",), attributes=("cpu", "memory")),
)
def capacity(plan: Plan) -> Iterator[Effect]:
    """CPU for each show, and what is done with it.

    A show whose top rendition is copied costs about 26 CPU seconds a minute, one that is encoded whole about 48, with
    the ladder of 720p, 480p and 360p (`make bench-broadcast`, row cost).
    """
    found = _definition(plan, "MAX_STREAMS", "LADDER")
    load = _load(plan)
    if not load or not (found or load[0] != load[1]):
        return
    (change,) = [each for each in plan.of_type("aws_ecs_task_definition") if each.after_at("cpu") is not None][:1]
    ladders = _both(plan, "LADDER")
    pixels = [_encoded_pixels(ladder) if isinstance(ladder, dict) else 0 for ladder in ladders]
    words = []
    if load[0] != load[1]:
        words.append(f"{load[1]:.2f} vCPU for each show instead of {load[0]:.2f}")
    if ladders[0] != ladders[1]:
        share = f", {pixels[1] / pixels[0]:.1f} times the pixels to encode" if pixels[0] and pixels[1] else ""
        words.append(f"another ladder{share}")
    old, new = map(number, _both(plan, "MAX_STREAMS"))
    if old != new:
        words.append(f"{new:g} shows for a task instead of {old:g}")
    if not words:
        return
    tighter = load[1] < load[0] or pixels[1] > pixels[0]
    yield Effect(
        rule="capacity",
        changes=(change,),
        title="New tasks carry another load: " + "; ".join(words),
        verdict=Verdict.NEEDS_APPROVAL if tighter else Verdict.SAFE_NOW,
        streamers=(
            "Nobody is cut. Running shows stay on their old tasks. "
            + (
                "A full task refuses newcomers sooner; OBS tries again and finds another."
                if (new or 0) < (old or 0)
                else ""
            )
        ).strip(),
        viewers=(
            "If a full task cannot keep up, its shows fall behind and lose renditions (alarm EncoderBelowRealTime)."
            if tighter
            else "New shows have the renditions of the new ladder."
        ),
        safe_way=(
            "Fill one task in dev (make bench-broadcast ROWS=cost measures) and see EncoderSpeed stay at 1."
            if tighter
            else "Now."
        ),
        shows=found[1] if found else (("cpu",), ("memory",)),
    )


@rule("names-of-itself", _look("CLUSTER_NAME", "SERVICE_NAME", "METRICS_NAMESPACE", "ENVIRONMENT", "LOG_LEVEL"))
def names_of_itself(plan: Plan) -> Iterator[Effect]:
    """Alarms and autoscaling read metrics under these names; the environment's and the log level are words only."""
    found = _definition(plan, "CLUSTER_NAME", "SERVICE_NAME", "METRICS_NAMESPACE")
    if found:
        yield Effect(
            rule="names-of-itself",
            changes=(found[0],),
            title="New tasks write their metrics under other names",
            verdict=Verdict.NEEDS_APPROVAL,
            streamers=(
                "Nobody is cut. Autoscaling does not see new tasks' shows: too few tasks, and no room for protection."
            ),
            safe_way="Change alarms, policies and dashboard in the same plan, and apply when nobody is live.",
            shows=found[1],
        )


RULES = (backend_url, leases_elsewhere, playback_timing, capacity, names_of_itself)
