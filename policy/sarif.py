"""Findings as SARIF 2.1.0, at the line of Python that made the resource.

Sources: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0", 3.27 (result), 3.35 (suppression);
GitHub, "SARIF support for code scanning" (which properties count, 25,000 results at most; suppressions do not count).
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from policy.findings import PolicyError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from policy.accepted import Review
    from policy.findings import Finding
    from stacks.document import Json, StackDocument

_NOWHERE = "main.py:1"  # a stack that was synthesized by something else: the line that makes all of them
_MOST_RESULTS = 25_000


class Places:
    """Where a resource comes from: its construct's path, and the line that made it (stacks/sources.py)."""

    def __init__(self, stacks: Sequence[StackDocument], sources: Mapping[str, str]) -> None:
        self._stacks = {stack.name: stack for stack in stacks}
        self._sources = sources

    @classmethod
    def beside(cls, folder: Path, stacks: Sequence[StackDocument]) -> Places:
        """With the sources that synthesis wrote beside the folder of stacks; without, where there are none."""
        path = folder.resolve().parent / "sources.json"
        try:
            sources = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            sources = {}
        except ValueError as error:
            raise PolicyError(f"{path}: is not JSON ({error}); run make synth") from None
        return cls(stacks, sources if isinstance(sources, dict) else {})

    def construct(self, finding: Finding) -> str:
        """The path of the construct, which begins with its stack."""
        stack = self._stacks.get(finding.stack)
        path = stack.construct_path(finding.address) if stack is not None else None
        return path or f"{finding.stack}/{finding.address}"

    def line(self, finding: Finding) -> str:
        """The file and line, "a/b.py:12", relative to the repository; "" where nobody knows."""
        return str(self._sources.get(self.construct(finding), ""))


def sarif(review: Review, places: Places, *, with_accepted: bool = True) -> Json:
    """The document; what is accepted is suppressed, with its reason.

    GitHub takes suppressed results for open alerts: for it, leave them out (`with_accepted=False`).

    Raises:
        PolicyError: there are more results than GitHub takes.
    """
    found: list[tuple[Finding, str | None]] = [(finding, None) for finding in review.unexplained]
    if with_accepted:
        found += [(finding, entry.reason) for finding, entry in review.explained]
    if len(found) > _MOST_RESULTS:
        raise PolicyError(f"{len(found)} findings; a SARIF file for GitHub may have {_MOST_RESULTS}")
    found.sort(key=lambda each: (each[0].check, each[0].stack, each[0].address))
    rules = {finding.check: finding.message for finding, _ in reversed(found)}
    return {
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "policy", "rules": [_rule(*each) for each in sorted(rules.items())]}},
                "automationDetails": {"id": "policy/"},
                "results": [_result(finding, reason, places) for finding, reason in found],
            }
        ],
    }


def _rule(check: str, message: str) -> Json:
    return {"id": check, "name": check, "shortDescription": {"text": message}}


def _result(finding: Finding, reason: str | None, places: Places) -> Json:
    construct = places.construct(finding)
    file, _, line = (places.line(finding) or _NOWHERE).rpartition(":")
    # The line moves with every edit above it, the construct does not.
    fingerprint = hashlib.sha256(f"{finding.check} {construct}".encode()).hexdigest()
    result: Json = {
        "ruleId": finding.check,
        "level": "error" if reason is None else "note",
        "message": {"text": f"{finding.message} ({finding.address}, construct {construct})"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": file, "uriBaseId": "%SRCROOT%"},
                    "region": {"startLine": int(line)},
                },
                "logicalLocations": [{"fullyQualifiedName": construct, "kind": "resource"}],
            }
        ],
        "partialFingerprints": {"construct/v1": fingerprint},
    }
    if reason is not None:
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": reason}]
    return result
