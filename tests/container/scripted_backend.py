"""A backend that is slow, wrong or broken, key by key; and publishers that write what they like."""

import asyncio
import socket
import struct
import threading
from collections import Counter
from collections.abc import Mapping
from typing import Self
from urllib.parse import parse_qs

from origin.ingest import rtmp

REFUSAL = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"


def answer(body: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


class ScriptedBackend:
    """Gives each key the pieces that are written down for it, and all others a no after a while."""

    def __init__(self, script: Mapping[str, list[bytes]], *, seconds_for_others: float = 0) -> None:
        self.asked: Counter[str] = Counter()
        self.at_once = self.most_at_once = 0
        self.seconds_for_others = seconds_for_others
        self._script = script
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024), self._loop
        ).result(10)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.partition(b"content-length:")[2].split()[0])
            name = parse_qs((await reader.readexactly(length)).decode())["name"][0]
            self.asked[name] += 1
            if name not in self._script:
                await asyncio.sleep(self.seconds_for_others)
            for piece in self._script.get(name, [REFUSAL]):
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.1)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.at_once -= 1
            writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        serving = asyncio.all_tasks() - {asyncio.current_task()}
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


def publish(port: int, name: bytes, app: str = "live") -> bytes:
    """Ask nginx to publish under a name of any bytes; what it says until it hangs up or says what became of it."""
    with socket.create_connection(("127.0.0.1", port), timeout=15) as connection:
        connection.sendall(b"\x03" + bytes(1536))
        answered = _exactly(connection, 1 + 2 * 1536)
        connection.sendall(answered[1:1537])
        connect = rtmp.amf_encode("connect", 1, {"app": app, "tcUrl": f"rtmp://127.0.0.1/{app}"})
        create = rtmp.amf_encode("createStream", 2, None)
        raw = b"\x02" + struct.pack(">H", len(name)) + name
        command = rtmp.amf_encode("publish", 3, None) + raw + rtmp.amf_encode("live")
        for stream, body in ((0, connect), (0, create), (1, command)):
            connection.sendall(rtmp.write_message(3, rtmp.COMMAND, stream, body))
        said = b""
        while b"NetStream.Publish" not in said:
            try:
                data = connection.recv(65_536)
            except ConnectionError:
                break
            if not data:
                break
            said += data
    return said


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            raise ConnectionError("hung up on")
        data += more
    return data
