"""RTMP in raw bytes, right and wrong: what strangers and encoders send, message by message."""

import contextlib
import os
import socket
import struct
import time
from typing import Self

SET_CHUNK_SIZE, ABORT, ACK, USER, ACK_SIZE, BANDWIDTH = 1, 2, 3, 4, 5, 6
AUDIO, VIDEO = 8, 9
AMF3_DATA, AMF3_SHARED, AMF3_COMMAND, DATA, SHARED, COMMAND, AGGREGATE = 15, 16, 17, 18, 19, 20, 22

_CHUNK = 128  # both sides, until one says otherwise
_HANDSHAKE = 1536
_SOURCE = "127.0.0.1"


def amf(value: object) -> bytes:
    """AMF0 of a number, bool, string, None, list or dict."""
    match value:
        case None:
            return b"\5"
        case bool():
            return b"\1" + bytes([value])
        case int() | float():
            return b"\0" + struct.pack(">d", value)
        case str():
            return b"\2" + struct.pack(">H", len(value.encode())) + value.encode()
        case list():
            return b"\x0a" + struct.pack(">I", len(value)) + b"".join(map(amf, value))
        case dict():
            members = b"".join(amf(str(name))[1:] + amf(member) for name, member in value.items())
            return b"\3" + members + b"\0\0\x09"
    raise TypeError(value)


def nested(depth: int) -> bytes:
    """AMF0 objects in one another."""
    return b"\3\0\1a" * depth + b"\5" + b"\0\0\x09" * depth


def message(
    kind: int, payload: bytes, *, stream: int = 0, csid: int = 3, timestamp: int = 0, chunk: int = _CHUNK
) -> bytes:
    """One message in chunks."""
    head = bytes([csid]) + timestamp.to_bytes(3) + len(payload).to_bytes(3) + bytes([kind]) + struct.pack("<I", stream)
    pieces = [payload[start : start + chunk] for start in range(0, len(payload), chunk)] or [b""]
    return head + bytes([0xC0 | csid]).join(pieces)


def command(*values: object, kind: int = COMMAND, stream: int = 0, tail: bytes = b"") -> bytes:
    prefix = b"\0" if kind in {AMF3_DATA, AMF3_SHARED, AMF3_COMMAND} else b""
    return message(kind, prefix + b"".join(map(amf, values)) + tail, stream=stream)


def connect(app: str = "live") -> bytes:
    return command("connect", 1, {"app": app, "tcUrl": f"rtmp://localhost/{app}"})


def create_stream() -> bytes:
    return command("createStream", 2, None)


def publish(key: str) -> bytes:
    return command("publish", 3, None, key, "live", stream=1)


class Client:
    """One connection, over the handshake."""

    def __init__(self, port: int, *, source: str = _SOURCE, seconds: float = 20) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=seconds, source_address=(source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._bytes = b""

    def handshake(self) -> Self:
        self.socket.sendall(b"\3" + bytes(8) + os.urandom(_HANDSHAKE - 8))
        self._take(1 + 2 * _HANDSHAKE)
        self.socket.sendall(os.urandom(_HANDSHAKE))
        return self

    def _take(self, count: int) -> bytes:
        while len(self._bytes) < count:
            got = self.socket.recv(1 << 16)
            if not got:
                raise ConnectionResetError("closed by the server")
            self._bytes += got
        taken, self._bytes = self._bytes[:count], self._bytes[count:]
        return taken

    def send(self, data: bytes) -> Self:
        self.socket.sendall(data)
        return self

    def wait_for(self, text: str) -> Self:
        """Read until this text has come, wherever it stands; ConnectionError if the server hangs up before."""
        wanted = text.encode()
        while wanted not in self._bytes:
            got = self.socket.recv(1 << 16)
            if not got:
                raise ConnectionResetError(f"closed by the server before {text}; last came {self._bytes[-200:]!r}")
            self._bytes += got
        self._bytes = self._bytes[self._bytes.index(wanted) + len(wanted) :]
        return self

    def connect(self, app: str = "live") -> Self:
        return self.send(connect(app)).wait_for("NetConnection.Connect.Success")

    def publish(self, key: str, app: str = "live") -> Self:
        """In order, as an encoder does, until it is let in."""
        self.connect(app).send(create_stream()).wait_for("_result")
        return self.send(publish(key)).wait_for("NetStream.Publish.Start")

    def is_closed(self, seconds: float) -> bool:
        """Whether the server hangs up within this time."""
        deadline = time.monotonic() + seconds
        with contextlib.suppress(TimeoutError):
            while (left := deadline - time.monotonic()) > 0:
                self.socket.settimeout(left)
                try:
                    if not self.socket.recv(1 << 16):
                        return True
                except ConnectionError:
                    return True
        return False

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
