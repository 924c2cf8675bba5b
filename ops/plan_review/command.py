"""`python -m ops plan-review PLAN.json...` and `... --offline ENVIRONMENT [--base REF]`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from ops.errors import FailedError
from ops.plan_review.comment import comment
from ops.plan_review.errors import NotUnderstoodError
from ops.plan_review.json_view import json_text
from ops.plan_review.reading import read_plan
from ops.plan_review.review import Review, review
from ops.plan_review.terminal_view import TerminalView
from ops.plan_review.text import short, visible
from ops.processes import TerminatedError
from ops.terminal import result, say
from policy.findings import PolicyError
from policy.findings_file import ReportedFinding, new_against, read_findings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ops.plan_review.plan import Plan

SAFE, NOT_UNDERSTOOD, NEEDS_APPROVAL = 0, 1, 2
MOST_PLANS = 32
_FORMATS = ("terminal", "markdown", "json")
_EPILOG = """\
exit status: 0 safe now; 2 not now, or not without approval; 1 not understood, or wrongly called.
A plan as JSON: terraform plan -out=PLANFILE; terraform show -json PLANFILE > dev.json
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Not argparse's 2, which says that a plan needs approval."""
        self.print_usage(sys.stderr)
        self.exit(NOT_UNDERSTOOD, f"{self.prog}: {message}\n")


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = _Parser(
        prog="python -m ops plan-review",
        description="What plans do to people who are live.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "plans",
        nargs="*",
        metavar="[ENVIRONMENT=]PLAN.json",
        help="of one environment or several; whose it is says its tag Environment, else its file's name",
    )
    parser.add_argument("--offline", metavar="ENVIRONMENT", help="synthesize and plan it here, without AWS")
    parser.add_argument(
        "--base", metavar="REF", help="with --offline: from what this commit had left, not from an empty account"
    )
    parser.add_argument(
        "--write-plans", type=Path, metavar="FOLDER", help="with --offline: the plans and new findings as JSON, too"
    )
    parser.add_argument("--format", choices=_FORMATS, default="terminal", help="(%(default)s)")
    parser.add_argument(
        "--findings",
        type=Path,
        action="append",
        metavar="NEW.json",
        help="policy's findings, of python -m policy --json NEW.json; several times for several environments",
    )
    parser.add_argument(
        "--base-findings", type=Path, metavar="BASE.json", help="the base's: only what is new against them is listed"
    )
    options = parser.parse_args(arguments)
    if bool(options.plans) == bool(options.offline):
        parser.error("name plans, or an environment with --offline")
    if len(options.plans) > MOST_PLANS:
        parser.error(f"{len(options.plans)} plans; at most {MOST_PLANS} are reviewed at once")
    if options.write_plans and not options.offline:
        parser.error("--write-plans goes with --offline")
    if options.base and not options.offline:
        parser.error("--base goes with --offline")
    if options.findings and options.offline:
        parser.error("--findings goes with plans; --offline with --base looks for itself")
    if options.base_findings and not options.findings:
        parser.error("--base-findings goes with --findings")
    return options


def review_plans(arguments: Sequence[str]) -> int:
    """0: safe now. 1: not understood, or failed. 2: not safe now. 130, 143: interrupted."""
    options = _arguments(arguments)
    try:
        plans, findings = _plans_and_findings(options)
        reviews = review(plans, findings)
        _print(reviews, options.format)
    except (FailedError, PolicyError) as error:
        # The text may hold names out of a plan. Line ends are ours where Terraform speaks.
        say("\n".join(visible(line) for line in f"plan-review: {error}".splitlines()))
        return NOT_UNDERSTOOD
    except KeyboardInterrupt:
        say("\nplan-review: interrupted")
        return 128 + signal.SIGINT
    except TerminatedError:
        say("plan-review: terminated")
        return 128 + signal.SIGTERM
    return NEEDS_APPROVAL if any(one.verdict for one in reviews) else SAFE


def _plans_and_findings(options: argparse.Namespace) -> tuple[list[Plan], tuple[ReportedFinding, ...]]:
    if options.offline:
        from ops.plan_review.offline import offline_plans  # noqa: PLC0415 - grpc and more, not needed for files

        return offline_plans(options.offline, options.base, options.write_plans)
    return [_plan(argument) for argument in options.plans], _new_findings(options)


def _plan(argument: str) -> Plan:
    environment, equals, path = argument.partition("=")
    if not equals or Path(argument).exists():
        return read_plan(Path(argument))
    if not environment or not path:
        raise NotUnderstoodError(f"{short(argument)}: must be ENVIRONMENT=PLAN.json, or PLAN.json")
    return read_plan(Path(path), environment)


def _new_findings(options: argparse.Namespace) -> tuple[ReportedFinding, ...]:
    base = read_findings(options.base_findings) if options.base_findings else ()
    found = tuple(finding for file in options.findings or () for finding in read_findings(file))
    return new_against(base, found)


def _print(reviews: Sequence[Review], format_: str) -> None:
    match format_:
        case "markdown":
            text = comment(reviews)
        case "json":
            text = json_text(reviews)
        case _:
            colours = sys.stdout.isatty() and "NO_COLOR" not in os.environ
            text = TerminalView(colours=colours).text(reviews)
    result(text.removesuffix("\n"))
