"""The list of findings that were reviewed and accepted, each with its reason (`policy/accepted.toml`).

checkov can skip nothing inside CDKTF's JSON, and its baseline ignores the file, so that an exception for dev would hide
the same finding in prod.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from policy.findings import PolicyError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from policy.findings import Finding

ANY_ENVIRONMENT = "*"


class Accepted(BaseModel):
    """One accepted check on some addresses in some environments; the environment "*" is any."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    check: str = Field(min_length=1)
    addresses: tuple[str, ...] = Field(min_length=1)
    environments: tuple[str, ...] = Field(min_length=1)
    reason: str = Field(min_length=20)  # a word is no reason


class _AcceptedFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    accepted: tuple[Accepted, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Review:
    """Findings sorted out."""

    unexplained: Sequence[Finding]
    explained: Sequence[tuple[Finding, Accepted]]
    unused: Sequence[str]  # "check address environment" that the list has and no finding needs


def read_accepted(path: Path) -> list[Accepted]:
    """Read the list.

    Raises:
        PolicyError: when it is no valid list.
    """
    try:
        return list(_AcceptedFile.model_validate(tomllib.loads(path.read_text())).accepted)
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise PolicyError(f"{path.name}: is no valid list of accepted findings: {error}") from None


def review(findings: Sequence[Finding], accepted: Sequence[Accepted]) -> Review:
    """Match findings with the list, both ways."""
    entries = {
        (entry.check, address, environment): entry
        for entry in accepted
        for address in entry.addresses
        for environment in entry.environments
    }
    used: set[tuple[str, str, str]] = set()
    explained: list[tuple[Finding, Accepted]] = []
    unexplained: list[Finding] = []
    for finding in findings:
        keys = [(finding.check, finding.address, environment) for environment in (finding.environment, ANY_ENVIRONMENT)]
        matching = [key for key in keys if key in entries]
        used.update(matching)
        if matching:
            explained.append((finding, entries[matching[0]]))
        else:
            unexplained.append(finding)
    unused = [" ".join(key) for key in entries if key not in used]
    return Review(unexplained=unexplained, explained=explained, unused=unused)
