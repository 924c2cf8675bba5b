"""What a rule says that a plan does."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ops.plan_review.change import Change
    from ops.plan_review.values import Path


class Broadcasts(IntEnum):
    """What happens to those who are live, from harmless to worst."""

    NONE = 0
    CUT_ONCE = 1  # each at most once; on air again within 120 s
    ALL_CUT = 2  # all, and not back before somebody acts, or later than that


class Urls(StrEnum):
    """Whose address changes."""

    STREAMERS = "streamers'"
    VIEWERS = "viewers'"


class Verdict(IntEnum):
    """When it may be applied, from any time to only after somebody said yes."""

    SAFE_NOW = 0
    WAIT = 1  # for the end of shows
    NEEDS_APPROVAL = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Effect:
    """One card of the review. Texts are whole sentences without markup; values of the plan may be in them."""

    rule: str  # the id of the rule
    changes: tuple[Change, ...]  # the cause first
    title: str  # what it does, in one line
    verdict: Verdict
    broadcasts: Broadcasts = Broadcasts.NONE
    urls: frozenset[Urls] = frozenset()
    streamers: str = "Nothing changes."
    viewers: str = "Nothing changes."
    safe_way: str = ""
    paste: str = ""  # code that is ready to be pasted
    shows: tuple[Path, ...] = ()  # the paths of the first change to show before and after; none: all that differ

    @property
    def severity(self) -> tuple[int, int, int]:
        """To sort by: worst first."""
        return (-self.verdict, -self.broadcasts, -len(self.urls))

    def __post_init__(self) -> None:
        if not self.changes:
            raise ValueError(f"rule {self.rule}: an effect needs a change that causes it")
        if (self.broadcasts or self.urls) and self.verdict is Verdict.SAFE_NOW:
            raise ValueError(f"rule {self.rule}: what cuts broadcasts or changes URLs is not safe now")
        if self.verdict is not Verdict.SAFE_NOW and not self.safe_way:
            raise ValueError(f"rule {self.rule}: what is not safe now needs a safe way to do it")
