"""From files to `EnvironmentConfig`: reads `environments/*.toml`, fills gaps from `.env`, words every mistake."""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, ValidationError

from config.environment import NAME_PATTERN, EnvironmentConfig
from config.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from pydantic_core import ErrorDetails

_LARGEST = 64 << 10  # bytes
_LONGEST_LINE = 4096  # bytes; tomllib's time for a dotted key grows with the square of its length
_DEPTH = 8  # of tables and lists; the deepest that means something has four
_SHOWN = 120  # characters of what an operator wrote
_USER = re.compile(r"//[^/@]*@")  # may be a password

PLACEHOLDER_ACCOUNT = "123456789012"
PLACEHOLDER_REGION = "ap-northeast-2"

# A variable that is set but empty counts as absent: that is how an operator blanks a line of .env.
type_names = {
    "int_type": "a whole number",
    "float_type": "a number",
    "string_type": "a text in quotes",
    "bool_type": "true or false",
    "tuple_type": "a list in brackets",
    "model_type": "a table of keys",
    "model_attributes_type": "a table of keys",
    "dict_type": "a table of keys",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadedEnvironment:
    """An environment, and which of its values are placeholders because nobody set them."""

    config: EnvironmentConfig
    placeholders: tuple[str, ...]


@dataclass(slots=True)
class _Document:
    """One TOML file with the gaps filled, and where each filled value came from."""

    shown_path: str
    values: dict[str, Any]
    origins: dict[tuple[str, ...], str] = field(default_factory=dict)
    placeholders: list[str] = field(default_factory=list)

    def fill(self, section: str, key: str, variables: Sequence[str], env: Mapping[str, str]) -> bool:
        """Take `section.key` from the first variable that is set, unless the file has it. Tell whether it is there."""
        table = self.values.setdefault(section, {})
        if not isinstance(table, dict) or key in table:
            return True
        for variable in variables:
            if env.get(variable):
                table[key] = env[variable]
                self.origins[(section, key)] = variable
                return True
        return False

    def fill_or_placeholder(
        self, section: str, key: str, variables: Sequence[str], env: Mapping[str, str], placeholder: str
    ) -> None:
        if not self.fill(section, key, variables, env):
            self.values[section][key] = placeholder
            self.placeholders.append(f"{variables[0]}={placeholder}")


def load_environments(folder: Path, env: Mapping[str, str]) -> list[LoadedEnvironment]:
    """Load every `*.toml` of `folder`, sorted by name. `env` holds the variables of `.env` and of the process.

    Raises:
        ConfigurationError: with one line for each mistake, in all files.
    """
    paths = sorted(folder.glob("*.toml"))
    if not paths:
        raise ConfigurationError(f"{folder.name}/: must hold at least one environment file like dev.toml, found none")
    loaded: list[LoadedEnvironment] = []
    mistakes: list[str] = []
    for path in paths:
        try:
            loaded.append(load_environment(path, env))
        except ConfigurationError as error:
            mistakes.append(str(error))
    if mistakes:
        raise ConfigurationError("\n".join(mistakes))
    return loaded


def load_environment(path: Path, env: Mapping[str, str]) -> LoadedEnvironment:
    """Load one environment file; its name is the file's.

    Raises:
        ConfigurationError: with one line for each mistake.
    """
    document = _Document(shown_path=_shown_path(path), values=_read_toml(path))
    name = path.stem
    suffix = name.upper().replace("-", "_")
    document.fill_or_placeholder("aws", "account", ["CDK_DEFAULT_ACCOUNT"], env, PLACEHOLDER_ACCOUNT)
    document.fill_or_placeholder("aws", "region", ["CDK_DEFAULT_REGION"], env, PLACEHOLDER_REGION)
    # BACKEND_URL without a suffix is the development backend, as operators have it today.
    backend_variables = ["BACKEND_URL_DEV", "BACKEND_URL"] if name == "dev" else [f"BACKEND_URL_{suffix}"]
    document.fill_or_placeholder("backend", "url", backend_variables[::-1], env, f"https://api-{name}.example.com")
    document.fill("viewer", "certificate_arn", [f"CERTIFICATE_ARN_{suffix}"], env)
    if "name" in document.values:
        raise ConfigurationError(
            f"{document.shown_path}: name = {_shown(document.values['name'])}: unknown key: the file's name is the name"
        )
    if expressions := list(_expressions(document)):
        raise ConfigurationError("\n".join(expressions))
    try:
        config = EnvironmentConfig.model_validate({"name": name, **document.values})
    except ValidationError as error:
        told = _worth_telling(error.errors())
        raise ConfigurationError("\n".join(_line(document, details) for details in told)) from None
    return LoadedEnvironment(config=config, placeholders=tuple(document.placeholders))


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return _toml(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"{_shown_path(path)}: cannot be read: {error.strerror}") from None
    except RecursionError:
        raise ConfigurationError(f"{_shown_path(path)}: is no valid TOML: nested too deep") from None
    except ValueError as error:  # tomllib's, Unicode's, and that of numbers with thousands of digits
        what = _in_one_line(str(error))
        raise ConfigurationError(f"{_shown_path(path)}: is no valid TOML: {what}{_key_at(path, what)}") from None


def _key_at(path: Path, said: str) -> str:
    """Which key is in the line that tomllib complains of; nothing of its value, which may be a secret."""
    if not (found := re.search(r"\(at line (\d+), column", said)):
        return ""
    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        line = next(islice(lines, int(found[1]) - 1, None), "").strip()
    key = re.match(r"\[*[\w\s.\"'-]{1,40}", line)
    word = key[0].split("=")[0].split()[0] if key and key[0].split() else ""
    return f", at {_in_one_line(word)}" if word else ""


def _toml(raw: bytes) -> dict[str, Any]:
    if len(raw) > _LARGEST:
        raise ValueError(f"{len(raw)} bytes, must have at most {_LARGEST}")
    if any(len(line) > _LONGEST_LINE for line in raw.splitlines()):
        raise ValueError(f"a line of more than {_LONGEST_LINE} bytes")
    values = tomllib.loads(raw.decode("utf-8-sig"))
    if not _is_shallow(values):
        raise RecursionError
    return values


def _is_shallow(values: dict[str, Any]) -> bool:
    layer: list[Any] = [values]
    for _ in range(_DEPTH):
        inner = [each for table in layer for each in (table.values() if isinstance(table, dict) else table)]
        layer = [each for each in inner if isinstance(each, dict | list)]
    return not layer


def _shown_path(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _expressions(document: _Document) -> Iterator[str]:
    """A line for each text that Terraform would evaluate."""
    for location, text in _texts(document.values, ()):
        if "${" in text or "%{" in text:
            shown = f"{_where(document, location)} = {_shown(text)}"
            yield f"{shown}: must have no ${{ or %{{ in it: nothing is expanded here; write the value out"


def _texts(value: Any, location: tuple[int | str, ...]) -> Iterator[tuple[tuple[int | str, ...], str]]:
    if isinstance(value, str):
        yield location, value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _texts(each, (*location, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _texts(each, (*location, index))


def _worth_telling(mistakes: list[ErrorDetails]) -> list[ErrorDetails]:
    """Each mistake once: not that a list is too short for want of the entry that is wrong, nor what a typo left out."""
    meant = {
        (*mistake["loc"][:-1], _close_key(mistake["loc"]))
        for mistake in mistakes
        if mistake["type"] == "extra_forbidden"
    }
    wrong_within = {mistake["loc"][:end] for mistake in mistakes for end in range(len(mistake["loc"]))}
    return [
        mistake
        for mistake in mistakes
        if not (mistake["type"] == "missing" and mistake["loc"] in meant)
        and not (mistake["type"] in {"too_short", "too_long"} and mistake["loc"] in wrong_within)
    ]


def _line(document: _Document, details: ErrorDetails) -> str:
    """One line for one mistake: file, key, value, what is allowed."""
    location = details["loc"]
    value: Any = details["input"]
    if details["type"] == "cross_field":
        context = details["ctx"]
        location = (*location, *str(context["key"]).split("."))
        value = context["value"]
    if location == ("name",):
        return (
            f"{document.shown_path}: the file's name is the environment's name and must be "
            f"{NAME_PATTERN} (2 to 12 lower-case letters, digits and -), got {value}"
        )
    where = _where(document, location)
    shown = "not set" if details["type"] == "missing" or value is None else f"= {_shown(value)}"
    separator = " " if shown.startswith("=") else " is "
    return f"{where}{separator}{shown}: {_requirement(details)}"


def _where(document: _Document, location: tuple[int | str, ...]) -> str:
    variable = document.origins.get(tuple(map(str, location)))
    if variable is not None:
        return f".env (or the environment): {variable}"
    return f"{document.shown_path}: {_dotted(location)}"


def _requirement(details: ErrorDetails) -> str:
    context = details.get("ctx", {})
    kind = details["type"]
    if kind in type_names:
        return f"must be {type_names[kind]}"
    texts = {
        "missing": "must be set",
        "literal_error": f"must be one of {str(context.get('expected', '')).replace(' or ', ', ')}",
        "greater_than_equal": f"must be at least {context.get('ge')}",
        "greater_than": f"must be more than {context.get('gt')}",
        "less_than_equal": f"must be at most {context.get('le')}",
        "multiple_of": f"must be a multiple of {context.get('multiple_of')}",
        "too_short": f"must have at least {context.get('min_length')} entries",
        "too_long": f"must have at most {context.get('max_length')} entries",
    }
    if kind == "extra_forbidden":
        return _unknown_key(details["loc"])
    return texts.get(kind, details["msg"])


def _unknown_key(location: tuple[int | str, ...]) -> str:
    close = _close_key(location)
    hint = f"did you mean {close}? " if close else ""
    return f"unknown key; {hint}allowed here: {', '.join(_allowed_keys(location[:-1]))}"


def _close_key(location: tuple[int | str, ...]) -> str | None:
    """What an unknown key was probably meant to be."""
    close = difflib.get_close_matches(str(location[-1]), _allowed_keys(location[:-1]), n=1)
    return close[0] if close else None


def _allowed_keys(location: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = EnvironmentConfig
    for step in location:
        if isinstance(step, str):
            model = _model_in(model.model_fields[step].annotation)
    return [key for key in model.model_fields if model is not EnvironmentConfig or key != "name"]


def _model_in(annotation: Any) -> type[BaseModel]:
    """The section inside `Section`, `Section | None` or `tuple[Section, ...]`."""
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    raise AssertionError(f"no section in {annotation}")


def _dotted(location: tuple[int | str, ...]) -> str:
    text = ""
    for step in location:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return _cut(_in_one_line(text))


def _shown(value: Any) -> str:
    return _cut(_USER.sub("//…@", json.dumps(value, default=str, ensure_ascii=False)))


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def _in_one_line(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)
