"""The examples of docs/backend.md, each with a real origin: a key from them broadcasts, another does not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.container.image import PATIENCE_SECONDS
from tests.container.support import Origin, Publisher, eventually
from tests.ports import free_ports
from tests.shipped import ROOT
from tests.test_synth_command import NODE_FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

EXAMPLES = ROOT / "examples" / "backend"
TYPESCRIPT = EXAMPLES / "typescript"
TOKEN = "hush-hush"  # noqa: S105 # of these tests
PORT = "{port}"
COMMANDS = {
    "Python": [sys.executable, "-m", "uvicorn", "--app-dir", str(EXAMPLES), "shop:app", "--port", PORT],
    "TypeScript": [str(NODE_FOLDER / "node"), str(TYPESCRIPT / "dist" / "main.js")],
}


@dataclass(frozen=True)
class Shop:
    url: str

    def ask(self, what: str, body: str = "", **headers: str) -> tuple[int, dict[str, object]]:
        """Status and JSON of `POST /api/streaming/<what>`."""
        request = urllib.request.Request(f"{self.url}/api/streaming/{what}", body.encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as response:  # loopback
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def answers(self) -> bool:
        try:
            return self.ask("auth", "name=none")[0] in {401, 403}
        except OSError:
            return False


@contextmanager
def opened(language: str) -> Iterator[Shop]:
    (port,) = free_ports(1)
    if language == "TypeScript":
        compiler = TYPESCRIPT / "node_modules" / "typescript" / "bin" / "tsc"
        subprocess.run([NODE_FOLDER / "node", compiler], cwd=TYPESCRIPT, check=True, timeout=PATIENCE_SECONDS * 4)
    command = [part.replace(PORT, str(port)) for part in COMMANDS[language]]
    environment = os.environ | {"PORT": str(port), "BACKEND_TOKEN": TOKEN}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            shop = Shop(f"http://127.0.0.1:{port}")
            eventually(shop.answers, f"the backend in {language}")
            yield shop
        finally:
            process.terminate()


@pytest.mark.parametrize("language", COMMANDS)
def test_a_key_of_the_shops_broadcasts_under_its_playback_id(language: str) -> None:
    """And the key itself leads viewers nowhere, another key is refused, and who lacks the token learns nothing."""
    with opened(language) as shop:
        status, made = shop.ask("generate-key")
        assert status == 201
        key, playback_id = str(made["streamKey"]), str(made["playbackId"])
        with Origin(shop.url, BACKEND_TOKEN=TOKEN) as origin:
            with Publisher(origin, key):
                eventually(lambda: origin.fetch(f"/hls/{playback_id}/master.m3u8").status == 200, "a playlist")
                assert origin.fetch(f"/hls/{key}/master.m3u8").status == 404
            with Publisher(origin, "guessed"):
                eventually(lambda: origin.messages("publisher refused"), "a refusal")
            (refusal,) = origin.messages("publisher refused")
            assert refusal["reason"] == "unauthorized"
            assert not any(key in line for line in origin.lines)

        form = {"Content-Type": "application/x-www-form-urlencoded"}
        assert shop.ask("auth", f"name={key}", **form)[0] == 401
        assert shop.ask("auth", f"name={key}", Authorization=f"Bearer {TOKEN}x", **form)[0] == 401
        status, answer = shop.ask("auth", f"name={key}", Authorization=f"Bearer {TOKEN}", **form)
        assert (status, answer) == (200, {"success": True, "playbackId": playback_id})
