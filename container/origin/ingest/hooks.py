"""The loopback side: nginx-rtmp's hooks, and the status that people on this machine ask for.

A hook's body has what strangers wrote in it, the arguments of a name byte for byte. So it is taken apart here, as the
form that nginx-rtmp writes, whatever its header says; and no handler's failure is more than one line and a no.
"""

import ipaddress
import logging
import re
from collections.abc import Awaitable, Callable
from traceback import extract_tb
from typing import Any
from urllib.parse import unquote_to_bytes

from aiohttp import web

from origin.ingest.door import Door, Publisher, PublisherRefusedError
from origin.ingest.instances import Instances

_LOG = logging.getLogger(__name__)

LARGEST = 16 << 10  # bytes; nginx-rtmp's own bounds on names and arguments make it 4 KiB at most
_FIELDS = 64  # nginx-rtmp writes ten, before a name's arguments
_APP_CHARACTERS = 256
_NAME_CHARACTERS = 256

Handler = Callable[[web.Request], Awaitable[web.Response]]


def application(door: Door, instances: Instances, status: Callable[[], dict[str, Any]]) -> web.Application:
    """Hooks as in nginx.conf, and `GET /status`."""

    def located(request: web.Request, publisher: Publisher) -> Publisher:
        """With the nginx that it came to: a client's number is that one's own."""
        instance = request.query.get("instance", "")
        return publisher._replace(client=f"{instance}/{publisher.client}", port=instances.play_port(instance))

    async def publish(request: web.Request) -> web.Response:
        try:
            await door.publish(located(request, publisher(await _body(request))))
        except PublisherRefusedError as refusal:
            return web.Response(status=403, text=refusal.reason)
        instances.balance(session.client for session in door.sessions)
        return web.Response(text="ok")

    async def publish_done(request: web.Request) -> web.Response:
        door.done(located(request, publisher(await _body(request))))
        return web.Response(text="ok")

    async def show(_: web.Request) -> web.Response:
        return web.json_response(status())

    app = web.Application()
    app.add_routes(
        [
            web.post("/hooks/publish", _denying(publish)),
            web.post("/hooks/publish_done", _denying(publish_done)),
            web.get("/status", show),
        ]
    )
    return app


def _denying(handler: Handler) -> Handler:
    """What fails in a way that nobody thought of is one line in the log, and a no."""

    async def handle(request: web.Request) -> web.Response:
        try:
            return await handler(request)
        except Exception as error:  # noqa: BLE001 # see above
            where = extract_tb(error.__traceback__)[-1]
            _LOG.error(  # strangers must not be able to fill the log with tracebacks
                "hook failed",
                extra={"hook": request.path, "error": type(error).__name__, "at": f"{where.name}:{where.lineno}"},
            )
            return web.Response(status=403, text="failed")

    return handle


async def _body(request: web.Request) -> bytes:
    """All of it, or nothing if it is too long for one of nginx-rtmp's."""
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > LARGEST:
            return b""
    return bytes(body)


def publisher(body: bytes) -> Publisher:
    """A hook's fields. A name's own query arguments come last and may repeat one: the first one counts."""
    first: dict[str, str] = {}
    for pair in body.split(b"&", _FIELDS)[:_FIELDS]:
        name, _, value = pair.partition(b"=")
        first.setdefault(_decoded(name), _decoded(value))
    client, addr = first.get("clientid", ""), first.get("addr", "")
    return Publisher(
        name=first.get("name", "")[:_NAME_CHARACTERS],
        app=first.get("app", "")[:_APP_CHARACTERS],
        addr=addr if _is_address(addr) else "",
        client=client if re.fullmatch("[0-9]{1,20}", client) else "",
    )


def _decoded(text: bytes) -> str:
    return unquote_to_bytes(text.replace(b"+", b" ")).decode("utf-8", "replace")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
