"""What the stand-in does when Terraform core asks: validate, plan, apply, read. No protocol and no I/O in here."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from .contents import Contents
from .data_sources import DATA_SOURCES, Reading, UnanswerableError
from .resources import RESOURCES
from .resources.checks import one_of
from .resources.model import Making, Problem, ResourceType
from .uses import Uses
from .values import UNKNOWN, Path, collect, contains_unknown, find, is_set, is_unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .hold import Hold
    from .schema import Block, ProviderSchema

_IGNORED_ARGUMENTS = {
    # Credentials, and how to reach AWS: nothing is reached.
    "access_key",
    "assume_role",
    "assume_role_with_web_identity",
    "max_retries",
    "profile",
    "retry_mode",
    "secret_key",
    "shared_config_files",
    "shared_credentials_files",
    "skip_credentials_validation",
    "skip_metadata_api_check",
    "skip_region_validation",
    "skip_requesting_account_id",
    "sts_region",
    "token",
    "use_dualstack_endpoint",
    "use_fips_endpoint",
}
_HONOURED_ARGUMENTS = {"allowed_account_ids", "default_tags", "forbidden_account_ids", "region"}

RESOURCE_TABLES = "offline_terraform/resources/"
DATA_SOURCE_TABLE = "offline_terraform/data_sources.py"


class RefusedError(Exception):
    """The stand-in refuses, as the provider or AWS would, or because it does not know the thing asked for."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(problem.summary for problem in problems))
        self.problems = problems


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """One configured provider: the default one, or an alias. An unknown region is empty, unknown tags are UNKNOWN."""

    region: str
    default_tags: Any


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A planned resource, and the paths that force its replacement."""

    resource: dict[str, Any]
    replace: tuple[Path, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Provider:
    """The stand-in for `hashicorp/aws` in one AWS account."""

    schema: ProviderSchema
    account: str
    hold: Hold | None = None
    uses: Uses = field(default_factory=Uses)
    contents: Contents = field(default_factory=Contents)

    def configure(self, config: Mapping[str, Any]) -> Configuration:
        unknown_arguments = sorted(
            name
            for name, value in config.items()
            if is_set(value) and name not in _IGNORED_ARGUMENTS | _HONOURED_ARGUMENTS
        )
        if unknown_arguments:
            raise RefusedError(
                *(
                    Problem(
                        summary=f"The offline stand-in does not know the provider's argument {name}",
                        detail="Teach it in offline_terraform/provider.py, or leave the argument out.",
                        path=(name,),
                    )
                    for name in unknown_arguments
                )
            )
        allowed, forbidden = config.get("allowed_account_ids"), config.get("forbidden_account_ids")
        if (allowed and self.account not in allowed) or (forbidden and self.account in forbidden):
            raise RefusedError(Problem(summary=f"AWS account ID not allowed: {self.account}"))
        region = config.get("region")
        if not region:
            raise RefusedError(
                Problem(
                    summary="Invalid provider configuration",
                    detail="region is not set; the offline stand-in reads no environment and no shared configuration",
                )
            )
        tags = next(iter(collect(config, "default_tags.tags")), None) or {}
        return Configuration(
            region="" if is_unknown(region) else region,
            default_tags=UNKNOWN if contains_unknown(tags) else tags,
        )

    def validate_resource(self, type_name: str, config: Mapping[str, Any]) -> None:
        rules = self._rules(type_name)
        enumerations = [one_of(path, allowed) for path, allowed in rules.allowed.items()]
        problems = [problem for check in (*enumerations, *rules.checks) for problem in check(config)]
        if problems:
            raise RefusedError(*problems)

    def plan(
        self,
        type_name: str,
        prior: dict[str, Any] | None,
        proposed: dict[str, Any] | None,
        configuration: Configuration,
    ) -> Plan | None:
        """The resource as it will be; None where it will be deleted.

        `proposed` is core's merge of the configuration with the computed values of `prior`. When something forces a
        replacement, core asks again, for the plan of a new resource (`prior` None).
        """
        rules = self._rules(type_name)
        if proposed is None:
            return None
        block = self.schema.resources[type_name]

        def missing(path: str, computed: bool) -> Any:  # noqa: FBT001 the schema's own flag
            if path == "region":
                return configuration.region or UNKNOWN
            return rules.defaults.get(path, UNKNOWN if computed else None)

        planned = _fill(block, proposed, missing)
        if "tags_all" in block.attributes:
            planned["tags_all"] = _all_tags(configuration, planned.get("tags"))
        if prior is None:
            return Plan(resource=planned)
        for name in rules.json_documents:
            if _same_json(prior.get(name), planned.get(name)):
                planned[name] = prior[name]
        return Plan(resource=planned, replace=tuple(_replaced(rules, prior, planned)))

    def apply(
        self, type_name: str, prior: dict[str, Any] | None, planned: dict[str, Any] | None, configuration: Configuration
    ) -> dict[str, Any] | None:
        """The resource as it is after the change; None after a deletion."""
        rules = self._rules(type_name)
        if self.hold:
            self.hold.wait(type_name)
        if planned is None:
            if prior:
                self._delete(type_name, rules, prior)
            return None
        if prior is not None and rules.changes_refused_while_used:
            problems = list(self.uses.refusals(type_name, prior))
            if problems:
                raise RefusedError(*problems)
        block = self.schema.resources[type_name]
        region = planned.get("region") or configuration.region
        resource = dict(planned)
        # In the table's order first, because later values are made of earlier ones; then whatever it does not name.
        for name in (*rules.values, *block.attributes):
            if contains_unknown(resource.get(name)):
                making = Making(resource=resource, account=self.account, region=region)
                resource[name] = _made(rules, name, making)
        making = Making(resource=resource, account=self.account, region=region)
        made = _resolve_blocks(block, resource, lambda path: _made(rules, path, making))
        problems = list(self.uses.conflicts(type_name, made))
        if problems:
            raise RefusedError(*problems)
        self.uses.note(type_name, made)
        for bucket, key in rules.writes(made) if rules.writes else ():
            self.contents.write(bucket, key)
        return made

    def _delete(self, type_name: str, rules: ResourceType, resource: dict[str, Any]) -> None:
        problems = list(rules.delete_guard(resource)) if rules.delete_guard else []
        problems += self.uses.refusals(type_name, resource)
        if rules.emptiness:
            name = resource[rules.emptiness.name]
            if resource.get(rules.emptiness.force):
                self.contents.clear(type_name, name)
            elif self.contents.hold_something(type_name, name):
                problems.append(Problem(summary=rules.emptiness.error.format(name=name)))
        if problems:
            raise RefusedError(*problems)
        self.uses.forget(type_name, resource)

    def read(self, type_name: str, resource: dict[str, Any] | None) -> dict[str, Any] | None:
        """The resource as it was applied: nobody else changes anything here."""
        if resource is not None:
            self._rules(type_name)
            self.uses.note(type_name, resource)
        return resource

    def imported(self, type_name: str, id_: str, configuration: Configuration) -> dict[str, Any]:
        """The resource as an import finds it: made elsewhere, with nothing but its id set."""
        rules, block = self._rules(type_name), self.schema.resources[type_name]
        if not rules.import_id:
            raise RefusedError(
                Problem(
                    summary="The offline stand-in cannot import",
                    detail=f"There is no AWS behind it to read {type_name} {id_} from.",
                )
            )
        blocks = block.blocks.items()
        empty: dict[str, Any] = {name: None if nested.nesting == "single" else [] for name, nested in blocks}
        plan = self.plan(type_name, None, {**empty, rules.import_id: id_}, replace(configuration, default_tags={}))
        assert plan
        resource = self.apply(type_name, None, plan.resource, configuration)
        assert resource
        return resource

    def _rules(self, type_name: str) -> ResourceType:
        if type_name not in RESOURCES:
            raise _unsupported("resource type", type_name, RESOURCE_TABLES)
        return RESOURCES[type_name]

    def validate_data_source(self, type_name: str) -> None:
        if type_name not in DATA_SOURCES:
            raise _unsupported("data source", type_name, DATA_SOURCE_TABLE)

    def read_data_source(self, type_name: str, config: dict[str, Any], configuration: Configuration) -> dict[str, Any]:
        self.validate_data_source(type_name)
        block = self.schema.data_sources[type_name]
        region = config.get("region") or configuration.region
        reading = Reading(config=config, account=self.account, region=region)
        try:
            state = {**config, **DATA_SOURCES[type_name](reading)}
        except UnanswerableError as error:
            raise RefusedError(error.problem) from error
        if "region" in block.attributes:
            state["region"] = region
        for name, attribute in block.attributes.items():
            if attribute.computed and state.get(name) is None:
                raise _unsupported("value of", f"{type_name}.{name}", DATA_SOURCE_TABLE)
        return state


def _unsupported(what: str, type_name: str, tables: str) -> RefusedError:
    return RefusedError(
        Problem(
            summary=f"The offline stand-in does not know the {what} {type_name}",
            detail=f"Add {type_name} to the tables in {tables}, as its README says.",
        )
    )


def _fill(block: Block, value: dict[str, Any], missing: Callable[[str, bool], Any], prefix: str = "") -> dict[str, Any]:
    """`value` with `missing(path, computed)` for each attribute without a value, through all nested blocks."""
    filled = dict(value)
    for name, attribute in block.attributes.items():
        if filled.get(name) is None:
            filled[name] = missing(prefix + name, attribute.computed)
    for name, nested in block.blocks.items():
        inner = filled.get(name)
        if isinstance(inner, list):
            filled[name] = [
                element if is_unknown(element) else _fill(nested.block, element, missing, f"{prefix}{name}.")
                for element in inner
            ]
        elif isinstance(inner, dict):
            filled[name] = _fill(nested.block, inner, missing, f"{prefix}{name}.")
    return filled


def _all_tags(configuration: Configuration, tags: Any) -> Any:
    """`tags_all`: the provider's default tags, overridden by the resource's own; unknown if any of those is."""
    if contains_unknown(tags) or is_unknown(configuration.default_tags):
        return UNKNOWN
    return {**configuration.default_tags, **(tags or {})}


def _same_json(one: Any, other: Any) -> bool:
    if not (isinstance(one, str) and isinstance(other, str)):
        return False
    try:
        return bool(json.loads(one) == json.loads(other))
    except ValueError:
        return False


def _replaced(rules: ResourceType, prior: Mapping[str, Any], planned: Mapping[str, Any]) -> list[Path]:
    conditional = [name for rule in rules.replace_rules for name in rule(prior, planned)]
    changed = [name for name in ("region", *rules.force_new) if collect(prior, name) != collect(planned, name)]
    paths: list[Path] = []
    for name in (*changed, *conditional):
        # Where the block itself came or went there is no such place in one of the two; then the block forces it.
        places = [path for path, _ in find(planned, name)]
        paths += places or [(name.split(".", maxsplit=1)[0],)]
    return paths


def _made(rules: ResourceType, path: str, making: Making) -> Any:
    """A computed value, as the table says."""
    if path not in rules.values:
        raise _unsupported("value of", path, RESOURCE_TABLES)
    value = rules.values[path]
    if isinstance(value, str):
        return making.fill_in(value)
    return value(making) if callable(value) else value


def _resolve_blocks(
    block: Block, value: dict[str, Any], make: Callable[[str], Any], prefix: str = ""
) -> dict[str, Any]:
    """`value` with something known for every unknown inside nested blocks."""
    resolved = dict(value)
    for name, nested in block.blocks.items():
        inner, path = resolved.get(name), f"{prefix}{name}."
        if is_unknown(inner):
            resolved[name] = None if nested.nesting == "single" else []
        elif isinstance(inner, list):
            resolved[name] = [_resolve(nested.block, element, make, path) for element in inner]
        elif isinstance(inner, dict):
            resolved[name] = _resolve(nested.block, inner, make, path)
    return resolved


def _resolve(block: Block, value: dict[str, Any], make: Callable[[str], Any], prefix: str) -> dict[str, Any]:
    known = {
        name: make(prefix + name) if name in block.attributes and contains_unknown(inner) else inner
        for name, inner in value.items()
    }
    return _resolve_blocks(block, known, make, prefix)
