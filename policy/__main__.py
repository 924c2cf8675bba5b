"""`python -m policy [--explain] [FOLDER]`: review synthesized stacks (`cdktf.out/stacks`)."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from policy.accepted import lines_to_add, read_accepted, review
from policy.checkov_scan import scan
from policy.findings import PolicyError, read_stacks
from policy.findings_file import write_findings
from policy.rules import RULES, check_rules
from policy.sarif import Places, sarif

ROOT = Path(__file__).resolve().parent.parent
BY_DESIGN = ROOT / "policy" / "accepted_by_design.toml"
ACCEPTED = ROOT / "policy" / "accepted.toml"  # belongs to whoever deploys


def main(arguments: list[str] | None = None) -> int:
    """Return 0 when every finding is explained, 1 when not (strictly: nor an explanation left over), 2 on bad input."""
    parser = argparse.ArgumentParser(
        prog="python -m policy",
        description="Review synthesized stacks with checkov and our own rules, against what is accepted: by design "
        "(policy/accepted_by_design.toml), and by you (policy/accepted.toml).",
    )
    parser.add_argument("folder", nargs="?", type=Path, default=Path("cdktf.out/stacks"))
    parser.add_argument("--accepted", type=Path, default=ACCEPTED, help="your list; it need not exist (%(default)s)")
    parser.add_argument("--explain", action="store_true", help="list the accepted findings with their reasons")
    parser.add_argument("--strict", action="store_true", help="fail on entries that match no finding, too")
    parser.add_argument("--sarif", type=Path, metavar="FILE", help="write them for code scanning, where they were made")
    parser.add_argument("--sarif-without-accepted", action="store_true", help="for GitHub, which shows those as open")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all findings, for `python -m ops plan-review`")
    options = parser.parse_args(arguments)
    try:
        stacks = read_stacks(options.folder)
        by_design, yours = read_accepted(BY_DESIGN), read_accepted(options.accepted)
        checkov = scan(options.folder, stacks)
        places = Places.beside(options.folder, stacks)
    except PolicyError as error:
        print(f"policy: {error}", file=sys.stderr)
        return 2
    result = review([*checkov.findings, *check_rules(stacks)], [*by_design, *yours], stacks)
    if options.json is not None:
        write_findings(options.json, result)
    if options.sarif is not None:
        document = sarif(result, places, with_accepted=not options.sarif_without_accepted)
        options.sarif.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if options.explain:
        for finding, entry in result.explained:
            print(f"accepted  {finding.stack}  {finding.address}  {finding.check}: {entry.reason}")
    for finding in result.unexplained:
        line = places.line(finding)
        made = f" ({line})" if line else ""
        print(f"FINDING   {finding.stack}  {finding.address}  {finding.check}: {finding.message}{made}")
    if result.unexplained:
        print(f"\nTo accept what you have looked at, add to {_shown(options.accepted)}, with your reason:\n")
        print(lines_to_add(result.unexplained))
    # An option that is on elsewhere makes entries of the design unused here: only ours are worth a word.
    unused = [
        *(f"{_shown(BY_DESIGN)}: {each}" for each in result.unused_of(by_design) if options.strict),
        *(f"{_shown(options.accepted)}: {each}" for each in result.unused_of(yours)),
    ]
    for each in unused:
        print(f"{'UNUSED   ' if options.strict else 'note     '} {each}: matches no finding")
    print(
        f"policy: {len(stacks)} stacks: checkov passed {checkov.passed} checks, {len(RULES)} rules of our own; "
        f"{len(result.explained)} findings accepted with a reason, {len(result.unexplained)} unexplained, "
        f"{len(unused)} entries unused"
    )
    return 1 if result.unexplained or (unused and options.strict) else 0


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
