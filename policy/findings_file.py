"""Findings as a file, so that those of a branch can be held against those of its base."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from policy.findings import PolicyError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from policy.accepted import Review

_LARGEST_BYTES = 16 * 1024 * 1024


class ReportedFinding(BaseModel):
    """One finding, and why it was accepted, if it was."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    check: str = Field(max_length=200)
    stack: str = Field(max_length=200)
    address: str = Field(max_length=1000)
    message: str = Field(max_length=2000)
    accepted: str | None = Field(default=None, max_length=4000)

    @property
    def environment(self) -> str:
        """The environment of the stack, which is the end of its name."""
        return self.stack.partition("-")[2]


class _FindingsFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1]
    findings: tuple[ReportedFinding, ...]


def write_findings(path: Path, review: Review) -> None:
    """Write all findings, sorted."""
    found = [(finding, None) for finding in review.unexplained]
    reported = [
        {
            "check": finding.check,
            "stack": finding.stack,
            "address": finding.address,
            "message": finding.message,
            "accepted": reason,
        }
        for finding, reason in [*found, *((finding, entry.reason) for finding, entry in review.explained)]
    ]
    reported.sort(key=lambda entry: (str(entry["stack"]), str(entry["address"]), str(entry["check"])))
    path.write_text(json.dumps({"schema_version": 1, "findings": reported}, indent=2) + "\n", encoding="utf-8")


def report(path: Path, findings: Sequence[ReportedFinding]) -> None:
    """Write findings that were read from such files."""
    found = [finding.model_dump() for finding in findings]
    path.write_text(json.dumps({"schema_version": 1, "findings": found}, indent=2) + "\n", encoding="utf-8")


def read_findings(path: Path) -> tuple[ReportedFinding, ...]:
    """Read such a file.

    Raises:
        PolicyError: when it is none.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST_BYTES + 1)
        if len(text) > _LARGEST_BYTES:
            raise PolicyError(f"{path}: is larger than {_LARGEST_BYTES // 1024**2} MB")
        return _FindingsFile.model_validate_json(text).findings
    except OSError as error:
        raise PolicyError(f"{path}: cannot be read: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the document"
        raise PolicyError(f"{path}: {where}: {first['msg']}; write it with python -m policy --json FILE") from None


def new_against(base: Sequence[ReportedFinding], findings: Sequence[ReportedFinding]) -> tuple[ReportedFinding, ...]:
    """What was not there before; also what was, and was accepted then only."""
    known = {(finding.check, finding.stack, finding.address, finding.accepted is None) for finding in base}
    return tuple(
        finding
        for finding in findings
        if (finding.check, finding.stack, finding.address, finding.accepted is None) not in known
    )
