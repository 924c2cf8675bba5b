"""`python -m ops bootstrap|deploy|destroy|... ENVIRONMENT`; the Makefile has a target for each."""

from __future__ import annotations

import argparse
import re
import signal
import sys
from pathlib import Path

from ops.aws.steady import MOST_WAIT_MINUTES, WAIT_MINUTES
from ops.commands.accepted_vulnerabilities import ACCEPTED
from ops.commands.bootstrap import bootstrap
from ops.commands.broadcasts import print_broadcasts
from ops.commands.deploy import deploy, print_backend_settings
from ops.commands.destroy import destroy
from ops.commands.destroy_bootstrap import destroy_bootstrap
from ops.commands.plan import write_plan
from ops.commands.vulnerabilities import SEVERITIES, print_vulnerabilities
from ops.errors import FailedError
from ops.plan_review.command import review_plans
from ops.processes import TerminatedError, end_on_sigterm
from ops.terminal import say

_HELP = {
    "bootstrap": "make state bucket, key and image repository, and move their state into the bucket",
    "deploy": "look at the account, show the plan of the streaming stack, ask, apply it, wait until it serves",
    "plan": "show the plan of the streaming stack with credentials that only read; print its fingerprint",
    "destroy": "show what would go, have the environment's name typed, destroy the streaming stack",
    "destroy-bootstrap": "the same for what bootstrap made: state bucket, key, images, deploy role",
    "broadcasts": "list what is live, and on which task",
    "vulnerabilities": "wait for ECR's scan of the image, list what it found, fail where a fix is to be had",
    "outputs": "print the lines for the backend's .env",
}
_PLAN_REVIEW = "plan-review"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m ops", description="Work on one environment in AWS.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser(_PLAN_REVIEW, help="what plans do to people who are live: --help of it tells", add_help=False)
    for name, help_ in _HELP.items():
        command = commands.add_parser(name, help=help_, description=help_)
        command.add_argument("environment", metavar="ENVIRONMENT", help="the name of a file in environments/: dev")
        if name in ("bootstrap", "deploy"):
            command.add_argument("--yes", action="store_true", help="apply the plan without asking")
        if name == "deploy":
            waiting = command.add_mutually_exclusive_group()
            waiting.add_argument("--no-wait", action="store_true", help="do not wait until the tasks are steady")
            waiting.add_argument(
                "--wait-minutes",
                type=_minutes,
                default=WAIT_MINUTES,
                metavar="MINUTES",
                help="how long at most (%(default)g)",
            )
            command.add_argument(
                "--reviewed", type=_fingerprint, metavar="FINGERPRINT", help="apply this plan only (python -m ops plan)"
            )
        if name == "plan":
            command.add_argument("--json", type=Path, metavar="FILE", help="write it there, for plan-review")
        if name == "broadcasts":
            command.add_argument("--task", metavar="TASK", help="on this one only: its ARN, or the last part of it")
        if name == "vulnerabilities":
            command.add_argument(
                "--digest", type=_digest, metavar="DIGEST", help="of another image than the configured"
            )
            command.add_argument(
                "--severity", choices=SEVERITIES, default="HIGH", help="fail from here on (%(default)s)"
            )
            command.add_argument(
                "--accepted",
                type=Path,
                default=ACCEPTED,
                metavar="FILE",
                help="what was looked at and accepted (policy/accepted_vulnerabilities.toml)",
            )
    return parser.parse_args()


def _fingerprint(text: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise argparse.ArgumentTypeError(f"{text[:80]!r}: must be 64 hexadecimal digits, as python -m ops plan prints")
    return text


def _digest(text: str) -> str:
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", text):
        raise argparse.ArgumentTypeError(f"must be sha256:<64 hex digits>, got {text}")
    return text


def _minutes(text: str) -> float:
    minutes = float(text)
    if not 0 < minutes <= MOST_WAIT_MINUTES:
        raise argparse.ArgumentTypeError(f"must be more than 0 and at most {MOST_WAIT_MINUTES:g}, got {text}")
    return minutes


def _run(arguments: argparse.Namespace) -> None:
    name = arguments.environment
    match arguments.command:
        case "bootstrap":
            bootstrap(name, yes=arguments.yes)
        case "deploy":
            wait_minutes = 0 if arguments.no_wait else arguments.wait_minutes
            deploy(name, yes=arguments.yes, wait_minutes=wait_minutes, reviewed=arguments.reviewed)
        case "plan":
            write_plan(name, arguments.json)
        case "destroy":
            destroy(name)
        case "destroy-bootstrap":
            destroy_bootstrap(name)
        case "broadcasts":
            print_broadcasts(name, arguments.task)
        case "vulnerabilities":
            print_vulnerabilities(
                name, digest=arguments.digest, severity=arguments.severity, accepted=arguments.accepted
            )
        case _:
            print_backend_settings(name)


def main() -> int:
    """0: done, or nothing to do. 1: failed, or not confirmed. 2: not ready. 3: stale. 130, 143: interrupted."""
    end_on_sigterm()
    if sys.argv[1:2] == [_PLAN_REVIEW]:
        return review_plans(sys.argv[2:])
    arguments = _arguments()
    try:
        _run(arguments)
    except FailedError as error:
        say(f"{arguments.command}: {error}")
        return error.status
    except KeyboardInterrupt:
        say(f"\n{arguments.command}: interrupted; run it again to go on")
        return 128 + signal.SIGINT
    except TerminatedError:
        say(f"{arguments.command}: terminated; run it again to go on")
        return 128 + signal.SIGTERM
    return 0


if __name__ == "__main__":
    sys.exit(main())
