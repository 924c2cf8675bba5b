"""The lists of findings that were reviewed and accepted, each with its reason.

`policy/accepted_by_design.toml` is the project's: the reason lies in how the stacks are made, or in the kind of an
environment. `policy/accepted.toml` belongs to whoever deploys. checkov can skip nothing inside CDKTF's JSON, and its
baseline ignores the file, so that an exception for one environment would hide the same finding in another.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from policy.findings import PolicyError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from policy.findings import Finding
    from stacks.document import StackDocument

ANY_ENVIRONMENT = "*"


class Accepted(BaseModel):
    """One accepted check on some addresses: in some environments ("*" is any), or in those of which something is so."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    check: str = Field(min_length=1)
    addresses: tuple[str, ...] = Field(min_length=1)
    environments: tuple[str, ...] = Field(default=(ANY_ENVIRONMENT,), min_length=1)
    when: dict[Annotated[str, Field(pattern=r"^\w+\.\w+\.\w+$")], bool | int | str] = {}
    """Argument of a resource of the same stack ("type.id.argument") to the value that it has."""
    reason: str = Field(min_length=20)  # a word is no reason

    def covers(self, finding: Finding, stack: StackDocument | None) -> str | None:
        """The environment of the list under which the finding is accepted; None when it is not."""
        if finding.check != self.check or finding.address not in self.addresses:
            return None
        if any(stack is None or stack.argument(path) != value for path, value in self.when.items()):
            return None
        named = (environment for environment in self.environments if environment in (finding.environment, "*"))
        return next(named, None)


class _AcceptedFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    accepted: tuple[Accepted, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Review:
    """Findings sorted out."""

    unexplained: Sequence[Finding]
    explained: Sequence[tuple[Finding, Accepted]]
    unused: Sequence[tuple[Accepted, str]]  # an entry, and "check address environment" of it that no finding needs

    def unused_of(self, accepted: Sequence[Accepted]) -> list[str]:
        """What is unused of one list of several."""
        return [said for entry, said in self.unused if any(entry is one for one in accepted)]


def read_accepted(path: Path) -> list[Accepted]:
    """Read a list.

    Raises:
        PolicyError: when it is no valid list.
    """
    try:
        return list(_AcceptedFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8"))).accepted)
    except FileNotFoundError:
        return []
    except (tomllib.TOMLDecodeError, ValidationError, UnicodeDecodeError) as error:
        raise PolicyError(f"{path.name}: is no valid list of accepted findings: {error}") from None


def review(findings: Sequence[Finding], accepted: Sequence[Accepted], stacks: Sequence[StackDocument] = ()) -> Review:
    """Match findings with the list, both ways. `stacks` are what entries with a condition look at."""
    by_name = {stack.name: stack for stack in stacks}
    used: set[tuple[int, str, str]] = set()
    explained: list[tuple[Finding, Accepted]] = []
    unexplained: list[Finding] = []
    for finding in findings:
        matching = [
            (index, entry, environment)
            for index, entry in enumerate(accepted)
            if (environment := entry.covers(finding, by_name.get(finding.stack))) is not None
        ]
        used.update((index, finding.address, environment) for index, _, environment in matching)
        if matching:
            explained.append((finding, matching[0][1]))
        else:
            unexplained.append(finding)
    unused = [
        (entry, f"{entry.check} {address} {environment}")
        for index, entry in enumerate(accepted)
        for address in entry.addresses
        for environment in entry.environments
        if (index, address, environment) not in used
    ]
    return Review(unexplained=unexplained, explained=explained, unused=unused)


def lines_to_add(findings: Sequence[Finding]) -> str:
    """What accepts these findings in `policy/accepted.toml`, but for the reason: entries in TOML."""
    addresses: dict[tuple[str, str], set[str]] = {}
    for finding in findings:
        addresses.setdefault((finding.environment, finding.check), set()).add(finding.address)
    return "\n".join(
        "[[accepted]]\n"
        f"check = {json.dumps(check)}\n"
        f"addresses = {json.dumps(sorted(some))}\n"
        f"environments = {json.dumps([environment])}\n"
        'reason = ""  # yours, in twenty characters or more\n'
        for (environment, check), some in sorted(addresses.items())
    )
