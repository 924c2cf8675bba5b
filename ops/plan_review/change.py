"""What a plan does to one resource."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ops.plan_review.values import UNKNOWN, Difference, Path, differences, parse_path, value_at, view

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_LOGICAL_ID_HASH = re.compile(r"_[0-9A-F]{8}$")


class Action(StrEnum):
    """What Terraform means to do. Moves and imports come on top: `Change.moved_from`, `Change.imported`."""

    NO_OP = "no-op"
    READ = "read"
    CREATE = "create"
    UPDATE = "update"
    DELETE_THEN_CREATE = "replace (delete, then create)"
    CREATE_THEN_DELETE = "replace (create, then delete)"
    DELETE = "delete"
    FORGET = "forget"
    OTHER = "not known"


REPLACE = frozenset({Action.DELETE_THEN_CREATE, Action.CREATE_THEN_DELETE})
GOES = REPLACE | {Action.DELETE}  # what is there now is gone afterwards

# https://developer.hashicorp.com/terraform/internals/json-format#change-representation
ACTIONS = {
    ("no-op",): Action.NO_OP,
    ("read",): Action.READ,
    ("create",): Action.CREATE,
    ("update",): Action.UPDATE,
    ("delete", "create"): Action.DELETE_THEN_CREATE,
    ("create", "delete"): Action.CREATE_THEN_DELETE,
    ("delete",): Action.DELETE,
    ("forget",): Action.FORGET,
}


@dataclass(frozen=True, kw_only=True)
class Change:
    """One resource of a plan, also one that does not change.

    Paths (`before_at`, `after_at`, `changed`) are dotted, or tuples where an element holds a dot. They go into JSON in
    strings; members of lists of blocks are named by what names them (container name, environment variable, Sid, path
    pattern, origin id), else by number: `container_definitions.RTMPContainer.environment.MAX_STREAMS`,
    `default_cache_behavior.0.cache_policy_id`.
    """

    address: str
    type: str
    name: str
    action: Action
    raw_actions: tuple[str, ...]  # as in the plan, for an action that is OTHER
    mode: str = "managed"  # or data
    moved_from: str | None = None
    imported: bool = False
    reason: str | None = None  # Terraform's action_reason
    replace_paths: tuple[Path, ...] = ()
    before: Any = None
    after: Any = None
    after_unknown: Any = False
    before_sensitive: Any = False
    after_sensitive: Any = False
    # The arguments that the configuration sets, and what each refers to; None: not known.
    configured: Mapping[str, tuple[str, ...]] | None = field(default=None)

    @property
    def construct_path(self) -> str:
        """The construct's path below its stack. CDKTF's logical ids are these paths and a hash."""
        return _LOGICAL_ID_HASH.sub("", self.name).replace("_", "/")

    @property
    def replaced(self) -> bool:
        return self.action in REPLACE

    @property
    def goes(self) -> bool:
        """Whether what is there now is gone afterwards."""
        return self.action in GOES

    @property
    def forced_by(self) -> tuple[str, ...]:
        """The attributes that force a replacement, dotted."""
        return tuple(".".join(path) for path in self.replace_paths)

    @cached_property
    def before_view(self) -> Any:
        return view(self.before, sensitive=self.before_sensitive)

    @cached_property
    def after_view(self) -> Any:
        return view(self.after, sensitive=self.after_sensitive, unknown=self.after_unknown)

    def before_at(self, path: str | Path) -> Any:
        """The value before: None where there is none, SENSITIVE where it is not to be shown."""
        return value_at(self.before_view, parse_path(path) if isinstance(path, str) else path)

    def after_at(self, path: str | Path) -> Any:
        """The value after: None where there is none, UNKNOWN before the apply, SENSITIVE where it is hidden."""
        return value_at(self.after_view, parse_path(path) if isinstance(path, str) else path)

    def changed(self, path: str | Path) -> bool:
        """Whether anything at or below a path differs; a value that only the apply tells does.

        Also of what is created or deleted, whose other side is empty.
        """
        wanted = parse_path(path) if isinstance(path, str) else path
        return any(
            difference.path[: len(wanted)] == wanted or wanted[: len(difference.path)] == difference.path
            for difference in self.differences
        )

    def changed_any(self, paths: Iterable[str]) -> bool:
        """Whether anything at or below one of these differs."""
        return any(self.changed(path) for path in paths)

    @cached_property
    def differences(self) -> tuple[Difference, ...]:
        """All that differs, but for what AWS computes: what is unknown and not in the configuration."""
        if self.action in (Action.NO_OP, Action.READ):
            return ()
        return tuple(
            difference
            for difference in differences(self.before_view, self.after_view)
            if difference.after is not UNKNOWN or self._set_in_configuration(difference.path[0])
        )

    def _set_in_configuration(self, attribute: str) -> bool:
        return self.configured is None or attribute in self.configured
