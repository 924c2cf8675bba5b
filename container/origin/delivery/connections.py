"""What one HTTP connection may cost: bytes held, time, and lines in the log.

The load balancer and other tasks are the only ones to come in here, and what they pass on is of anybody's making.
"""

import asyncio
import logging
import socket
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, cast

from aiohttp import web
from aiohttp.http import HttpProcessingError
from aiohttp.web_protocol import RequestHandler

from origin.sparing import Sparing

_LOG = logging.getLogger(__name__)

# Longer than the load balancer keeps an idle connection (75 s), or it sends a request into one that is being closed.
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html
KEEPALIVE_SECONDS = 90
# CloudFront lets requests of 20,480 bytes through, and the load balancer adds a few headers of its own.
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html
_LINE_BYTES = 32 << 10
_HEAD_BYTES = 64 << 10
_HEADERS = _HEAD_BYTES // len("a:\r\n")
_HEAD_SECONDS = 10.0
_BODY_SECONDS = 1.0  # for what nobody reads: no request here has a body
_UNSENT_SECONDS = 10.0  # the load balancer takes what it asked for at once; who takes a byte now and then does not
_UNSENT_BYTES = 64 << 10  # beyond this a response waits with its next piece
_KERNEL_BYTES = 32 << 10  # the kernel doubles it: what is on its way within a zone at 64 MB/s and a millisecond
_MOST = 4096  # of the 8192 files of a task
_AT_ONCE = _MOST // 20  # idle ones go: finding them takes a millisecond, too long for each newcomer
_SWEEP_SECONDS = 1.0

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Connection(RequestHandler):
    """One connection, from accept to close."""

    def __init__(self, server: "Server", **options: Any) -> None:
        super().__init__(server, **options)
        self.idle_since = time.monotonic()
        self._server = server
        self._head_bytes = 0
        self._head_since: float | None = None
        self._unsent_since: float | None = None

    @property
    def idle(self) -> bool:
        """Whether it waits for a request."""
        return self._waiter is not None and not self._messages

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        real = cast("asyncio.Transport", transport)
        real.set_write_buffer_limits(high=_UNSENT_BYTES)
        connection = real.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _KERNEL_BYTES)
        self._server.make_room(self)

    def data_received(self, data: bytes) -> None:
        requests = self._request_count
        if self.idle:
            self._head_since = self._head_since or time.monotonic()
            self._head_bytes += len(data)
        super().data_received(data)
        if self._request_count != requests:
            self._head_bytes, self._head_since = 0, None
            self.idle_since = time.monotonic()
        elif self._head_bytes > _HEAD_BYTES:
            self.hang_up()

    def overdue(self, now: float) -> bool:
        """Whether the other side has had its time, to send a request's head or to take an answer."""
        transport = self.transport
        if transport is None:
            return False
        if not transport.get_write_buffer_size():
            self._unsent_since = None
        elif self._unsent_since is None:
            self._unsent_since = now
        return (self._head_since is not None and now - self._head_since > _HEAD_SECONDS) or (
            self._unsent_since is not None and now - self._unsent_since > _UNSENT_SECONDS
        )

    def hang_up(self) -> None:
        """At once, whatever is still to be sent."""
        if self.transport is not None:
            self.transport.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 # it holds what the stranger sent
    ) -> web.StreamResponse:
        """What cannot be read is answered, and nobody keeps the answer for others."""
        self._note(exc)
        if request.writer.output_size > 0:
            raise ConnectionError("something was sent already")
        response = web.Response(
            status=status, text=f"{HTTPStatus(status).phrase.lower()}\n", headers={"Cache-Control": "no-store"}
        )
        response.force_close()
        return response

    def log_exception(self, *_: Any, exc_info: Any = None, **__: Any) -> None:
        """What went wrong beside a request's handler."""
        self._note(exc_info)

    def _note(self, error: BaseException | None) -> None:
        if error is None or isinstance(error, HttpProcessingError | web.RequestPayloadError):
            _LOG.info("a request that is none: %s", type(error).__name__)
        else:
            _LOG.error("request failed", exc_info=error)


class Server(web.Server):
    """All connections of the public port."""

    def __init__(self, handler: Handler) -> None:
        # Who hangs up is not waited for: another task's request ends when the last of its viewers is gone.
        super().__init__(
            handler,
            access_log=None,
            handler_cancellation=True,
            keepalive_timeout=KEEPALIVE_SECONDS,
            max_line_size=_LINE_BYTES,
            max_field_size=_LINE_BYTES,
            max_headers=_HEADERS,
            lingering_time=_BODY_SECONDS,
            auto_decompress=False,
        )

    def __call__(self) -> RequestHandler:
        return Connection(self, loop=self._loop, **self._kwargs)

    def make_room(self, newcomer: Connection) -> None:
        """Beyond so many, those that have been idle for longest go; if none is, the newcomer."""
        everyone = cast("list[Connection]", self.connections)
        if len(everyone) <= _MOST:
            return
        _LOG.warning("more than %s HTTP connections", _MOST)
        idle = sorted((each for each in everyone if each.idle), key=lambda each: each.idle_since)
        for each in idle[:_AT_ONCE] or [newcomer]:
            each.hang_up()

    async def sweep(self) -> None:
        """Hang up on who has had their time."""
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            now = time.monotonic()
            for each in cast("list[Connection]", self.connections):
                if each.overdue(now):
                    _LOG.info("hung up on a connection that takes too long")
                    each.hang_up()


_LOG.addFilter(Sparing(lines=10, seconds=10))
