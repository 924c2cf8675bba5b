"""One comment and one check on a pull request."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from ops.errors import FailedError, NotReadyError
from ops.plan_review.comment import MOST_CHARACTERS

if TYPE_CHECKING:
    from pathlib import Path

    from ops.github.api import Github

_MARKER = re.compile(r"^<!-- plan-review:v\d+:([\w-]{1,64}) -->$", re.MULTILINE)
_BOT = "github-actions[bot]"
_STATES = {"safe now": "success"}  # of the check; anything else waits for somebody
_CONTEXT = "plan review"
_DESCRIPTION = 140  # characters that GitHub takes


def post_comment(github: Github, number: int, file: Path) -> str:
    """Write the review's comment, in place of the one before; what else there is of the same environments goes.

    Raises:
        FailedError: GitHub refused.
        NotReadyError: the file is no comment of `plan-review --format markdown`.
    """
    text = _text(file)
    environments = set(_MARKER.findall(text))
    if not environments:
        raise NotReadyError(f"{file}: has no marker of plan-review --format markdown")
    ours = [
        comment
        for comment in github.pages(f"/issues/{number}/comments")
        if comment.get("user", {}).get("login") == _BOT
        and environments & set(_MARKER.findall(str(comment.get("body", ""))))
    ]
    for old in ours[1:]:
        github.delete(f"/issues/comments/{int(old['id'])}")
    if ours:
        github.patch(f"/issues/comments/{int(ours[0]['id'])}", {"body": text})
        return "updated"
    github.post(f"/issues/{number}/comments", {"body": text})
    return "written"


def _text(file: Path) -> str:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NotReadyError(f"{file}: cannot be read: {error}") from None
    if len(text) > MOST_CHARACTERS:
        raise NotReadyError(f"{file}: has {len(text)} characters, at most {MOST_CHARACTERS}")
    return text


def set_check(github: Github, sha: str, file: Path, url: str) -> str:
    """Set the commit's check by a review in JSON; returns its state.

    Raises:
        FailedError: GitHub refused.
        NotReadyError: the file is no review.
    """
    try:
        document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        verdicts = {str(one["environment"]): str(one["verdict"]) for one in document["environments"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NotReadyError(f"{file}: is no review of plan-review --format json: {error!r}") from None
    if not verdicts:
        raise NotReadyError(f"{file}: reviews nothing")
    state = "success" if all(verdict in _STATES for verdict in verdicts.values()) else "failure"
    said = ", ".join(f"{environment}: {verdict}" for environment, verdict in verdicts.items())
    github.post(
        f"/statuses/{sha}",
        {"state": state, "context": _CONTEXT, "description": said[:_DESCRIPTION], "target_url": url},
    )
    return state


def pull_request_of(github: Github, owner: str, branch: str, sha: str) -> int:
    """The open pull request from this branch whose head is this commit. Of a fork, the event does not name it.

    Raises:
        FailedError: there is none (any more).
    """
    if not re.fullmatch(r"[A-Za-z0-9-]{1,39}", owner) or not re.fullmatch(r"[\w./-]{1,255}", branch):
        raise FailedError("the pull request's owner or branch has an unusual name: it is not commented on")
    for request in github.pages(f"/pulls?state=open&head={owner}:{branch}"):
        if request.get("head", {}).get("sha") == sha:
            return int(request["number"])
    raise FailedError(f"no open pull request from {owner}:{branch} has the head {sha[:12]}")
