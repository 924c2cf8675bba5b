"""`terraform show -json PLAN`, read with bounds.

The format: https://developer.hashicorp.com/terraform/internals/json-format (major version 1; minor ones only add).
"""

from __future__ import annotations

import json
import re
from pathlib import Path as File
from typing import TYPE_CHECKING, Any, NoReturn

from ops.plan_review.change import ACTIONS, Action, Change
from ops.plan_review.errors import NotUnderstoodError
from ops.plan_review.plan import OutputChange, Plan
from ops.plan_review.values import view

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST_BYTES = 64 * 1024 * 1024
MOST_CHANGES = 20_000
DEEPEST = 100
_MAJOR = "1"
_MAKE_ONE = "write one with `terraform show -json PLANFILE > plan.json`"

# What a plan holds beside changes, and says nothing about what will happen that is not in the changes as well.
_NO_CHANGES = frozenset(
    [
        "applyable",
        "checks",
        "complete",
        "configuration",
        "errored",
        "format_version",
        "output_changes",
        "planned_values",
        "prior_state",
        "proposed_unknown",
        "relevant_attributes",
        "resource_changes",
        "resource_drift",
        "terraform_version",
        "timestamp",
        "variables",
    ]
)


def read_plan(path: File, environment: str | None = None) -> Plan:
    """Read a plan; its environment is the one given, or the Environment in its default tags, or the file's name.

    Raises:
        NotUnderstoodError: it is no plan, or none that we understand.
    """
    return plan_in(_document(path), source=str(path), environment=environment)


def _document(path: File) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise NotUnderstoodError(f"{path}: cannot be read: {error.strerror}") from None
    if len(text) > LARGEST_BYTES:
        raise NotUnderstoodError(f"{path}: is larger than {LARGEST_BYTES // 1024**2} MB: plan fewer resources at once")
    if text[:4] == b"PK\x03\x04":
        raise NotUnderstoodError(f"{path}: is a plan file, not its JSON: {_MAKE_ONE}")
    try:
        document = json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise NotUnderstoodError(f"{path}: is nested deeper than a plan can be") from None
    except ValueError as error:
        raise NotUnderstoodError(f"{path}: is not JSON, or cut off ({error}): {_MAKE_ONE}") from None
    return _object(document, str(path), "the document")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def plan_in(document: dict[str, Any], *, source: str, environment: str | None = None) -> Plan:
    """The plan in a document.

    Raises:
        NotUnderstoodError: there is none, or none that we understand.
    """
    version = document.get("format_version")
    if "resource_changes" not in document and "planned_values" not in document:
        raise NotUnderstoodError(f"{source}: is no plan of Terraform's: {_MAKE_ONE}")
    if not isinstance(version, str) or version.partition(".")[0] != _MAJOR:
        raise NotUnderstoodError(
            f"{source}: format_version is {json.dumps(version)[:40]}, and only {_MAJOR}.x is understood: "
            "review it with a newer version of this project, or plan with an older Terraform"
        )
    if document.get("errored"):
        raise NotUnderstoodError(f"{source}: the plan ended with errors and is not complete: plan again")
    if _depth(document) > DEEPEST:
        raise NotUnderstoodError(f"{source}: is nested deeper than {DEEPEST}")
    configuration = _object(document.get("configuration", {}), source, "configuration")
    provider = _provider(configuration)
    configured = _configured(configuration)
    return Plan(
        source=source,
        environment=_plain_name(environment or _environment(provider) or File(source).stem),
        terraform_version=str(document.get("terraform_version", "")),
        region=_optional_text(_constant(provider, "region")),
        changes=_changes(document, "resource_changes", source, configured),
        output_changes=tuple(
            _output(name, _object(change, source, f"output {name}"), source)
            for name, change in sorted(_object(document.get("output_changes", {}), source, "output_changes").items())
        ),
        drift=_changes(document, "resource_drift", source, configured),
        not_understood=_not_understood(document),
    )


def _not_understood(document: dict[str, Any]) -> tuple[str, ...]:
    parts = [name for name in sorted(document.keys() - _NO_CHANGES) if document[name]]
    if document.get("complete") is False:
        parts.append("complete: false (changes were left for a later plan)")
    return tuple(parts)


def _depth(document: Any) -> int:
    depth, level = 0, [document]
    while level and depth <= DEEPEST:
        depth += 1
        level = [
            member
            for value in level
            for member in (value.values() if isinstance(value, dict) else value)
            if isinstance(member, dict | list)
        ]
    return depth


