"""How many tasks run, and which of them go: the scalable target, its policies, and the alarms that drive them.

Sources: Application Auto Scaling user guide, "Concepts" (registering a target puts its capacity between the limits at
once), "Target tracking scaling policies", "Step scaling policies"; docs/adr/0020.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ops.plan_review.change import Action
from ops.plan_review.effect import Broadcasts, Effect, Verdict
from ops.plan_review.rule import Look, rule
from ops.plan_review.rules.parts import BETWEEN_SHOWS, COMES_OR_GOES, lowered, number, raised

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ops.plan_review.change import Change
    from ops.plan_review.plan import Plan

_TRACKING = "target_tracking_scaling_policy_configuration.0"
_STEPS = "step_scaling_policy_configuration.0"


@rule("max-tasks-lowered", Look(types=("aws_appautoscaling_target",), attributes=("max_capacity",)))
def max_tasks_lowered(plan: Plan) -> Iterator[Effect]:
    """If more tasks are wanted now than the new maximum, the desired count falls to it at once.

    ECS spares protected tasks then, but protects no more of them than are wanted.
    """
    for change in plan.of_type("aws_appautoscaling_target"):
        if lowered(change, "max_capacity"):
            yield Effect(
                rule="max-tasks-lowered",
                changes=(change,),
                title=f"At most {change.after_at('max_capacity')} tasks instead of {change.before_at('max_capacity')}",
                verdict=Verdict.WAIT,
                streamers=(
                    "Protected shows stay. If more tasks run now, idle ones stop at once and shows "
                    "that begin cannot be "
                    "protected until enough have ended. At the maximum newcomers are refused."
                ),
                safe_way=f"Apply it while no more tasks run than the new maximum. {BETWEEN_SHOWS}",
                shows=(("max_capacity",),),
            )


@rule("min-tasks-lowered", Look(types=("aws_appautoscaling_target",), attributes=("min_capacity",)))
def min_tasks_lowered(plan: Plan) -> Iterator[Effect]:
    """Idle tasks go one by one after ten idle minutes; below two, a zone's failure takes the last one."""
    for change in plan.of_type("aws_appautoscaling_target"):
        if lowered(change, "min_capacity"):
            alone = (
                (number(change.after_at("min_capacity")) or 0) < 2 <= (number(change.before_at("min_capacity")) or 0)
            )
            yield Effect(
                rule="min-tasks-lowered",
                changes=(change,),
                title=f"At least {change.after_at('min_capacity')} tasks instead of {change.before_at('min_capacity')}",
                verdict=Verdict.NEEDS_APPROVAL if alone else Verdict.SAFE_NOW,
                streamers=(
                    "Nobody is cut: only idle tasks go. "
                    + (
                        "With a single task nobody can begin while it is replaced, or its zone is down."
                        if alone
                        else "When many begin at once after a quiet time, some wait a minute for a task."
                    )
                ),
                safe_way="Keep two tasks where shows matter." if alone else "Now.",
                shows=(("min_capacity",),),
            )


@rule("desired-tasks-lowered", Look(types=("aws_ecs_service",), attributes=("desired_count",)))
def desired_tasks_lowered(plan: Plan) -> Iterator[Effect]:
    """Autoscaling owns the desired count, and the configuration ignores it; who takes that away scales live tasks.

    Source: Amazon ECS developer guide, "Task scale-in protection" (DEPLOYMENT_BLOCKED).
    """
    for change in plan.of_type("aws_ecs_service"):
        if change.action is Action.UPDATE and change.changed("desired_count"):
            fewer = lowered(change, "desired_count")
            yield Effect(
                rule="desired-tasks-lowered",
                changes=(change,),
                title=(
                    f"The apply itself sets {change.after_at('desired_count')} tasks, where "
                    f"{change.before_at('desired_count')} are wanted"
                ),
                verdict=Verdict.NEEDS_APPROVAL,
                broadcasts=Broadcasts.CUT_ONCE if fewer else Broadcasts.NONE,
                streamers=(
                    "Tasks stop at once; a show that began in the last moments is not protected yet and is cut. Busy "
                    "tasks beyond the number cannot be protected."
                    if fewer
                    else "Nobody is cut. Each later apply sets the number again, whatever the load is."
                ),
                safe_way="Leave desired_count to autoscaling (ignore_changes), and change min_tasks.",
                shows=(("desired_count",),),
            )


