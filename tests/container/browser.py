"""Chromium on the real player page, reading the numbers off the pictures that it shows."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Protocol, Self

from playwright.sync_api import Page, sync_playwright

from tests.container.image import PATIENCE_SECONDS
from tests.container.publisher import BITS, COLUMNS, LEFT
from tests.container.support import CONTAINER, eventually
from tests.ports import free_ports

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--autoplay-policy=no-user-gesture-required",
]

# One entry for each picture shown: wall clock in ms, latency in ms (or null where the number cannot be read), height.
READER = """
(() => {
  window.shown = [];
  window.stalls = 0;
  const columns = COLUMNS, left = LEFT, bits = BITS, modulus = 2 ** bits;
  const canvas = document.createElement("canvas");
  canvas.width = columns; canvas.height = 1;
  const drawing = canvas.getContext("2d", { willReadFrequently: true });
  const read = (video) => {
    const { videoWidth: width, videoHeight: height } = video;
    drawing.imageSmoothingEnabled = false; // the middle of each block
    drawing.drawImage(video, 0, height / 30, width, 1, 0, 0, columns, 1);
    const row = drawing.getImageData(0, 0, columns, 1).data;
    let word = 0;
    for (let i = 0; i < bits + 4; i++) word = word * 2 + (row[(left + i) * 4] > 125 ? 1 : 0);
    const number = Math.floor(word / 16), check = word % 16;
    const sum = (number ^ (number >> 4) ^ (number >> 8) ^ (number >> 12) ^ (number >> 16)) & 15;
    return sum === check ? number : null;
  };
  const attach = () => {
    const video = document.querySelector("video");
    if (!video) return setTimeout(attach, 10);
    const frame = () => {
      const now = Date.now(), number = read(video);
      const latency = number === null ? null : (((now % modulus) - number + modulus) % modulus);
      window.shown.push([now, latency, video.videoHeight]);
      video.requestVideoFrameCallback(frame);
    };
    video.requestVideoFrameCallback(frame);
    let playing = false;
    video.addEventListener("playing", () => { playing = true; });
    video.addEventListener("waiting", () => { if (playing) window.stalls++; });
  };
  if (document.readyState === "loading") addEventListener("DOMContentLoaded", attach); else attach();
})();
"""
for name, value in (("COLUMNS", COLUMNS), ("LEFT", LEFT), ("BITS", BITS)):
    READER = READER.replace(name, str(value))


class Served(Protocol):
    """A player page on loopback."""

    port: int


class Player:
    """The player page's server."""

    def __init__(self, http_port: int) -> None:
        (self.port,) = free_ports(1)
        self._process = subprocess.Popen(
            [sys.executable, str(CONTAINER / "player" / "serve.py"), str(self.port)],
            env={"HLS_BASE_URL": f"http://127.0.0.1:{http_port}", "PATH": ""},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE_SECONDS)


class Viewer:
    """One browser on one broadcast."""

    def __init__(
        self, player: Served, profile: Path, *, init_script: str = "", chromium: Path = Path("/usr/bin/chromium")
    ) -> None:
        self._player = player
        self._playwright = sync_playwright().start()
        self._context = self._playwright.chromium.launch_persistent_context(
            str(profile), executable_path=str(chromium), args=FLAGS, viewport={"width": 480, "height": 400}
        )
        self.page: Page = self._context.pages[0]
        self.page.add_init_script(READER + init_script)

    def open(self, playback_id: str) -> float:
        """Go to the broadcast's page; when, in seconds since 1970."""
        url = f"http://127.0.0.1:{self._player.port}/live/{playback_id}"

        def loaded() -> bool:
            try:
                self.page.goto(url)
            except Exception as error:
                if "ERR_CONNECTION_REFUSED" in str(error):
                    return False
                raise
            return True

        eventually(loaded, "player page")
        return time.time()

    def ask(self, script: str) -> Any:
        return self.page.evaluate(script)

    @property
    def state(self) -> str:
        return str(self.ask("window.player.state"))

    def shown(self) -> list[tuple[int, int | None, int]]:
        return [(at, latency, height) for at, latency, height in self.ask("window.shown")]

    def wait_for_picture(self) -> float:
        """When the first picture was on screen, in seconds since 1970."""

        def first() -> list[tuple[int, int | None, int]]:
            return [entry for entry in self.shown() if entry[1] is not None]

        return float(eventually(first, "a picture")[0][0]) / 1000

    def close(self) -> None:
        self._context.close()
        self._playwright.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