def _object(value: Any, source: str, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise NotUnderstoodError(f"{source}: {what} is {type(value).__name__}, not an object: {_MAKE_ONE}")
    return value


def _changes(
    document: dict[str, Any],
    part: str,
    source: str,
    configured: dict[str, dict[str, tuple[str, ...]]],
) -> tuple[Change, ...]:
    entries = document.get(part) or []
    if not isinstance(entries, list):
        raise NotUnderstoodError(f"{source}: {part} is {type(entries).__name__}, not a list: {_MAKE_ONE}")
    if len(entries) > MOST_CHANGES:
        raise NotUnderstoodError(f"{source}: {part} has {len(entries)} entries; at most {MOST_CHANGES} are reviewed")
    return tuple(
        _change(_object(entry, source, f"{part}[{index}]"), f"{part}[{index}]", source, configured)
        for index, entry in enumerate(entries)
    )


def _change(
    entry: dict[str, Any],
    where: str,
    source: str,
    configured: dict[str, dict[str, tuple[str, ...]]],
) -> Change:
    change = _object(entry.get("change"), source, f"{where}.change")
    address, type_, name = (_text(entry, key, where, source) for key in ("address", "type", "name"))
    actions = _actions(change, where, source)
    arguments = None if entry.get("module_address") else configured.get(address)
    return Change(
        address=address,
        type=type_,
        name=name,
        action=ACTIONS.get(actions, Action.OTHER),
        raw_actions=actions,
        mode=str(entry.get("mode", "managed")),
        moved_from=_optional_text(entry.get("previous_address")),
        imported=change.get("importing") is not None,
        reason=_optional_text(entry.get("action_reason")),
        replace_paths=_replace_paths(change.get("replace_paths")),
        before=change.get("before"),
        after=change.get("after"),
        after_unknown=change.get("after_unknown", False),
        before_sensitive=change.get("before_sensitive", False),
        after_sensitive=change.get("after_sensitive", False),
        configured=arguments,
    )


def _text(entry: dict[str, Any], key: str, where: str, source: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value:
        raise NotUnderstoodError(f"{source}: {where}.{key} must be a text, got {json.dumps(value)[:40]}")
    return value


def _optional_text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _actions(change: dict[str, Any], where: str, source: str) -> tuple[str, ...]:
    actions = change.get("actions")
    if not isinstance(actions, list) or not actions or not all(isinstance(action, str) for action in actions):
        raise NotUnderstoodError(f"{source}: {where}.change.actions must be a list of texts: {_MAKE_ONE}")
    return tuple(actions)


def _replace_paths(paths: Any) -> tuple[tuple[str, ...], ...]:
    if not isinstance(paths, list):
        return ()
    return tuple(tuple(str(step) for step in path) for path in paths if isinstance(path, list) and path)


def _output(name: str, change: dict[str, Any], source: str) -> OutputChange:
    actions = _actions(change, f"output {name}", source) if "actions" in change else ("no-op",)
    sensitive = change.get("after_sensitive", False)
    return OutputChange(
        name=name,
        action=ACTIONS.get(actions, Action.OTHER),
        before=view(change.get("before"), sensitive=change.get("before_sensitive", False)),
        after=view(change.get("after"), sensitive=sensitive, unknown=change.get("after_unknown", False)),
    )


def _provider(configuration: dict[str, Any]) -> Any:
    providers = configuration.get("provider_config")
    aws = providers.get("aws") if isinstance(providers, dict) else None
    return aws.get("expressions") if isinstance(aws, dict) else None


def _environment(provider: Any) -> str | None:
    """The Environment of the provider's default tags, which constructs_lib/provider.py sets."""
    blocks = provider.get("default_tags") if isinstance(provider, dict) else None
    tags = _constant(blocks[0], "tags") if isinstance(blocks, list) and blocks else None
    return _optional_text(tags.get("Environment")) if isinstance(tags, dict) else None


def _plain_name(name: str) -> str:
    """A name that is the same in a comment's marker, a table and a terminal."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name[:64]).strip("-") or "unnamed"


def _constant(expressions: Any, name: str) -> Any:
    expression = expressions.get(name) if isinstance(expressions, dict) else None
    return expression.get("constant_value") if isinstance(expression, dict) else None


def _configured(configuration: dict[str, Any]) -> dict[str, dict[str, tuple[str, ...]]]:
    """By address, the arguments that the root module sets, with what each refers to."""
    return {
        str(resource.get("address")): {
            name: _references(expression) for name, expression in resource["expressions"].items()
        }
        for resource in _resources(configuration.get("root_module"))
        if isinstance(resource.get("expressions"), dict)
    }


def _references(expression: Any) -> tuple[str, ...]:
    found = expression.get("references") if isinstance(expression, dict) else None
    return tuple(map(str, found)) if isinstance(found, list) else ()


def _resources(module: Any) -> Iterator[dict[str, Any]]:
    resources = module.get("resources") if isinstance(module, dict) else None
    return (each for each in (resources if isinstance(resources, list) else ()) if isinstance(each, dict))
