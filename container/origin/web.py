"""The public side on HTTP: /hls/, /health, and what other tasks ask; nothing else."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy

from origin.delivery import NOT_FOUND, PLAYLIST_TYPE, Response
from origin.peers import HOP, ROOM, STATUS_OF_ANSWER
from origin.registry import Answer
from origin.routing import Router

_CORS = {"Access-Control-Allow-Origin": "*"}
_PREFLIGHT = _CORS | {
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "*",
    "Access-Control-Max-Age": "86400",
}


def server(router: Router, make_room: Callable[[str], Awaitable[Answer]]) -> web.Server:
    """The plain server of aiohttp: no routing, no middlewares, because a live edge is two kinds of small requests."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        if request.method == "OPTIONS":
            return web.Response(status=204, headers=_PREFLIGHT)
        path, _, query = request.path_qs.partition("?")
        peer = _is_peer(request)
        if peer and request.method == "POST" and path.startswith(ROOM):
            answer = await make_room(path.removeprefix(ROOM))
            return web.Response(status=STATUS_OF_ANSWER[answer], text=f"{answer.value}\n")
        if request.method not in {"GET", "HEAD"}:
            return web.Response(status=405, headers={"Allow": "GET, HEAD, OPTIONS"})
        if path == "/health":
            return web.Response(text="ok\n", headers={"Cache-Control": "no-store"})
        if not path.startswith("/hls/"):
            return _written(NOT_FOUND)
        accepted = "gzip" in request.headers.get("Accept-Encoding", "")
        return _written(await router.get(path[5:], query, gzip_accepted=accepted, hop=peer))

    return web.Server(handle, access_log=None)


def _is_peer(request: web.BaseRequest) -> bool:
    """Whether another task asks, directly.

    What comes through the load balancer is no such thing, whatever a viewer puts into the one header: the load balancer
    adds the other.
    """
    return HOP in request.headers and "X-Forwarded-For" not in request.headers


def _written(response: Response) -> web.Response:
    headers = CIMultiDict(_CORS)
    headers["Cache-Control"] = response.cache_control
    headers["Content-Type"] = response.content_type
    if response.content_type == PLAYLIST_TYPE:
        headers["Vary"] = "Accept-Encoding"
    if response.gzipped:
        headers["Content-Encoding"] = "gzip"
    if response.age:
        headers["Age"] = str(response.age)
    return web.Response(status=response.status, body=response.body, headers=CIMultiDictProxy(headers))
