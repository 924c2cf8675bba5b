"""Plans that real Terraform makes of a change to a deployed environment, offline, and kept for the next run.

A change is what an operator would edit in the environment's file, or, where no setting does it, an edit of the
synthesized Terraform JSON. Nothing here is written by hand: a plan is what `terraform show -json` says of it.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from config.environment import EnvironmentConfig
from offline_terraform.bindings import find_bindings
from offline_terraform.cache import REPOSITORY, write_atomically
from offline_terraform.engine import CONFIGURATION, OfflineTerraform, Stack
from tests.shipped import everything_config, synthesize_to

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from stacks.document import Json


Settings = Mapping[str, Mapping[str, Any] | None]
"""Sections of an environment's file with the keys that change; None takes the section out."""

Edit = Callable[["Json"], None]
"""An edit of a stack's Terraform JSON, in place."""

Change = Settings | Edit

_CACHE = REPOSITORY / ".cache" / "plan_review"
_KEPT_GENERATIONS = 8  # of the sources: several worktrees share the cache
_SYNTHESIS = ("config", "constructs_lib", "stacks")
_ENGINE = ("offline_terraform",)


def base_config(*changes: Settings) -> EnvironmentConfig:
    """An environment with every option on that Terraform may replace, with some settings changed."""
    document = everything_config().model_dump()
    document["protection"]["deletion_protection"] = False
    for change in changes:
        for section, keys in change.items():
            document[section] = None if keys is None else {**(document[section] or {}), **keys}
    return EnvironmentConfig.model_validate(document)


def edited(type_: str, id_start: str, edit: Callable[[Json], object] | None = None, **arguments: Any) -> Edit:
    """Give a resource other arguments, and edit what lies deeper in it."""

    def apply(document: Json) -> None:
        resource = document["resource"][type_][_only(document, type_, id_start)]
        resource.update(arguments)
        if edit is not None:
            edit(resource)

    return apply


def without(type_: str, id_start: str, *arguments: str) -> Edit:
    """Take a resource away, or some of its arguments."""

    def apply(document: Json) -> None:
        name = _only(document, type_, id_start)
        if not arguments:
            del document["resource"][type_][name]
        for argument in arguments:
            del document["resource"][type_][name][argument]

    return apply


def renamed(type_: str, id_start: str, name: str) -> Edit:
    """The same resource under another id, as after a move in the code without `move_from_id`."""

    def apply(document: Json) -> None:
        old = _only(document, type_, id_start)
        text = json.dumps(document).replace(f"{type_}.{old}", f"{type_}.{name}")
        document.clear()
        document.update(json.loads(text))
        document["resource"][type_][name] = document["resource"][type_].pop(old)

    return apply


def added(type_: str, name: str, like: str, **arguments: Any) -> Edit:
    """One more resource, like another one but for some arguments."""

    def apply(document: Json) -> None:
        resources = document["resource"][type_]
        resources[name] = {**resources[_only(document, type_, like)], **arguments}

    return apply


def statement_edited(id_start: str, sid: str, /, **arguments: Any) -> Edit:
    """Another content of one statement of a policy document."""

    def apply(document: Json) -> None:
        documents = document["data"]["aws_iam_policy_document"]
        (name,) = (each for each in documents if each.startswith(id_start))
        (statement,) = (each for each in documents[name]["statement"] if each.get("sid") == sid)
        statement.update(arguments)

    return apply


def container_edited(**arguments: Any) -> Edit:
    """Other settings of the one container; its environment is merged by name."""

    def apply(task: Json) -> None:
        (container,) = json.loads(task["container_definitions"])
        variables = {each["name"]: each["value"] for each in container["environment"]}
        variables |= arguments.pop("environment", {})
        container.update(arguments)
        container["environment"] = [{"name": name, "value": value} for name, value in sorted(variables.items())]
        task["container_definitions"] = json.dumps([container], sort_keys=True)

    return edited("aws_ecs_task_definition", "Service", apply)


def _only(document: Json, type_: str, id_start: str) -> str:
    names: list[str] = [name for name in document["resource"].get(type_, {}) if name.startswith(id_start)]
    assert len(names) == 1, (
        f"{type_} starting with {id_start!r}: {names or sorted(document['resource'].get(type_, {}))}"
    )
    return names[0]


