"""Serves the built player page: `/live/<id>` is the page, for every id. For local runs only.

`python serve.py [port]`, loopback unless HOST says otherwise. HLS_BASE_URL names the origin; without it the page asks
port 8080 of the host that it came from.
"""

import os
import sys
from pathlib import Path

from aiohttp import web

DEFAULT_PORT = 3001
PAGE = Path(__file__).parent / "dist"
_NOT_KEPT = {"Cache-Control": "no-cache"}  # a rebuilt page is what the next reload shows


def application(page: Path = PAGE, hls_base_url: str = "") -> web.Application:
    """The page over a folder made by `npm run build`."""

    async def index(_: web.Request) -> web.FileResponse:
        return web.FileResponse(page / "index.html", headers=_NOT_KEPT)

    async def config(_: web.Request) -> web.Response:
        return web.json_response({"hlsBaseUrl": hls_base_url}, headers=_NOT_KEPT)

    async def asset(request: web.Request) -> web.FileResponse:
        file = page / "assets" / request.match_info["name"]
        if not file.is_file():
            raise web.HTTPNotFound
        return web.FileResponse(file, headers=_NOT_KEPT)

    async def health(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    app = web.Application()
    app.add_routes(
        [
            web.get("/", index),
            web.get("/live/{id}", index),
            web.get("/config.json", config),
            web.get("/health", health),
            web.get(r"/assets/{name:[\w.-]+}", asset),
        ]
    )
    return app


def main() -> None:
    if not (PAGE / "index.html").exists():
        sys.exit(f"serve: no page in {PAGE}: run npm ci && npm run build beside {Path(__file__).name}")
    port = int(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_PORT
    app = application(hls_base_url=os.environ.get("HLS_BASE_URL", ""))
    web.run_app(app, host=os.environ.get("HOST", "127.0.0.1"), port=port, print=None)


if __name__ == "__main__":
    main()
