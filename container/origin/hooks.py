"""The loopback side: nginx-rtmp's hooks, and the status that people on this machine ask for."""

from collections.abc import Callable
from typing import Any

from aiohttp import web

from origin.ingest import Ingest, Publisher, RefusedError
from origin.instances import Instances


def application(ingest: Ingest, instances: Instances, status: Callable[[], dict[str, Any]]) -> web.Application:
    """Hooks as in nginx.conf, and `GET /status`."""

    def located(request: web.Request, publisher: Publisher) -> Publisher:
        """With the nginx that it came to: a client's number is that one's own."""
        instance = request.query.get("instance", "")
        return publisher._replace(client=f"{instance}/{publisher.client}", port=instances.play_port(instance))

    async def publish(request: web.Request) -> web.Response:
        try:
            await ingest.publish(located(request, await _publisher(request)))
        except RefusedError as refusal:
            return web.Response(status=403, text=refusal.reason)
        instances.balance(session.client for session in ingest.sessions)
        return web.Response(text="ok")

    async def publish_done(request: web.Request) -> web.Response:
        ingest.done(located(request, await _publisher(request)))
        return web.Response(text="ok")

    async def show(_: web.Request) -> web.Response:
        return web.json_response(status())

    app = web.Application(client_max_size=64 << 10)
    app.add_routes(
        [
            web.post("/hooks/publish", publish),
            web.post("/hooks/publish_done", publish_done),
            web.get("/status", show),
        ]
    )
    return app


async def _publisher(request: web.Request) -> Publisher:
    """The hook's fields. A key's own query arguments come last and may repeat a name: the first one counts."""
    form = await request.post()

    def first(name: str) -> str:
        value = form.get(name, "")
        return value if isinstance(value, str) else ""

    return Publisher(name=first("name"), app=first("app"), addr=first("addr"), client=first("clientid"))
