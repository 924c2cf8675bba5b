"""Hooks with strangers' bytes in them: a no, one line in the log, and never a traceback."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import given
from hypothesis import strategies as st
from origin import logs
from origin.ingest import hooks
from origin.ingest.door import Publisher, PublisherRefusedError

if TYPE_CHECKING:
    from origin.broadcast.session import Session

FORM = "application/x-www-form-urlencoded"
GOOD = b"app=live&flashver=x&addr=192.0.2.7&clientid=7&call=publish&name=abc&type=live"


class Recording:
    """An ingest that lets in who is called `abc`, and remembers what it was told."""

    def __init__(self, error: Exception | None = None) -> None:
        self.published: list[Publisher] = []
        self.left: list[Publisher] = []
        self.sessions: list[Session] = []
        self._error = error

    async def publish(self, publisher: Publisher) -> None:
        self.published.append(publisher)
        if self._error:
            raise self._error
        if publisher.name != "abc":
            raise PublisherRefusedError("invalid_name")

    def done(self, publisher: Publisher) -> None:
        self.left.append(publisher)
        if self._error:
            raise self._error


class OneNginx:
    """Stands in for the instances."""

    def play_port(self, instance: str) -> int:  # noqa: ARG002 # there is but one
        return 1935

    def balance(self, clients: Iterable[str]) -> None:
        pass


async def post(ingest: Any, body: Any, content_type: str | None = FORM, path: str = "/hooks/publish?instance=1") -> int:
    headers = {"Content-Type": content_type} if content_type is not None else {}
    skip = ["Content-Type"] if content_type is None else []
    async with (
        TestClient(TestServer(hooks.application(ingest, cast("Any", OneNginx()), dict))) as client,
        client.post(path, data=body, headers=headers, skip_auto_headers=skip) as response,
    ):
        return response.status


async def test_fields_of_a_publisher() -> None:
    ingest = Recording()
    assert await post(ingest, GOOD) == 200
    assert ingest.published == [Publisher("abc", "live", "192.0.2.7", "1/7", 1935)]
    assert await post(ingest, GOOD, path="/hooks/publish_done?instance=1") == 200
    assert ingest.left == ingest.published


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "multipart/form-data",
        "multipart/form-data; boundary=x",
        "application/json",
        f"{FORM}; charset=klingon",
        f"{FORM}; charset=utf-16",
        f"{FORM}; charset=",
        f"{FORM}; charset=undefined",
        f"{FORM}; charset=zlib_codec",
        ";;;=;",
    ],
)
async def test_header_changes_nothing(content_type: str | None, caplog: pytest.LogCaptureFixture) -> None:
    """nginx-rtmp writes the one form; a type or a charset that does not exist is no reason to fail."""
    ingest = Recording()
    assert await post(ingest, GOOD, content_type) == 200
    assert ingest.published[0].name == "abc"
    assert not caplog.records


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (b"&\xff", "abc"),
        (b"&name=other&app=other&clientid=9&addr=9.9.9.9", "abc"),
        (b"&" * 10_000, "abc"),
        (b"&=&==&a&%&%f&%zz&\0&\r\n&\xff=\xfe", "abc"),
        (b"&x=" + b"y" * 10_000, "abc"),
    ],
    ids=["a byte", "fields again", "many of nothing", "odd ones", "a long one"],
)
async def test_arguments_of_a_name_change_nothing(arguments: bytes, name: str) -> None:
    """They are appended byte for byte, and may be anything, like the byte 255."""
    ingest = Recording()
    assert await post(ingest, GOOD + arguments) == 200
    assert ingest.published == [Publisher(name, "live", "192.0.2.7", "1/7", 1935)]


NO_HOOKS = {
    "nothing": b"",
    "no name": b"app=live",
    "empty name first": b"app=live&name=&type=live&name=abc",
    "bytes": bytes(range(256)),
    "name of bytes": b"app=live&name=abc%ff",
    "raw bytes in the name": b"app=live&name=abc\xff",
    "NUL": b"app=live&name=abc%00",
    "too long": GOOD + b"&x=" + b"y" * (1 << 20),
    "too many fields": b"&".join(b"a=%d" % number for number in range(100)) + b"&" + GOOD,
    "multipart": b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\nabc\r\n--x--\r\n',
    "JSON": b'{"name": "abc", "app": "live"}',
}


@pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in NO_HOOKS.items()])
async def test_fails_when_the_body_is_no_hook(body: bytes, caplog: pytest.LogCaptureFixture) -> None:
    ingest = Recording()
    assert await post(ingest, body, "multipart/form-data; boundary=x" if b"--x" in body else FORM) == 403
    assert len(ingest.published) == 1
    assert not caplog.records
    assert await post(ingest, body, path="/hooks/publish_done?instance=1") == 200


@pytest.mark.parametrize("path", ["/hooks/publish", "/hooks/publish_done"])
@pytest.mark.parametrize("error", [ValueError("abc"), RecursionError(), KeyError("abc"), OSError(), TimeoutError()])
async def test_fails_when_the_handler_does(path: str, error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    """One line without a traceback, and the answer is no."""
    assert await post(Recording(error), GOOD, path=path) == 403
    assert [record.message for record in caplog.records] == ["hook failed"]
    assert caplog.records[0].exc_info is None
    assert "abc" not in str(vars(caplog.records[0]))


async def test_endless_body_is_read_to_the_limit() -> None:
    """And nobody else waits for it."""

    async def body() -> Any:
        for _ in range(10_000):
            yield b"x" * 65_536

    ingest = Recording()
    with contextlib.suppress(aiohttp.ClientConnectionError):  # hung up on
        assert await post(ingest, body()) == 403
    assert ingest.published == [Publisher("", "", "", "1/", 1935)]


async def raw(port: int, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        async with asyncio.timeout(10):
            return await reader.read(65_536)
    finally:
        writer.close()


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\0\0",
        b"POST /hooks/publish HTTP/9.9\r\n\r\n",
        b"POST /hooks/publish HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /hooks/publish HTTP/1.1\r\nHost: x\r\nA\0: b\r\n\r\n",
        b"POST /hooks/publish HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 20_000 + b"\r\n\r\n",
        b"POST /hooks/publish HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /hooks/publish HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
    ],
)
async def test_malformed_http_is_no_traceback(data: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    """Neither through logging nor past it."""
    lines: list[logging.LogRecord] = []
    logger, handler = logging.getLogger("aiohttp.server"), logging.Handler()
    handler.emit = lines.append  # type: ignore[method-assign,assignment] # a list of records is all that is wanted
    logger.addHandler(handler)
    logger.addFilter(logs._is_no_malformed_request)
    try:
        async with TestServer(hooks.application(Recording(), cast("Any", OneNginx()), dict)) as server:  # type: ignore[arg-type] # a stand-in
            assert server.port
            assert not (await raw(server.port, data)).startswith(b"HTTP/1.1 2")
    finally:
        logger.removeHandler(handler)
        logger.removeFilter(logs._is_no_malformed_request)
    assert not [line for line in lines if line.exc_info]
    assert "Traceback" not in "".join(capfd.readouterr())


@given(st.binary(max_size=2000))
def test_any_bytes_are_a_publisher(body: bytes) -> None:
    """Of bounded fields."""
    found = hooks.publisher(body)
    assert all(len(field) <= 256 for field in found if isinstance(field, str))


def test_longest_body_is_read_quickly() -> None:
    began = time.process_time()
    for filling in (b"&", b"=", b"%", b"%41", b"+", b"a=b&", b"\xff"):
        hooks.publisher(filling * (hooks.LARGEST // len(filling)))
    assert time.process_time() - began < 1
