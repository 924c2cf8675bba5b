"""A plan as the rules see it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ops.plan_review.change import Action, Change


@dataclass(frozen=True, kw_only=True, slots=True)
class OutputChange:
    """An output, before and after; as `Change` has them."""

    name: str
    action: Action
    before: Any  # views (values.py)
    after: Any


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One stack's plan."""

    source: str  # the file
    environment: str
    terraform_version: str
    region: str | None = None
    changes: tuple[Change, ...] = ()  # all resources, also those that do not change
    output_changes: tuple[OutputChange, ...] = ()
    drift: tuple[Change, ...] = ()
    not_understood: tuple[str, ...] = ()  # parts of the document that no code here has looked at

    @cached_property
    def _by_type(self) -> dict[str, tuple[Change, ...]]:
        types: dict[str, list[Change]] = {}
        for change in self.changes:
            types.setdefault(change.type, []).append(change)
        return {type_: tuple(changes) for type_, changes in types.items()}

    @cached_property
    def is_new(self) -> bool:
        """Whether nothing of the stack exists: there is nobody whom the plan could hurt."""
        return all(change.before is None for change in self.changes if change.mode == "managed")

    def of_type(self, *types: str) -> Iterable[Change]:
        """Resources of these types, also those that do not change (their action is NO_OP)."""
        for type_ in types:
            yield from self._by_type.get(type_, ())