class Plans:
    """Makes plans; each once, also over many runs. In a `with` statement: it may own a Terraform engine."""

    def __init__(self) -> None:
        self._engine: OfflineTerraform | None = None
        self._applied: dict[str, Stack] = {}

    def __enter__(self) -> Self:
        _forget_old_generations()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._engine is not None:
            self._engine.__exit__(kind, error, trace)

    def of(self, *after: Change, before: Iterable[Change] = (), stack: str = "Streaming") -> Json:
        """The plan (`terraform show -json`) from the base with the changes `before`, deployed, to it with `after`.

        `after` stands on top of `before`, whose edits it keeps.
        """
        earlier = tuple(before)
        return self.between(configuration(stack, *earlier), configuration(stack, *earlier, *after))

    def first(self, stack: str = "Streaming") -> Json:
        """The plan of the base against an empty account."""
        wanted = configuration(stack)

        def make() -> Json:
            made = self._running().stack(wanted)
            made.init()
            return made.plan_json()

        return _cached(_generation(*_ENGINE) / f"first-{_digest(wanted)}.json.gz", make)

    def between(self, before: Json, after: Json) -> Json:
        """The plan from one deployed configuration to another."""
        name = f"plan-{_digest(before, after)}.json.gz"

        def make() -> Json:
            stack = self._deployed(before)
            stack.configure(after)
            return stack.plan_json()

        return _cached(_generation(*_ENGINE) / name, make)

    def _deployed(self, configuration: Json) -> Stack:
        """With its state; planning does not change that, so that one copy serves all plans."""
        key = _digest(configuration)
        if key not in self._applied:
            stack = self._running().stack(configuration)
            stack.init()
            stack.apply()
            self._applied[key] = stack
        return self._applied[key]

    def _running(self) -> OfflineTerraform:
        if self._engine is None:
            self._engine = OfflineTerraform(account=base_config().aws.account).__enter__()
        return self._engine


def configuration(stack: str, *changes: Change) -> Json:
    """The Terraform JSON of one of the two stacks, with the changes made in their order: settings, then edits."""
    settings = [change for change in changes if not callable(change)]
    document: Json = json.loads(_synthesized(base_config(*settings).model_dump_json())[stack])
    for change in changes:
        if callable(change):
            change(document)
    return document


@cache
def _synthesized(config: str) -> Mapping[str, str]:
    """The text of both stacks, by kind; the same for the same environment and the same sources."""

    def make() -> Json:
        environment = EnvironmentConfig.model_validate_json(config, strict=False)
        with tempfile.TemporaryDirectory() as outdir:
            synthesize_to(Path(outdir), [environment])
            return {
                kind: (Path(outdir) / "stacks" / name / CONFIGURATION).read_text(encoding="utf-8")
                for kind, name in (
                    ("Bootstrap", environment.bootstrap_stack_name),
                    ("Streaming", environment.streaming_stack_name),
                )
            }

    return _cached(_generation(*_SYNTHESIS) / f"stacks-{_digest(config)}.json.gz", make)


def _cached(file: Path, make: Callable[[], Json]) -> Json:
    try:
        document: Json = json.loads(gzip.decompress(file.read_bytes()))
    except FileNotFoundError:
        document = make()
        write_atomically(file, gzip.compress(json.dumps(document).encode(), compresslevel=4))
    return document


def _digest(*documents: object) -> str:
    return hashlib.sha256(json.dumps(documents, sort_keys=True).encode()).hexdigest()[:24]


@cache
def _generation(*folders: str) -> Path:
    """Where what these sources and the bindings make is kept."""
    fingerprint = hashlib.sha256(find_bindings().version.encode())
    for source in sorted(file for folder in folders for file in (REPOSITORY / folder).rglob("*.py")):
        fingerprint.update(f"{source.relative_to(REPOSITORY)}\n".encode() + source.read_bytes())
    folder = _CACHE / f"{folders[0]}-{fingerprint.hexdigest()[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    folder.touch()
    return folder


def _forget_old_generations() -> None:
    for kind in (_SYNTHESIS[0], _ENGINE[0]):
        generations = sorted(_CACHE.glob(f"{kind}-*"), key=lambda folder: folder.stat().st_mtime)
        for old in generations[:-_KEPT_GENERATIONS]:
            shutil.rmtree(old, ignore_errors=True)
