"""`python -m ops.github COMMAND`: the steps of workflows that speak to GitHub. By GITHUB_TOKEN and its like."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ops.errors import FailedError, NotReadyError
from ops.github.api import Github
from ops.github.artifacts import fetch_artifact
from ops.github.pull_requests import post_comment, pull_request_of, set_check
from ops.github.reports import differs, tell_drift, upload_sarif
from ops.github.sign_in import role_of, sign_in
from ops.terminal import result, say


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m ops.github", description="Tell GitHub, from within a workflow.")
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, help_: str, *options: str) -> None:
        added = commands.add_parser(name, help=help_, description=help_)
        for option in options:
            numbers, files = ("--pull-request", "--run"), ("--file", "--folder", "--review")
            kind = int if option in numbers else Path if option in files else str
            added.add_argument(option, type=kind, required=True)

    command("comment", "write the review into the pull request, in place of the one before", "--pull-request", "--file")
    command("check", "set the commit's check by a review in JSON", "--sha", "--file", "--url")
    command("pull-request", "print the number of a branch's open pull request", "--owner", "--branch", "--sha")
    command("artifact", "fetch the JSON files of another run's artifact", "--run", "--name", "--folder")
    command("sarif", "give findings to code scanning", "--file", "--sha", "--ref")
    command("drift", "open, update or close the issue about drift", "--environment", "--review", "--file")
    command(
        "sign-in", "get an hour's AWS credentials of the role of an environment", "--environment", "--roles", "--region"
    )
    return parser.parse_args()


def _run(arguments: argparse.Namespace) -> None:
    if arguments.command == "sign-in":
        role = role_of(arguments.environment, arguments.roles)
        sign_in(role, arguments.region)
        say(f"signed in as {role}, for an hour")
        return
    github = Github.of_workflow()
    match arguments.command:
        case "comment":
            say(f"comment {post_comment(github, arguments.pull_request, arguments.file)}")
        case "check":
            say(f"check: {set_check(github, arguments.sha, arguments.file, arguments.url)}")
        case "pull-request":
            result(str(pull_request_of(github, arguments.owner, arguments.branch, arguments.sha)))
        case "artifact":
            for path in fetch_artifact(github, arguments.run, arguments.name, arguments.folder):
                result(str(path))
        case "sarif":
            upload_sarif(github, arguments.file, arguments.sha, arguments.ref)
        case _:
            text = _content(arguments.file) if differs(_content(arguments.review)) else ""
            say(f"issue: {tell_drift(github, arguments.environment, text)}")


def _content(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise NotReadyError(f"{file}: cannot be read: {error}") from None


def main() -> int:
    """0: done. 1: GitHub refused. 2: something is missing."""
    arguments = _arguments()
    try:
        _run(arguments)
    except FailedError as error:
        say(f"{arguments.command}: {error}")
        return error.status
    return 0


if __name__ == "__main__":
    sys.exit(main())
