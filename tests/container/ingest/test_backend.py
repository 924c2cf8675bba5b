"""The backend's answer, as bytes on a socket: what lets a publisher in, and what does not."""

import asyncio
import gzip
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from origin.ingest import backend as asking
from origin.ingest import verdict
from origin.ingest.backend import Backend
from origin.ingest.verdict import BackendUnavailableError, UnauthorizedError
from pydantic import SecretStr

KEY = "k-secret"
Script = Callable[[asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(script: Script) -> AsyncIterator[str]:
    """A server that reads a request and does with the connection what the script says; its URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.lower().splitlines() if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.partition(b":")[2]))
            await script(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def pieces(*parts: bytes, pause: float = 0.0) -> Script:
    """Each part in a TCP segment of its own."""

    async def script(writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)

    return script


def answer(body: bytes, status: str = "200 OK", *headers: str, length: int | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body) if length is None else length}", "", ""]
    return "\r\n".join(lines).encode() + body


async def asked(script: Script) -> str:
    async with serving(script) as url, ClientSession() as http:
        return await Backend(url, None, http).authorize(name=KEY, app="live", addr="1.2.3.4")


@pytest.mark.parametrize(
    ("raw", "playback_id"),
    [
        (answer(b'{"success": true}', "201 Created"), KEY),  # as the backend of the original says it
        (answer(b'{"allowed": true, "playbackId": "p-1"}'), "p-1"),
        (answer(b'{"playbackId": "p-1"}', "200 OK", "Content-Type: text/html; charset=klingon"), "p-1"),
        (answer(b" \r\n{} \t"), KEY),
        (answer(b'{"playbackId": null, "id": 7, "note": "\\ud83d\\ude00", "error": null}'), KEY),
        (answer(b'{"playbackId": "p", "status": "pending", "code": 0}'), "p"),  # a stream that is not live yet
        (b"HTTP/1.1 204 No Content\r\n\r\n", KEY),
        (b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"pla\r\ne\r\nybackId":"p1"}\r\n0\r\n\r\n', "p1"),
        (b'HTTP/1.0 200 OK\r\n\r\n{"playbackId": "to-the-end"}', "to-the-end"),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n" + answer(b'{"playbackId": "p-1"}'), "p-1"),
    ],
)
async def test_yes_of_the_backend(raw: bytes, playback_id: str) -> None:
    assert await asked(pieces(raw)) == playback_id


@pytest.mark.parametrize("size", [1, 7, 40])
async def test_answer_in_pieces_is_one_answer(size: int) -> None:
    """Cut anywhere, in the head, in the body, within a character: the key is never taken for the id."""
    raw = answer(b'{"note": "' + "ü".encode() * 9 + b'", "playbackId": "p-1"}')
    parts = [raw[start : start + size] for start in range(0, len(raw), size)]
    assert await asked(pieces(*parts, pause=0.001)) == "p-1"


async def test_body_in_a_segment_of_its_own() -> None:
    head, _, body = answer(b'{"playbackId": "p-1"}').partition(b"\r\n\r\n")
    assert await asked(pieces(head + b"\r\n\r\n" + body[:3], body[3:], pause=0.05)) == "p-1"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410, 422, 451, 499])
async def test_fails_when_the_status_says_no(status: int) -> None:
    with pytest.raises(UnauthorizedError):
        await asked(pieces(answer(b'{"success": true}', f"{status} X")))


@pytest.mark.parametrize(
    "body",
    [
        *(json.dumps({name: False, "playbackId": "p-1"}) for name in ("success", "allowed", "allow", "authorized")),
        *(json.dumps({name: False}) for name in ("valid", "isValid", "ok", "OK", "granted", "can_publish", "status")),
        '{"success": true, "allowed": false}',
        '{"error": "no such key"}',
        '{"errors": true}',
        '{"banned": true, "playbackId": "p-1"}',
        *(json.dumps({"status": value}) for value in ("error", "Denied", "unauthorized", "403", 401, 500, 302)),
        '{"statusCode": 401, "message": "Unauthorized"}',
        '{"result": "fail"}',
    ],
)
async def test_fails_when_a_field_says_no(body: str) -> None:
    with pytest.raises(UnauthorizedError):
        await asked(pieces(answer(body.encode())))


BOMB = gzip.compress(b'{"playbackId": "p-1"}' + b" " * 50_000_000)
NO_ANSWERS = {
    "empty": answer(b""),
    "created and empty": answer(b"", "201 Created"),
    "blanks": answer(b" \n"),
    "HTML": answer(b"<!doctype html><title>Welcome</title>", "200 OK", "Content-Type: text/html"),
    "text": answer(b"OK"),
    **{f"JSON {body}": answer(body.encode()) for body in ("true", "null", "1", '"yes"', "[]", "[1]", '[{"a": 1}]')},
    "unknown in a list": answer(b'[{"playbackId": "p-1"}]'),
    "nested": answer(b'{"success": true, "data": {"playbackId": "p-1"}}'),
    "nested no": answer(b'{"data": {"allowed": false}}'),
    "list in it": answer(b'{"success": true, "errors": ["x"]}'),
    "deep": answer(b'{"a":' * 9000),
    "deep lists": answer(b"[" * 60_000),
    "deep lists, closed": answer(b'{"a": ' + b"[" * 30_000 + b"]" * 30_000 + b"}"),
    "two names": answer(b'{"playbackId": "p-1", "playbackId": "p-2"}'),
    "no twice": answer(b'{"allowed": false, "allowed": true}'),
    "NaN": answer(b'{"success": true, "x": NaN}'),
    "infinity": answer(b'{"success": true, "x": -Infinity}'),
    "endless number": answer(b'{"x": ' + b"9" * 60_000 + b"}"),
    "Latin-1": answer(b'{"note": "\xfc", "success": true}', "200 OK", "Content-Type: application/json; charset=latin1"),
    "UTF-16": answer('{"success": true}'.encode("utf-16")),
    "byte order mark": answer(b'\xef\xbb\xbf{"success": true}'),
    "NUL": answer(b'{"success": true}\0'),
    "two answers": answer(b'{"success": true}{"success": true}'),
    "yes as a text": answer(b'{"success": "true"}'),
    "yes as a number": answer(b'{"allowed": 1}'),
    "yes as null": answer(b'{"allowed": null}'),
    "id as a number": answer(b'{"playbackId": 5}'),
    "id with a path": answer(b'{"playbackId": "../x"}'),
    "empty id": answer(b'{"playbackId": ""}'),
    "id with a line break": answer(b'{"playbackId": "p\\n"}'),
    "long id": answer(b'{"playbackId": "' + b"p" * 129 + b'"}'),
    "id spelled otherwise": answer(b'{"success": true, "playback_id": "p-1"}'),
    "ID spelled otherwise": answer(b'{"success": true, "playbackID": "p-1"}'),
    "gzip": answer(gzip.compress(b'{"success": true}'), "200 OK", "Content-Encoding: gzip"),
    "gzip bomb": answer(BOMB, "200 OK", "Content-Encoding: gzip"),
    "unknown coding": answer(b'{"success": true}', "200 OK", "Content-Encoding: x"),
    "gzip that does not say so": answer(gzip.compress(b'{"success": true}')),
    "larger than allowed": answer(b'{"success": true, "x": "' + b"x" * verdict.LARGEST + b'"}'),
    "shorter than it says": answer(b'{"success": true}', length=40),
    "cut by its length": answer(b'{"success": true, "playbackId": "p-1"}', length=17),
    "cut by its length to nothing": answer(b'{"success": true}', length=0),
    "two lengths": answer(b'{"success": true}', "200 OK", "Content-Length: 5"),
    "length of no number": b'HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{"success": true}',
    "chunks that do not end": b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n11\r\n{"success": true}\r\n',
    "chunk of no number": b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{"success": true}\r\n0\r\n\r\n',
    "reset content": answer(b"", "205 Reset Content"),
    "part of it": answer(b'{"success": true}', "206 Partial Content"),
    **{
        f"redirect {status}": answer(b'{"success": true}', f"{status} X", "Location: http://127.0.0.1:9/")
        for status in (300, 301, 302, 303, 304, 307, 308)
    },
    **{
        f"status {status}": answer(b'{"success": true}', f"{status} X")
        for status in (408, 425, 429, 500, 502, 503, 504)
    },
    "switching": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "status of four digits": answer(b'{"success": true}', "2000 OK"),
    "status of no number": answer(b'{"success": true}', "yes OK"),
    "no HTTP": b"\x16\x03\x01\x00\xff\xff\xff",
    "long header": answer(b'{"success": true}', "200 OK", "X: " + "x" * 100_000),
    "many headers": answer(b'{"success": true}', "200 OK", *[f"X-{number}: x" for number in range(5000)]),
    "nothing": b"",
}


@pytest.mark.parametrize("raw", [pytest.param(raw, id=name) for name, raw in NO_ANSWERS.items()])
async def test_fails_when_the_answer_is_not_as_agreed(raw: bytes) -> None:
    """Refused at once, and the text says nothing of what the answer holds."""
    with pytest.raises(BackendUnavailableError) as error:
        await asked(pieces(raw))
    assert len(str(error.value)) < 100
    assert not any(word in str(error.value) for word in ("p-1", "p-2", "note", KEY, "Welcome"))


def drip(head: bytes, part: bytes) -> Script:
    async def script(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.02)

    return script


@pytest.mark.parametrize(
    "script",
    [
        drip(b"", b""),
        drip(b"HTTP/1.1 200 OK\r\n\r\n", b" "),
        drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        drip(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["silence", "blanks", "chunks", "headers", "continue"],
)
async def test_fails_when_the_answer_does_not_end(monkeypatch: pytest.MonkeyPatch, script: Script) -> None:
    """A slow drip keeps nobody: all of it has to be there within the time."""
    monkeypatch.setattr(asking, "_TIMEOUT_SECONDS", 0.5)
    began = time.monotonic()
    with pytest.raises(BackendUnavailableError):
        await asked(script)
    assert time.monotonic() - began < 5


async def test_fails_when_the_answer_is_endless() -> None:
    """It is read up to the limit and no further."""
    sent = 0

    async def script(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while sent < 200_000_000:
            writer.write(b" " * 65_536)
            sent += 65_536
            await writer.drain()

    with pytest.raises(BackendUnavailableError, match="more than 65536 bytes"):
        await asked(script)
    assert sent < 20_000_000  # what the sockets hold


async def test_rest_of_an_answer_is_no_answer_about_the_next_key() -> None:
    """A backend that answers twice does not let a stranger in with somebody else's yes."""
    answers = iter([answer(b'{"playbackId": "p-1"}') + answer(b'{"playbackId": "p-2"}'), answer(b"", "403 Forbidden")])

    async def script(writer: asyncio.StreamWriter) -> None:
        writer.write(next(answers))
        await writer.drain()
        await asyncio.sleep(0.05)

    async with serving(script) as url, ClientSession() as http:
        backend = Backend(url, None, http)
        assert await backend.authorize(name=KEY, app="live", addr="") == "p-1"
        with pytest.raises(UnauthorizedError):
            await backend.authorize(name="stranger", app="live", addr="")


async def test_fails_when_nobody_listens() -> None:
    async with ClientSession() as http:
        with pytest.raises(BackendUnavailableError):
            await Backend("http://127.0.0.1:9", None, http).authorize(name=KEY, app="live", addr="")


@pytest.mark.parametrize("token", ["t0k", None])
async def test_backend_is_asked_as_agreed(token: str | None) -> None:
    """The three fields as a form, and the bearer token if there is one."""
    seen: list[tuple[dict[str, str], str | None]] = []

    async def reply(request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        seen.append((form, request.headers.get("Authorization")))
        return web.json_response({})

    app = web.Application()
    app.router.add_post("/api/streaming/auth", reply)
    async with TestServer(app) as server, ClientSession() as http:
        backend = Backend(str(server.make_url("")).rstrip("/"), SecretStr(token) if token else None, http)
        assert await backend.authorize(name="k", app="live", addr="1.2.3.4") == "k"
    assert seen == [({"name": "k", "app": "live", "addr": "1.2.3.4"}, f"Bearer {token}" if token else None)]


def fields(names: Iterable[str]) -> bytes:
    return json.dumps(dict.fromkeys(names, "x")).encode()


def test_longest_answer_is_read_quickly() -> None:
    """Also the one with as many fields as fit."""
    began = time.process_time()
    assert verdict.playback_id(200, fields(f"{number:05}" for number in range(4000))) is None
    assert time.process_time() - began < 1
