"""Words for the operator, and answers. Standard output is left to results."""

from __future__ import annotations

import sys

from ops.errors import FailedError


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def result(text: str) -> None:
    print(text, flush=True)


def confirm(question: str) -> None:
    """Ask for a yes.

    Raises:
        FailedError: it was anything else.
    """
    if _answer(f"{question} [yes/no] ").lower() not in ("y", "yes"):
        raise FailedError("not confirmed: nothing was changed (YES=1 or --yes goes on without asking)")


def confirm_by_name(name: str, what: str) -> None:
    """Ask for a name to be typed.

    Raises:
        FailedError: it was another one.
    """
    if _answer(f"{what} Type the environment's name ({name}) to go on: ") != name:
        raise FailedError("not confirmed: nothing was changed")


def _answer(question: str) -> str:
    print(question, end="", file=sys.stderr, flush=True)
    line = sys.stdin.readline()
    if not line.endswith("\n"):
        say("")
    return line.strip()
