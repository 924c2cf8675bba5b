"""The public side on HTTP: /hls/, /health, and what other tasks ask; nothing else."""

import asyncio
import re
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy

from origin.cluster.registry import Answer
from origin.delivery.answers import NOT_FOUND, PLAYLIST_TYPE, Response
from origin.delivery.connections import Server
from origin.delivery.peers import HOP, ROOM, STATUS_OF_ANSWER
from origin.delivery.routing import Router
from origin.version import VERSION

_ESCAPED, _UNRESERVED = re.compile(r"%[0-9A-Fa-f]{2}"), re.compile(r"[A-Za-z0-9._~-]")
_NOTHING = re.compile(r"\s*q\s*=\s*0(\.0*)?\s*")
_OF_A_BALANCER = ("X-Forwarded-For", "X-Forwarded-Proto", "X-Amzn-Trace-Id")
_COPIED_BYTES = 16 << 10
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "*",
    "Access-Control-Max-Age": "86400",
}


def server(router: Router, make_room: Callable[[str], Coroutine[Any, Any, Answer]], cors_allow_origin: str) -> Server:
    """The plain server of aiohttp: no routing, no middlewares, because a live edge is two kinds of small requests.

    With an empty `cors_allow_origin` it says nothing about CORS: CloudFront would hand on what is said here to pages
    that its own policy does not admit.
    """
    cors = {"Access-Control-Allow-Origin": cors_allow_origin} if cors_allow_origin else {}
    preflight = cors | _PREFLIGHT if cors else {}

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        if request.method == "OPTIONS":
            return web.Response(status=204, headers=preflight)
        path, _, query = request.path_qs.partition("?")
        path = without_needless_escapes(path)
        hop = _hop(request)
        if hop and request.method == "POST" and path.startswith(ROOM):
            # Begun, it is finished, whether or not the other task waits for the answer.
            answer = await asyncio.shield(make_room(path.removeprefix(ROOM)))
            return web.Response(status=STATUS_OF_ANSWER[answer], text=f"{answer.value}\n")
        if request.method not in {"GET", "HEAD"}:
            return web.Response(status=405, headers={"Allow": "GET, HEAD, OPTIONS"})
        if path == "/health":
            return web.Response(text=f"ok {VERSION}\n", headers={"Cache-Control": "no-store"})
        if not path.startswith("/hls/"):
            return await _send(NOT_FOUND, request, cors)
        accepted = accepts_gzip(request.headers.get("Accept-Encoding", ""))
        response = await router.get(path[5:], query, gzip_accepted=accepted, hop=hop)
        if response.status == HTTPStatus.BAD_REQUEST and not hop:  # other tasks may keep it, to spare us the next one
            response = response._replace(cache_control="no-store")
        return await _send(response, request, cors)

    return Server(handle)


def _hop(request: web.BaseRequest) -> bool:
    """Whether another task asks, directly.

    What comes through the load balancer is no task's request, whatever a viewer puts into the one header: the load
    balancer adds others, and tasks never do. (CloudFront does not even pass the first one on.)
    """
    return HOP in request.headers and not any(name in request.headers for name in _OF_A_BALANCER)


def without_needless_escapes(path: str) -> str:
    """The same path as most write it: letters, digits and `-._~` mean the same encoded and plain (RFC 3986 6.2.2.2)."""
    return _ESCAPED.sub(lambda escaped: _plain(escaped[0]), path) if "%" in path else path


def _plain(escaped: str) -> str:
    character = chr(int(escaped[1:], 16))
    return character if _UNRESERVED.fullmatch(character) else escaped


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether gzip is named, and not with a quality of nothing (RFC 9110 12.5.3)."""
    return any(
        name.strip() == "gzip" and not _NOTHING.fullmatch(quality)
        for name, _, quality in (each.partition(";") for each in accept_encoding.lower().split(","))
    )


async def _send(response: Response, request: web.BaseRequest, cors: dict[str, str]) -> web.StreamResponse:
    """Small ones in one piece; of large ones nothing is copied, however many viewers have not taken them yet."""
    pieces = (response.body, *response.more)
    size = sum(map(len, pieces))
    if size <= _COPIED_BYTES:
        return web.Response(status=response.status, body=b"".join(pieces), headers=_headers(response, cors))
    large = web.StreamResponse(status=response.status, headers=_headers(response, cors))
    large.content_length = size
    await large.prepare(request)
    if request.method != "HEAD":
        for piece in pieces:
            await large.write(piece)
    return large


def _headers(response: Response, cors: dict[str, str]) -> CIMultiDictProxy[str]:
    headers = CIMultiDict(cors)
    headers["Cache-Control"] = response.cache_control
    headers["Content-Type"] = response.content_type
    if response.content_type == PLAYLIST_TYPE:
        headers["Vary"] = "Accept-Encoding"
    if response.gzipped:
        headers["Content-Encoding"] = "gzip"
    return CIMultiDictProxy(headers)
