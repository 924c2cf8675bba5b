"""A stand-in for GitHub's REST API: what a workflow's steps ask of it, kept in memory. It cannot run here itself."""

from __future__ import annotations

import io
import json
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from ops.github.api import Github

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "ghs_0123456789"  # noqa: S105 - of nobody
BOT = {"login": "github-actions[bot]"}


class StandIn:
    """Comments, issues, pull requests, statuses, findings and one artifact."""

    def __init__(self) -> None:
        self.comments: dict[int, dict[str, Any]] = {}
        self.issues: dict[int, dict[str, Any]] = {}
        self.pulls: list[dict[str, Any]] = []
        self.posted: list[tuple[str, dict[str, Any]]] = []
        self.artifact: bytes | None = None
        self.refused = 0  # this status for everything
        self.tokens: list[str | None] = []
        self.url = ""

    def answer(  # noqa: C901, PLR0911 - a table of requests
        self, method: str, path: str, query: dict[str, list[str]], body: dict[str, Any]
    ) -> Any:
        parts = path.removeprefix("/repos/shop/live/").split("/")
        match method, parts:
            case "GET", ["issues", _, "comments"]:
                return self._page(list(self.comments.values()), query)
            case "POST", ["issues", _, "comments"]:
                return self._add(self.comments, {"user": BOT, **body})
            case "PATCH", ["issues", "comments", id_]:
                return self.comments[int(id_)].update(body)
            case "DELETE", ["issues", "comments", id_]:
                return self.comments.pop(int(id_)) and None
            case "GET", ["issues"]:
                return self._page([each for each in self.issues.values() if each.get("state") != "closed"], query)
            case "POST", ["issues"]:
                return self._add(self.issues, body)
            case "PATCH", ["issues", number]:
                return self.issues[int(number)].update(body)
            case "GET", ["pulls"]:
                return self._page(self.pulls, query)
            case "GET", ["actions", "runs", _, "artifacts"]:
                return {"artifacts": [{"id": 7, "name": query["name"][0], "expired": False}] if self.artifact else []}
            case "POST", _:
                self.posted.append(("/".join(parts), body))
                return {}
        raise KeyError(path)

    @staticmethod
    def _page(entries: list[dict[str, Any]], query: dict[str, list[str]]) -> list[dict[str, Any]]:
        size, page = int(query["per_page"][0]), int(query["page"][0])
        return entries[(page - 1) * size : page * size]

    @staticmethod
    def _add(kept: dict[int, dict[str, Any]], entry: dict[str, Any]) -> dict[str, Any]:
        number = max(kept, default=0) + 1
        kept[number] = {"id": number, "number": number, **entry}
        return kept[number]


def packed(files: dict[str, bytes]) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return memory.getvalue()


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    kept = StandIn()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            kept.tokens.append(self.headers.get("Authorization"))
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
            if address.path.endswith("/zip"):
                self.send_response(302)
                self.send_header("Location", f"{kept.url}/blob")
                self.end_headers()
                return
            if address.path == "/blob":
                content = kept.artifact or b""
            elif kept.refused:
                content = f"no, {self.headers.get('Authorization')}".encode()
            else:
                content = json.dumps(kept.answer(self.command, address.path, parse_qs(address.query), body)).encode()
            self.send_response(kept.refused or 200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815 - http.server looks for these names

        def log_message(self, *_arguments: object) -> None:
            """Silence."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield kept
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def github(stand_in: StandIn) -> Github:
    return Github(api=stand_in.url, repository="shop/live", token=TOKEN)
