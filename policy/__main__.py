"""`python -m policy [--explain] [FOLDER]`: review synthesized stacks (`cdktf.out/stacks`)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from policy.accepted import read_accepted, review
from policy.checkov_scan import scan
from policy.findings import PolicyError, read_stacks
from policy.findings_file import write_findings
from policy.rules import RULES, check_rules

ACCEPTED = Path(__file__).parent / "accepted.toml"


def main(arguments: list[str] | None = None) -> int:
    """Return 0 when every finding is explained and no explanation is left over, 1 when not, 2 on bad input."""
    parser = argparse.ArgumentParser(
        prog="python -m policy",
        description="Review synthesized stacks with checkov and our own rules, against policy/accepted.toml.",
    )
    parser.add_argument("folder", nargs="?", type=Path, default=Path("cdktf.out/stacks"))
    parser.add_argument("--explain", action="store_true", help="list the accepted findings with their reasons")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all findings, for `python -m ops plan-review`")
    options = parser.parse_args(arguments)
    try:
        stacks = read_stacks(options.folder)
        accepted = read_accepted(ACCEPTED)
        checkov = scan(options.folder, stacks)
    except PolicyError as error:
        print(f"policy: {error}", file=sys.stderr)
        return 2
    result = review([*checkov.findings, *check_rules(stacks)], accepted)
    if options.json is not None:
        write_findings(options.json, result)
    if options.explain:
        for finding, entry in result.explained:
            print(f"accepted  {finding.stack}  {finding.address}  {finding.check}: {entry.reason}")
    for finding in result.unexplained:
        print(f"FINDING   {finding.stack}  {finding.address}  {finding.check}: {finding.message}")
    for unused in result.unused:
        print(f"UNUSED    policy/accepted.toml: {unused}: matches no finding any more; take it out")
    print(
        f"policy: {len(stacks)} stacks: checkov passed {checkov.passed} checks, {len(RULES)} rules of our own; "
        f"{len(result.explained)} findings accepted with a reason, {len(result.unexplained)} unexplained, "
        f"{len(result.unused)} entries unused"
    )
    return 1 if result.unexplained or result.unused else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
