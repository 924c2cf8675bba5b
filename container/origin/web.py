"""The public side on HTTP: /hls/, /health, nothing else."""

from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy

from origin.delivery import NOT_FOUND, PLAYLIST_TYPE, Delivery, Response

_CORS = {"Access-Control-Allow-Origin": "*"}
_PREFLIGHT = _CORS | {
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "*",
    "Access-Control-Max-Age": "86400",
}


def server(delivery: Delivery) -> web.Server:
    """The plain server of aiohttp: no routing, no middlewares, because a live edge is two kinds of small requests."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        if request.method == "OPTIONS":
            return web.Response(status=204, headers=_PREFLIGHT)
        if request.method not in {"GET", "HEAD"}:
            return web.Response(status=405, headers={"Allow": "GET, HEAD, OPTIONS"})
        path, _, query = request.path_qs.partition("?")
        if path == "/health":
            return web.Response(text="ok\n", headers={"Cache-Control": "no-store"})
        if not path.startswith("/hls/"):
            return _written(NOT_FOUND)
        accepted = "gzip" in request.headers.get("Accept-Encoding", "")
        return _written(await delivery.get(path[5:], query, gzip_accepted=accepted))

    return web.Server(handle, access_log=None)


def _written(response: Response) -> web.Response:
    headers = CIMultiDict(_CORS)
    headers["Cache-Control"] = response.cache_control
    headers["Content-Type"] = response.content_type
    if response.content_type == PLAYLIST_TYPE:
        headers["Vary"] = "Accept-Encoding"
    if response.gzipped:
        headers["Content-Encoding"] = "gzip"
    return web.Response(status=response.status, body=response.body, headers=CIMultiDictProxy(headers))
