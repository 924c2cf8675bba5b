"""Run the real checkov on synthesized stacks."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from policy.findings import Finding, PolicyError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stacks.document import Json, StackDocument


@dataclass(frozen=True, kw_only=True, slots=True)
class Scan:
    """What checkov said of all stacks together."""

    passed: int
    findings: Sequence[Finding]


def scan(folder: Path, stacks: Sequence[StackDocument]) -> Scan:
    """Scan all stacks in one run; checkov resolves references within one directory only, so they do not mix.

    Raises:
        PolicyError: when checkov fails, or cannot parse a stack. (It then reports no finding and exits 0.)
    """
    command = [str(Path(sys.executable).parent / "checkov"), "--directory", str(folder)]
    command += ["--framework", "terraform_json", "--output", "json", "--soft-fail", "--skip-download", "--quiet"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise PolicyError(f"checkov failed with exit code {run.returncode}: {run.stderr.strip()[-2000:]}")
    report: Json = json.loads(run.stdout)
    summary = report["summary"]
    by_name = {stack.name: stack for stack in stacks}
    if summary["parsing_errors"]:
        raise PolicyError(f"checkov could not parse {summary['parsing_errors']} of {len(stacks)} stacks")
    findings = [_finding(failed, by_name) for failed in report["results"]["failed_checks"]]
    return Scan(passed=summary["passed"], findings=findings)


def _finding(failed: Json, stacks: dict[str, StackDocument]) -> Finding:
    stack = stacks[Path(failed["file_path"]).parent.name]
    # For Terraform JSON checkov writes "aws_lb.X", "resource.X" or "data.X", depending on the check.
    logical_id = str(failed["resource"]).rpartition(".")[2]
    return Finding(
        check=failed["check_id"],
        stack=stack.name,
        address=stack.address_of(logical_id),
        message=failed["check_name"],
    )
