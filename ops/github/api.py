"""GitHub's REST API, as little of it as workflows need.

Source: GitHub REST API, version 2022-11-28. The token never leaves its header: errors have the path and GitHub's words.
"""

from __future__ import annotations

import json
import os
import re
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ops.errors import FailedError, NotReadyError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SECONDS = 30  # for an answer
_LARGEST_ANSWER = 16 << 20  # bytes
_PAGE = 100
_MOST_PAGES = 30
_VERSION = "2022-11-28"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The token is for one host; where an artifact lies is asked for without it."""

    def redirect_request(self, *_arguments: Any) -> None:
        return None


@dataclass(frozen=True, kw_only=True, repr=False)
class Github:
    """One repository, as a token may see it."""

    api: str
    repository: str  # owner/name
    token: str

    @classmethod
    def of_workflow(cls) -> Github:
        """By the variables that a workflow has.

        Raises:
            NotReadyError: One is missing, or is not what it says.
        """
        api, repository, token = (
            os.environ.get(name, "") for name in ("GITHUB_API_URL", "GITHUB_REPOSITORY", "GITHUB_TOKEN")
        )
        if not api.startswith(("https://", "http://127.0.0.1:")):
            raise NotReadyError("GITHUB_API_URL must be an https:// URL: run this in a workflow")
        if not re.fullmatch(r"[\w.-]{1,100}/[\w.-]{1,100}", repository):
            raise NotReadyError("GITHUB_REPOSITORY must be owner/name: run this in a workflow")
        if not token:
            raise NotReadyError("GITHUB_TOKEN is not set: give the step env: GITHUB_TOKEN: ${{ github.token }}")
        return cls(api=api.rstrip("/"), repository=repository, token=token)

    def get(self, path: str) -> Any:
        return self._json("GET", path, None)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._json("POST", path, body)

    def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._json("PATCH", path, body)

    def delete(self, path: str) -> None:
        self._json("DELETE", path, None)

    def pages(self, path: str) -> Iterator[dict[str, Any]]:
        """All entries of a list, up to 3,000."""
        for page in range(1, _MOST_PAGES + 1):
            separator = "&" if "?" in path else "?"
            entries = self.get(f"{path}{separator}per_page={_PAGE}&page={page}")
            if not isinstance(entries, list):
                raise FailedError(f"GitHub answered {path} with something that is no list")
            yield from entries
            if len(entries) < _PAGE:
                return

    def redirection(self, path: str) -> str:
        """Where GitHub points to, without going there.

        Raises:
            FailedError: nowhere.
        """
        opener = urllib.request.build_opener(_NoRedirect)
        try:
            with opener.open(self._request("GET", path, None), timeout=_SECONDS):
                pass
        except urllib.error.HTTPError as error:
            target = error.headers.get("Location", "")
            if error.code == 302 and target.startswith(("https://", "http://127.0.0.1:")):
                return target
            raise FailedError(self._said(path, error)) from None
        except OSError as error:
            raise FailedError(f"GitHub does not answer {path}: {error}") from None
        raise FailedError(f"GitHub did not say where {path} lies")

    def _request(self, method: str, path: str, body: Mapping[str, Any] | None) -> urllib.request.Request:
        return urllib.request.Request(  # noqa: S310 - https, or a test's loopback
            f"{self.api}/repos/{self.repository}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Accept": "application/vnd.github+json",
                "Authorization": f"Bearer {self.token}",
                "Content-Type": "application/json",
                "X-GitHub-Api-Version": _VERSION,
            },
        )

    def _json(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        opener = urllib.request.build_opener(_NoRedirect)
        try:
            with opener.open(self._request(method, path, body), timeout=_SECONDS) as answer:
                text = answer.read(_LARGEST_ANSWER + 1)
        except urllib.error.HTTPError as error:
            raise FailedError(self._said(f"{method} {path}", error)) from None
        except OSError as error:
            raise FailedError(f"GitHub does not answer {method} {path}: {error}") from None
        if len(text) > _LARGEST_ANSWER:
            raise FailedError(f"GitHub answered {method} {path} with more than {_LARGEST_ANSWER >> 20} MB")
        try:
            return json.loads(text) if text else None
        except ValueError:
            raise FailedError(f"GitHub answered {method} {path} with something that is not JSON") from None

    def _said(self, what: str, error: urllib.error.HTTPError) -> str:
        said = error.read(300).decode(errors="replace").replace("\n", " ").replace(self.token, "***")
        return f"GitHub refused {what}: {error.code} {said}"
