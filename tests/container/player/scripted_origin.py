"""An origin that plays a script: one prepared minute and a half of three renditions, put on air, paused and ended.

The real origin is tested elsewhere with the real player page; here the faults are chosen by the test.
"""

from __future__ import annotations

import asyncio
import subprocess
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from aiohttp import web

from tests.container.image import PATIENCE_SECONDS

if TYPE_CHECKING:
    from pathlib import Path

SEGMENT_SECONDS = 1
SHOW_SECONDS = 90
WINDOW = 6
RENDITIONS = {"720p": (1280, 720, 2_500_000), "480p": (854, 480, 1_000_000), "360p": (640, 360, 500_000)}
BROADCAST = "test-show"
CORS = {"Access-Control-Allow-Origin": "*", "Cache-Control": "no-store"}


def make_show(folder: Path, size: str = "1280x720") -> Path:
    """Encode the renditions once; 10 pictures a second are enough to see that they move."""
    arguments = ["ffmpeg", "-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", f"testsrc2=size={size}:rate=10"]
    arguments += ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"]
    across, down = map(int, size.split("x"))
    for name, (width, height, _) in RENDITIONS.items():
        (folder / name).mkdir(parents=True)
        scale = f"scale={height}:{width}" if across < down else f"scale={width}:{height}"
        arguments += ["-map", "0:v", "-map", "1:a", "-vf", scale, "-t", str(SHOW_SECONDS), "-c:v", "libx264"]
        arguments += ["-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "10", "-sc_threshold", "0", "-c:a", "aac"]
        arguments += ["-f", "hls", "-hls_time", str(SEGMENT_SECONDS), "-hls_segment_type", "fmp4"]
        arguments += ["-hls_playlist_type", "vod", "-hls_segment_filename", str(folder / name / "%d.m4s")]
        arguments += [str(folder / name / "vod.m3u8")]
    subprocess.run(arguments, check=True, timeout=PATIENCE_SECONDS)
    return folder


@dataclass
class ScriptedOrigin:
    show: Path
    page: Path
    started_at: float | None = None  # time.time() of the first segment's start
    paused_at: float | None = None
    ended: bool = False
    failing: bool = False
    requests: list[str] = field(default_factory=list)
    url: str = ""
    _runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/hls/{id}/master.m3u8", self._master)
        app.router.add_get("/hls/{id}/{rendition}/index.m3u8", self._media)
        app.router.add_get("/hls/{id}/{rendition}/{name}", self._segment)
        app.router.add_get("/live/{id}", self._index)
        app.router.add_get("/", self._index)
        app.router.add_static("/assets", self.page / "assets")
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await asyncio.wait_for(self._runner.cleanup(), PATIENCE_SECONDS)

    @property
    def page_url(self) -> str:
        return f"{self.url}/live/{BROADCAST}?origin={self.url}"

    def go_live(self) -> None:
        """Put the show on air, some segments old, as a broadcast that began a little ago."""
        self.started_at = time.time() - 4 * SEGMENT_SECONDS
        self.paused_at, self.ended, self.failing = None, False, False

    def pause(self) -> None:
        """Let the publisher fall silent: the playlists stay and do not grow."""
        self.paused_at = time.time()

    def resume(self) -> None:
        """Go on with the next segment: the clock of the show stood still meanwhile."""
        assert self.started_at is not None
        assert self.paused_at is not None
        self.started_at += time.time() - self.paused_at
        self.paused_at = None

    def end(self) -> None:
        self.pause()
        self.ended = True

    def remove(self) -> None:
        self.started_at = None

    def _complete_segments(self) -> int:
        assert self.started_at is not None
        return int(((self.paused_at or time.time()) - self.started_at) / SEGMENT_SECONDS)

    def _refusal(self, request: web.Request) -> web.Response | None:
        self.requests.append(request.path)
        if self.failing:
            return web.Response(status=503, headers=CORS)
        if self.started_at is None or request.match_info["id"] != BROADCAST:
            return web.Response(status=404, headers=CORS)
        return None

    async def _index(self, _: web.Request) -> web.FileResponse:
        return web.FileResponse(self.page / "index.html")

    async def _master(self, request: web.Request) -> web.Response:
        if refusal := self._refusal(request):
            return refusal
        lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"]
        for name, (width, height, bits) in RENDITIONS.items():
            lines += [
                f'#EXT-X-STREAM-INF:BANDWIDTH={bits},RESOLUTION={width}x{height},CODECS="avc1.42c01f,mp4a.40.2"',
                f"{name}/index.m3u8",
            ]
        return web.Response(text="\n".join([*lines, ""]), headers=CORS, content_type="application/vnd.apple.mpegurl")

    async def _media(self, request: web.Request) -> web.Response:
        if refusal := self._refusal(request):
            return refusal
        assert self.started_at is not None
        end = min(self._complete_segments(), SHOW_SECONDS)
        first = max(0, end - WINDOW)
        stamp = datetime.fromtimestamp(self.started_at + first * SEGMENT_SECONDS, UTC).isoformat(
            timespec="milliseconds"
        )
        lines = ["#EXTM3U", "#EXT-X-VERSION:7", f"#EXT-X-TARGETDURATION:{SEGMENT_SECONDS}"]
        lines += [f"#EXT-X-MEDIA-SEQUENCE:{first}", '#EXT-X-MAP:URI="init.mp4"', f"#EXT-X-PROGRAM-DATE-TIME:{stamp}"]
        for number in range(first, end):
            lines += [f"#EXTINF:{SEGMENT_SECONDS:.3f},", f"{number}.m4s"]
        lines += ["#EXT-X-ENDLIST"] if self.ended else []
        return web.Response(text="\n".join([*lines, ""]), headers=CORS, content_type="application/vnd.apple.mpegurl")

    async def _segment(self, request: web.Request) -> web.StreamResponse:
        if refusal := self._refusal(request):
            return refusal
        file = self.show / request.match_info["rendition"] / request.match_info["name"]
        return web.FileResponse(file, headers=CORS) if file.is_file() else web.Response(status=404, headers=CORS)
