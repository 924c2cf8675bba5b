"""The review of one environment: the judgements of its stacks' plans, and what policy says that is new."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ops.plan_review.change import REPLACE, Action, Change
from ops.plan_review.effect import Broadcasts, Effect, Urls, Verdict
from ops.plan_review.judging import Judgement, NotJudged, judge, verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ops.plan_review.plan import OutputChange, Plan
    from policy.findings_file import ReportedFinding

# The outputs that people have typed into OBS and into shops (stacks/streaming.py).
_URL_OUTPUTS = {
    "RTMPServerURL": Urls.STREAMERS,
    "RTMPSServerURL": Urls.STREAMERS,
    "CloudFrontURL": Urls.VIEWERS,
}
COUNTED = ("create", "update", "replace", "delete", "moved", "imported")


@dataclass(frozen=True, kw_only=True)
class Review:
    """What one environment's plans do."""

    environment: str
    judgements: tuple[Judgement, ...]
    new_findings: tuple[ReportedFinding, ...] = ()
    cost: str | None = None  # words for the difference in money; None: unknown, which is not 0

    @property
    def effects(self) -> tuple[Effect, ...]:
        """Worst first."""
        return tuple(sorted((e for j in self.judgements for e in j.effects), key=lambda effect: effect.severity))

    @property
    def not_judged(self) -> tuple[NotJudged, ...]:
        return tuple(entry for judgement in self.judgements for entry in judgement.not_judged)

    @property
    def broadcasts(self) -> Broadcasts:
        return max((effect.broadcasts for effect in self.effects), default=Broadcasts.NONE)

    @property
    def urls(self) -> frozenset[Urls]:
        """Of whom; also where no rule saw it and an output tells."""
        told = {
            _URL_OUTPUTS[output.name]
            for output in self.output_changes
            if output.name in _URL_OUTPUTS and output.before is not None
        }
        return frozenset(told).union(*(effect.urls for effect in self.effects))

    @property
    def verdict(self) -> Verdict:
        if self.urls or any(finding.accepted is None for finding in self.new_findings):
            return Verdict.NEEDS_APPROVAL
        return max((verdict(judgement) for judgement in self.judgements), default=Verdict.SAFE_NOW)

    @property
    def output_changes(self) -> tuple[OutputChange, ...]:
        return tuple(
            output for j in self.judgements for output in j.plan.output_changes if output.action is not Action.NO_OP
        )

    @property
    def changes(self) -> tuple[Change, ...]:
        """All that is more than a look, with moves and imports."""
        return tuple(
            change
            for judgement in self.judgements
            for change in judgement.plan.changes
            if change.action not in (Action.NO_OP, Action.READ) or change.moved_from or change.imported
        )

    @property
    def others(self) -> tuple[Change, ...]:
        """Changes that are in no card, on no list of what is not judged, and are not noise alone."""
        told = {change.address for effect in self.effects for change in effect.changes}
        told |= {entry.change.address for entry in self.not_judged if entry.change is not None}
        told |= {address for judgement in self.judgements for address in judgement.harmless_only}
        return tuple(change for change in self.changes if change.address not in told)

    @property
    def drift(self) -> tuple[Change, ...]:
        return tuple(
            change for judgement in self.judgements for change in judgement.plan.drift if change.action != Action.NO_OP
        )

    @property
    def noise(self) -> int:
        return sum(judgement.noise for judgement in self.judgements)

    @property
    def nothing_changes(self) -> bool:
        return not (self.changes or self.output_changes or self.not_judged or self.new_findings or self.drift)

    @property
    def counts(self) -> dict[str, int]:
        """How many resources, by COUNTED."""
        changes = self.changes
        return {
            "create": sum(change.action is Action.CREATE for change in changes),
            "update": sum(change.action is Action.UPDATE for change in changes),
            "replace": sum(change.action in REPLACE for change in changes),
            "delete": sum(change.action is Action.DELETE for change in changes),
            "moved": sum(change.moved_from is not None for change in changes),
            "imported": sum(change.imported for change in changes),
        }


def review(plans: Sequence[Plan], findings: Sequence[ReportedFinding] = ()) -> list[Review]:
    """A review for each environment, in order of their names."""
    return [
        Review(
            environment=environment,
            judgements=tuple(judge(plan) for plan in plans if plan.environment == environment),
            new_findings=tuple(finding for finding in findings if finding.environment == environment),
        )
        for environment in sorted({plan.environment for plan in plans} | {finding.environment for finding in findings})
    ]
