"""`python -m ops bootstrap|deploy|destroy|outputs ENVIRONMENT`; the Makefile has a target for each."""

from __future__ import annotations

import argparse
import signal
import sys

from ops.bootstrap import bootstrap
from ops.deploy import deploy, destroy, print_backend_settings
from ops.errors import FailedError
from ops.processes import TerminatedError, end_on_sigterm
from ops.terminal import say


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m ops", description="Work on one environment in AWS.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, help_ in (
        ("bootstrap", "make state bucket, key and image repository, and move their state into the bucket"),
        ("deploy", "show the plan of the streaming stack, ask, apply it, print its outputs"),
        ("destroy", "show what would go, have the environment's name typed, destroy the streaming stack"),
        ("outputs", "print the lines for the backend's .env"),
    ):
        command = commands.add_parser(name, help=help_, description=help_)
        command.add_argument("environment", metavar="ENVIRONMENT", help="the name of a file in environments/: dev")
        if name in ("bootstrap", "deploy"):
            command.add_argument("--yes", action="store_true", help="apply the plan without asking")
    return parser.parse_args()


def _run(arguments: argparse.Namespace) -> None:
    match arguments.command:
        case "bootstrap":
            bootstrap(arguments.environment, yes=arguments.yes)
        case "deploy":
            deploy(arguments.environment, yes=arguments.yes)
        case "destroy":
            destroy(arguments.environment)
        case _:
            print_backend_settings(arguments.environment)


def main() -> int:
    """0: done, or nothing to do. 1: failed, or not confirmed. 2: not ready, nothing begun. 130, 143: interrupted."""
    arguments = _arguments()
    end_on_sigterm()
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
