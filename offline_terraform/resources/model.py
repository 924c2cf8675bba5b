"""What a provider knows about a resource type beyond its schema, as a table's row."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from offline_terraform.values import Path, is_unknown

if TYPE_CHECKING:
    from offline_terraform.schema import NestedBlock


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What is wrong with a configuration, and where."""

    summary: str
    path: Path = ()
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Making:
    """A resource in the making: the values so far, and where it is made."""

    resource: Mapping[str, Any]
    account: str
    region: str

    def fill_in(self, template: str) -> str:
        """`template` with the resource's own values, `{account}`, `{region}`, and fresh `{hex8}`, `{hex17}`, `{uuid}`.

        Fresh means random, as AWS's own identifiers are: two like resources are still two.
        """
        return template.format_map(_Substitutions(self))

    def __getitem__(self, name: str) -> Any:
        return self.resource[name]

    def given(self, name: str) -> Any:
        """The value of an argument, or None while it is unknown."""
        value = self.resource.get(name)
        return None if is_unknown(value) else value


class _Substitutions(dict[str, Any]):
    def __init__(self, making: Making) -> None:
        super().__init__({name: value for name, value in making.resource.items() if not is_unknown(value)})
        self.update(account=making.account, region=making.region)

    def __missing__(self, key: str) -> str:
        if key.startswith("hex"):
            length = int(key.removeprefix("hex"))
            return secrets.token_hex((length + 1) // 2)[:length]
        if key == "uuid":
            return str(uuid.uuid4())
        raise KeyError(f"a template asks for {{{key}}}, which the resource does not have (yet): mind the order")


def in_use(template: str) -> Callable[[Mapping[str, Any]], Problem]:
    """AWS's refusal to delete what is in use, with the resource's own values filled in."""
    return lambda resource: Problem(summary=template.format_map(resource))


Value = str | int | bool | list[Any] | dict[str, Any] | Callable[[Making], Any]
"""A computed value: a template (text), a constant, or a function of the resource in the making."""


def generated_name(default_prefix: str = "terraform-") -> Callable[[Making], str]:
    """The name that the provider makes up where there is none: `name_prefix` or a default, and 26 digits."""
    return lambda making: (making.given("name_prefix") or default_prefix) + making.fill_in("{hex26}")


Check = Callable[[Mapping[str, Any]], Iterator[Problem]]
"""What the provider checks in a configuration beside its types; unknown values pass."""

ReplaceRule = Callable[[Mapping[str, Any], Mapping[str, Any]], Iterator[str]]
"""From the prior and the planned resource: the arguments that force a replacement under the given circumstances."""


Conflict = Callable[[Mapping[str, Any], list[dict[str, Any]]], Iterator[Problem]]
"""From the resource to be and all others that use anything: why AWS refuses it beside those."""


@dataclass(frozen=True, kw_only=True)
class Emptiness:
    """AWS refuses to delete something that holds anything, unless the provider is told to empty it."""

    name: str  # the argument with its name
    force: str  # the argument that empties it first
    error: str  # AWS's; {name} is filled in


@dataclass(frozen=True, kw_only=True)
class ResourceType:
    """One resource type. Names are dotted paths into nested blocks (`health_check.interval`).

    Attributes:
        force_new: Arguments that AWS cannot change in place.
        replace_rules: The same, where it depends on the values.
        computed: Arguments for which AWS chooses a value when the configuration gives none; the bindings lose this.
        defaults: Values that the provider plans for arguments left out.
        allowed: Enumerations.
        checks: Further validation.
        json_documents: Arguments at the top level that hold JSON, compared by meaning and not by text.
        values: Computed values by name, in the order in which they are made.
        delete_guard: The error with which AWS refuses to delete a resource in this state, if it does.
        uses: Arguments that name something else by its id, ARN or name, and the type of that.
        refused_while_used: The error with which AWS refuses to delete it while something else uses it, if it does.
        changes_refused_while_used: Whether AWS refuses changes then, too.
        conflicts: What AWS refuses because of others that exist.
        emptiness: What must be empty when it is deleted.
        writes: Bucket and key of each object that AWS puts somewhere by itself when this resource is made or changed.
        import_id: The argument that the id of an import stands for; none where an import is refused.
        schema_parts: Nested blocks that cannot be derived from the bindings.
    """

    force_new: tuple[str, ...] = ()
    replace_rules: tuple[ReplaceRule, ...] = ()
    computed: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    allowed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()
    json_documents: tuple[str, ...] = ()
    values: Mapping[str, Value] = field(default_factory=dict)
    delete_guard: Callable[[Mapping[str, Any]], Iterator[Problem]] | None = None
    uses: Mapping[str, str] = field(default_factory=dict)
    refused_while_used: Callable[[Mapping[str, Any]], Problem] | None = None
    changes_refused_while_used: bool = False
    conflicts: tuple[Conflict, ...] = ()
    emptiness: Emptiness | None = None
    writes: Callable[[Mapping[str, Any]], Iterator[tuple[str, str]]] | None = None
    import_id: str = ""
    schema_parts: Mapping[str, NestedBlock] = field(default_factory=dict)