_OWN_ALARM = re.compile(r"(Busy|Idle)Tasks|(busy|idle)-tasks")


def drives_scaling(change: Change) -> bool:
    """Whether an alarm is there for Application Auto Scaling, and not for people."""
    return bool(_OWN_ALARM.search(change.name) or _OWN_ALARM.search(str(change.before_at("alarm_name"))))


@rule(
    "autoscaling-goes",
    Look(
        types=("aws_appautoscaling_target", "aws_appautoscaling_policy"),
        actions=COMES_OR_GOES,
        attributes=(
            "name",
            "policy_type",
            "resource_id",
            "scalable_dimension",
            "service_namespace",
            "region",
            "role_arn",
        ),
    ),
)
def autoscaling_goes(plan: Plan) -> Iterator[Effect]:
    """Without it the number of tasks stays what it is, and nothing makes room for protection."""
    gone = [
        change
        for change in (*plan.of_type("aws_appautoscaling_target"), *plan.of_type("aws_appautoscaling_policy"))
        if change.action is Action.DELETE
    ]
    if gone:
        yield Effect(
            rule="autoscaling-goes",
            changes=tuple(gone),
            title="Autoscaling is taken away" if len(gone) > 1 else f"The scaling policy {gone[0].construct_path} goes",
            verdict=Verdict.NEEDS_APPROVAL,
            streamers=(
                "Nobody is cut. When the tasks that run are full, newcomers are refused, and shows stay unprotected."
            ),
            safe_way="Keep all four policies: two add tasks for load, one for busy tasks, one takes idle tasks away.",
        )


@rule(
    "scale-in-by-average",
    Look(types=("aws_appautoscaling_policy",), attributes=(f"{_TRACKING}.disable_scale_in",)),
)
def scale_in_by_average(plan: Plan) -> Iterator[Effect]:
    """Target tracking takes tasks away by an average, and knows nothing of busy tasks (docs/adr/0020)."""
    for change in plan.of_type("aws_appautoscaling_policy"):
        was, stays = (at(f"{_TRACKING}.disable_scale_in") is True for at in (change.before_at, change.after_at))
        if change.action is Action.UPDATE and was and not stays:
            yield Effect(
                rule="scale-in-by-average",
                changes=(change,),
                title="Tasks are taken away by an average, busy or not",
                verdict=Verdict.NEEDS_APPROVAL,
                broadcasts=Broadcasts.CUT_ONCE,
                streamers=(
                    "The desired count falls below the number of busy tasks. New shows on these "
                    "cannot be protected, and "
                    "are cut when ECS scales in, as soon as within 15 minutes."
                ),
                viewers="Such shows stall until their streamer is back.",
                safe_way="Keep disable_scale_in; the step policy idle-tasks takes away what nobody needs.",
                shows=((*_TRACKING.split("."), "disable_scale_in"),),
            )


@rule(
    "scale-out-later",
    Look(
        types=("aws_appautoscaling_policy",),
        attributes=(f"{_TRACKING}.target_value", f"{_TRACKING}.scale_out_cooldown", f"{_TRACKING}.scale_in_cooldown"),
    ),
)
def scale_out_later(plan: Plan) -> Iterator[Effect]:
    """How full tasks get before there are more of them."""
    for change in plan.of_type("aws_appautoscaling_policy"):
        later = raised(change, f"{_TRACKING}.target_value")
        sooner = lowered(change, f"{_TRACKING}.target_value")
        if later or sooner:
            before, after = (at(f"{_TRACKING}.target_value") for at in (change.before_at, change.after_at))
            yield Effect(
                rule="scale-out-later",
                changes=(change,),
                title=f"More tasks come at {after} instead of {before} ({change.construct_path})",
                verdict=Verdict.NEEDS_APPROVAL if later else Verdict.SAFE_NOW,
                streamers=(
                    "Nobody is cut. Tasks are fuller when the next one is asked for, and that takes a minute to start: "
                    "of many who begin at once more are refused, and try again."
                    if later
                    else "Nobody is cut. More tasks run for the same shows (cost: unknown)."
                ),
                safe_way="Keep room for those who begin within a minute; watch PublishRejectedForCapacity."
                if later
                else "Now.",
                shows=((*_TRACKING.split("."), "target_value"),),
            )


