"""A stand-in for the backend: hands out stream keys and says which may publish. For local runs and tests only.

`python local_backend.py [port]`, loopback unless HOST says otherwise. The key `test-stream-key` always works, and is
the playback id as well; the demo's has an id of its own.
"""

import os
import re
import secrets
import sys

from aiohttp import web

DEFAULT_PORT = 3000
TEST_KEY = "test-stream-key"
DEMO_KEY, DEMO_ID = "demo-stream-key", "demo"


def application(keys: dict[str, str | None] | None = None) -> web.Application:
    """The two endpoints over a table of keys and their playback ids (None: the key is the id)."""
    known: dict[str, str | None] = {TEST_KEY: None, DEMO_KEY: DEMO_ID} if keys is None else keys

    async def generate_key(_: web.Request) -> web.Response:
        key, playback_id = secrets.token_urlsafe(18), secrets.token_hex(6)
        known[key] = playback_id
        return web.json_response(
            {
                "streamKey": key,
                "playbackId": playback_id,
                "rtmpUrl": "rtmp://localhost:1935/live",
                "streamUrl": f"http://localhost:8080/hls/{playback_id}/master.m3u8",
            }
        )

    async def auth(request: web.Request) -> web.Response:
        name = (await request.post()).get("name")
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", name) or name not in known:
            return web.json_response({"allowed": False}, status=403)
        playback_id = known[name]
        return web.json_response({"allowed": True} | ({"playbackId": playback_id} if playback_id else {}))

    async def health(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    app = web.Application()
    app.add_routes(
        [
            web.post("/api/streaming/generate-key", generate_key),
            web.post("/api/streaming/auth", auth),
            web.get("/health", health),
        ]
    )
    return app


def main() -> None:
    port = int(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_PORT
    web.run_app(application(), host=os.environ.get("HOST", "127.0.0.1"), port=port, print=None)


if __name__ == "__main__":
    main()
