"""Known vulnerabilities that somebody looked at and accepted for a time, each with its reason."""

from __future__ import annotations

import tomllib
from datetime import date  # noqa: TC003 - pydantic reads it
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ops.environment import ROOT
from ops.errors import NotReadyError

if TYPE_CHECKING:
    from pathlib import Path

ACCEPTED = ROOT / "policy" / "accepted_vulnerabilities.toml"  # yours: it need not exist


class Accepted(BaseModel):
    """One vulnerability, in some packages or in all that have it, until a day."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(min_length=1)
    packages: tuple[str, ...] = ()
    reason: str = Field(min_length=20)  # a word is no reason
    until: date

    def covers(self, id_: str, package: str, today: date) -> bool:
        return id_ == self.id and (not self.packages or package in self.packages) and today <= self.until


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    accepted: tuple[Accepted, ...] = ()


def read_accepted(path: Path) -> tuple[Accepted, ...]:
    """The list; empty when the default file does not exist.

    Raises:
        NotReadyError: it is no valid list.
    """
    if path == ACCEPTED and not path.exists():
        return ()
    try:
        return _File.model_validate(tomllib.loads(path.read_text())).accepted
    except OSError as error:
        raise NotReadyError(f"{path}: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise NotReadyError(
            f"{path.name}: is no list of [[accepted]] with id, packages (or none: all), reason, until: {error}"
        ) from None
