"""What wakes somebody up: alarms, their topics, mails about tasks that Fargate retires."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ops.plan_review.change import Action
from ops.plan_review.effect import Effect, Verdict
from ops.plan_review.rule import Look, rule
from ops.plan_review.rules.parts import COMES_OR_GOES, named
from ops.plan_review.rules.scaling import drives_scaling

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ops.plan_review.plan import Plan

_WHAT_IT_SAYS = (
    "threshold",
    "comparison_operator",
    "evaluation_periods",
    "datapoints_to_alarm",
    "treat_missing_data",
    "metric_query",
    "metric_name",
    "namespace",
    "dimensions",
    "statistic",
    "extended_statistic",
    "period",
    "unit",
    "threshold_metric_id",
)
_WHOM_IT_TELLS = ("alarm_actions", "ok_actions", "insufficient_data_actions", "actions_enabled")
_TELLERS = ("aws_sns_topic", "aws_sns_topic_subscription", "aws_cloudwatch_event_rule", "aws_cloudwatch_event_target")


@rule(
    "alarms",
    Look(
        types=("aws_cloudwatch_metric_alarm",),
        actions=COMES_OR_GOES,
        attributes=("alarm_name", "alarm_description", "region", *_WHAT_IT_SAYS, *_WHOM_IT_TELLS),
    ),
)
def alarms(plan: Plan) -> Iterator[Effect]:
    """Gone, silent, or asking something else. Those that drive scaling have a rule of their own."""
    watching = [change for change in plan.of_type("aws_cloudwatch_metric_alarm") if not drives_scaling(change)]
    gone = tuple(change for change in watching if change.action is Action.DELETE)
    silent = tuple(
        change
        for change in watching
        if change.before is not None
        and change.after is not None
        and (
            (change.before_at("alarm_actions") and not change.after_at("alarm_actions"))
            or (change.before_at("actions_enabled") is True and change.after_at("actions_enabled") is False)
        )
    )
    other = tuple(
        change
        for change in watching
        if change.before is not None and change.after is not None and change.changed_any(_WHAT_IT_SAYS)
    )
    for changes, what in ((gone, "Alarms go"), (silent, "Alarms wake nobody any more")):
        if changes:
            yield Effect(
                rule="alarms",
                changes=changes,
                title=f"{what}: {named(changes)}",
                verdict=Verdict.NEEDS_APPROVAL,
                streamers="Nothing changes now. The next fault is found by those who are live.",
                safe_way="Say what tells of it instead (docs/runbook.md has a section for each alarm).",
                shows=(("alarm_actions",), ("actions_enabled",)),
            )
    if other:
        yield Effect(
            rule="alarms",
            changes=other,
            title=f"Alarms ask something else: {named(other)}",
            verdict=Verdict.SAFE_NOW,
            safe_way="Now. Look at the dashboard whether it would have rung last week.",
            shows=tuple((path,) for path in _WHAT_IT_SAYS if other[0].changed(path)),
        )


@rule("who-is-told", Look(types=_TELLERS, actions=COMES_OR_GOES, attributes=("*",)))
def who_is_told(plan: Plan) -> Iterator[Effect]:
    """A subscription that is replaced has to be confirmed by mail again. Source: SNS developer guide."""
    if plan.is_new:
        return
    ended = tuple(change for change in plan.of_type(*_TELLERS) if change.goes)
    if ended:
        yield Effect(
            rule="who-is-told",
            changes=ended,
            title=f"Alarms reach somebody else, or nobody: {named(ended)}",
            verdict=Verdict.NEEDS_APPROVAL,
            safe_way="Confirm the new subscription by the mail that AWS sends, and see a test alarm arrive.",
            shows=ended[0].replace_paths,
        )


RULES = (alarms, who_is_told)