def _fewest_at_once(steps: Any) -> float:
    """The largest number of tasks that a policy takes away in one step, as a negative number; 0 if it takes none."""
    found = [number(step.get("scaling_adjustment")) or 0 for step in steps.values()] if isinstance(steps, dict) else []
    return min([0.0, *found])


@rule("scale-in-steps", Look(types=("aws_appautoscaling_policy",), attributes=("step_scaling_policy_configuration",)))
def scale_in_steps(plan: Plan) -> Iterator[Effect]:
    """One idle task at a time, and the cooldown between two."""
    for change in plan.of_type("aws_appautoscaling_policy"):
        if change.action is not Action.UPDATE:
            continue
        steps = [_fewest_at_once(at(f"{_STEPS}.step_adjustment")) for at in (change.before_at, change.after_at)]
        kind = change.changed(f"{_STEPS}.adjustment_type")
        changed_step = change.changed(f"{_STEPS}.step_adjustment")
        cooldown = change.changed(f"{_STEPS}.cooldown")
        if steps[1] < steps[0] or kind or (changed_step and steps[0] == 0):
            yield Effect(
                rule="scale-in-steps",
                changes=(change,),
                title="Tasks are added or taken away in other steps",
                verdict=Verdict.NEEDS_APPROVAL,
                streamers=(
                    "Nobody is cut by the apply. Several tasks at once may be more than are idle: "
                    "then shows that begin "
                    "cannot be protected, and too few added leaves shows unprotected for longer."
                ),
                safe_way="Keep: as many more as are missing, and one less at a time.",
                shows=((*_STEPS.split("."), "step_adjustment"),),
            )
        elif cooldown:
            path = f"{_STEPS}.cooldown"
            fewer = steps[1] < 0
            yield Effect(
                rule="scale-in-steps",
                changes=(change,),
                title=(
                    f"{change.after_at(path)} s instead of {change.before_at(path)} s between two tasks that "
                    f"{'go' if fewer else 'come'}"
                ),
                verdict=Verdict.SAFE_NOW,
                streamers=(
                    "Nobody is cut: only idle tasks go, after ten idle minutes."
                    if fewer
                    else "Nobody is cut. Room for protection is made "
                    + ("later." if raised(change, path) else "sooner.")
                ),
                safe_way="Now.",
                shows=((*_STEPS.split("."), "cooldown"),),
            )


def _without_numbers(expression: Any) -> str:
    return re.sub(r"\d+(\.\d+)?", "#", str(expression))


_SETTINGS = ("threshold", "comparison_operator", "evaluation_periods", "datapoints_to_alarm", "treat_missing_data")


@rule("scaling-alarm", Look(types=("aws_cloudwatch_metric_alarm",), attributes=("metric_query", *_SETTINGS)))
def scaling_alarm(plan: Plan) -> Iterator[Effect]:
    """The alarms that add a task for each busy one, and take idle ones away: what they count is what protects shows.

    A target or a minimum in the formula is an ordinary setting; another formula is not.
    """
    for change in plan.of_type("aws_cloudwatch_metric_alarm"):
        if not drives_scaling(change) or not (change.goes or change.action is Action.UPDATE):
            continue
        queries = [at("metric_query") for at in (change.before_at, change.after_at)]
        formula = _without_numbers(queries[0]) != _without_numbers(queries[1]) and change.changed("metric_query")
        if change.action is Action.DELETE or formula or any(change.changed(path) for path in _SETTINGS):
            yield Effect(
                rule="scaling-alarm",
                changes=(change,),
                title=f"The alarm that drives scaling, {change.construct_path}, {'goes' if change.goes else 'changes'}",
                verdict=Verdict.NEEDS_APPROVAL,
                streamers=(
                    "Nobody is cut by the apply. If it counts too few busy tasks, later shows stay "
                    "unprotected, and are "
                    "cut when ECS scales in or deploys."
                ),
                safe_way=(
                    "pytest tests/stacks/test_scaling.py lets shows happen to the policies as "
                    "synthesized: it must pass."
                ),
                shows=tuple((path,) for path in ("metric_query", *_SETTINGS) if change.changed(path)),
            )


RULES = (
    max_tasks_lowered,
    min_tasks_lowered,
    desired_tasks_lowered,
    autoscaling_goes,
    scale_in_by_average,
    scale_out_later,
    scale_in_steps,
    scaling_alarm,
)
