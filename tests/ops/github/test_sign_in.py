"""AWS credentials of a workflow: GitHub's token service is a stand-in, STS is moto's."""

from __future__ import annotations

import json
import stat
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

from ops.errors import FailedError, NotReadyError
from ops.github.sign_in import role_of, sign_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.local_aws import LocalAws

ROLE = "arn:aws:iam::123456789012:role/live-commerce-plan-dev"


@pytest.fixture
def token_service(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, str | None]]]:
    """What was asked of it."""
    asked: list[tuple[str, str | None]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers.get("Authorization")))
            content = json.dumps({"value": "a.web.token"}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_arguments: object) -> None:
            """Silence."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", f"http://127.0.0.1:{server.server_port}/token?x=1")
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "bearer-of-the-job")
    yield asked
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_job_gets_credentials_of_its_role(
    aws: LocalAws,
    token_service: list[tuple[str, str | None]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """For who owns the file only; what the job is known by goes to GitHub alone."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint)
    monkeypatch.setenv("HOME", str(tmp_path))

    path = sign_in(ROLE, "eu-west-3")

    assert token_service == [("/token?x=1&audience=sts.amazonaws.com", "bearer bearer-of-the-job")]
    assert path == tmp_path / ".aws" / "credentials"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [line.partition("=")[0] for line in path.read_text().splitlines()] == [
        "[default]", "aws_access_key_id", "aws_secret_access_key", "aws_session_token",
    ]  # fmt: skip


def test_fails_when_the_job_may_not_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ACTIONS_ID_TOKEN_REQUEST_URL", raising=False)

    with pytest.raises(NotReadyError, match="give it permissions: id-token: write"):
        sign_in(ROLE, "eu-west-3")


def test_fails_when_github_gives_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """And says nothing of what it was asked with."""
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", "http://127.0.0.1:1/x?y=z")
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "bearer-of-the-job")

    with pytest.raises(FailedError, match="GitHub gives no token: ") as error:
        sign_in(ROLE, "eu-west-3")

    assert "bearer-of-the-job" not in str(error.value)


def test_the_role_is_the_environments() -> None:
    other = ROLE.replace("dev", "prod")

    assert role_of("prod", json.dumps({"dev": ROLE, "prod": other})) == other
    assert role_of("prod", ROLE) == ROLE


@pytest.mark.parametrize("roles", ["", "{", "{}", "[]", '{"prod": 1}', "arn:aws:iam::1:role/x", "$(id)"])
def test_fails_when_there_is_no_role(roles: str) -> None:
    with pytest.raises(NotReadyError):
        role_of("prod", roles)
