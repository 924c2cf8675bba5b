"""Findings for code scanning, and the one issue about drift."""

from __future__ import annotations

import base64
import gzip
import json
import re
from typing import TYPE_CHECKING

from ops.errors import NotReadyError

if TYPE_CHECKING:
    from pathlib import Path

    from ops.github.api import Github

_LARGEST_SARIF = 10 << 20  # bytes packed, that GitHub takes
_LONGEST_BODY = 60_000
_DRIFT = "drift"


def upload_sarif(github: Github, file: Path, sha: str, ref: str) -> None:
    """Give findings to code scanning. Source: REST API, "Upload an analysis as SARIF data".

    Raises:
        FailedError: GitHub refused.
        NotReadyError: the file is too large, or is not there.
    """
    if not re.fullmatch(r"refs/(heads|pull|tags)/[\w./-]{1,250}", ref):
        raise NotReadyError("the ref must be like refs/heads/main or refs/pull/1/merge")
    try:
        packed = gzip.compress(file.read_bytes(), mtime=0)
    except OSError as error:
        raise NotReadyError(f"{file}: cannot be read: {error.strerror}") from None
    if len(packed) > _LARGEST_SARIF:
        raise NotReadyError(f"{file}: is larger than {_LARGEST_SARIF >> 20} MB packed")
    github.post(
        "/code-scanning/sarifs",
        {"commit_sha": sha, "ref": ref, "sarif": base64.b64encode(packed).decode(), "tool_name": "policy"},
    )


def differs(review: str) -> bool:
    """Whether a review in JSON (one environment) says that something is not as the code says.

    Raises:
        NotReadyError: it is no review.
    """
    try:
        (one,) = json.loads(review)["environments"]
        return any(one["counts"].values()) or any(one[part] for part in ("outputs", "drift", "not_judged"))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotReadyError(f"the review is none of plan-review --format json: {error!r}") from None


def tell_drift(github: Github, environment: str, text: str) -> str:
    """Open, update or close the issue about what was changed outside Terraform; an empty text closes it.

    Raises:
        FailedError: GitHub refused.
    """
    marker = f"<!-- {_DRIFT}:{environment} -->"
    known = [
        issue
        for issue in github.pages(f"/issues?state=open&labels={_DRIFT}")
        if "pull_request" not in issue and marker in str(issue.get("body", ""))
    ]
    if not text:
        for issue in known:
            github.patch(f"/issues/{int(issue['number'])}", {"state": "closed", "state_reason": "completed"})
        return "closed" if known else "nothing to tell"
    body = f"{marker}\n{text}"[:_LONGEST_BODY]
    if known:
        github.patch(f"/issues/{int(known[0]['number'])}", {"body": body})
        return "updated"
    title = f"{environment} is not what the code says"
    github.post("/issues", {"title": title, "body": body, "labels": [_DRIFT]})
    return "opened"
