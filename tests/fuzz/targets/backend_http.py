"""Whole answers of the backend, byte for byte as they come from its socket."""

import asyncio
import socket
import threading

import aiohttp
from origin.ingest.backend import Backend
from origin.ingest.verdict import BackendUnavailableError, UnauthorizedError
from origin.names import NAME

SEEDS = [
    b'HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n{"playbackId": "p-1"}',
    b'HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n11\r\n{"success": true}\r\n0\r\n\r\n',
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b'HTTP/1.0 200 OK\r\n\r\n{"allowed": false}',
    b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nSet-Cookie: a=b\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n{}",
    b"\x16\x03\x01\0\xff",
]


class _Backend:
    """Answers each connection with the same bytes, then hangs up."""

    def __init__(self) -> None:
        self.answer = b""
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            with connection:
                connection.recv(65_536)  # the question, which is short
                try:
                    connection.sendall(self.answer)
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(65_536):
                        pass
                except OSError:
                    pass


async def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=aiohttp.ThreadedResolver()))


async def _ask() -> str:
    return await Backend(_BACKEND.url, None, _SESSION).authorize(name="the-key", app="live", addr="192.0.2.1")


_BACKEND = _Backend()
_RUNNER = asyncio.Runner()
_SESSION = _RUNNER.run(_session())


def run(data: bytes) -> None:
    _BACKEND.answer = data
    try:
        said = _RUNNER.run(_ask())
        assert NAME.fullmatch(said)
    except (UnauthorizedError, BackendUnavailableError) as error:
        said = str(error)
    assert len(said) < 150
