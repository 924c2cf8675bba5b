"""The little of RTMP that a player needs: connect to nginx-rtmp, play one stream, take its messages apart.

Why not let FFmpeg pull: the decision what to copy and what to encode needs the first packets anyway; a copied
rendition needs nothing from FFmpeg; an encoder that crashes can be replaced without a second pull; and stream keys stay
out of process arguments. Source: Adobe RTMP specification 1.0 (2012).
"""

import asyncio
import contextlib
import struct
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Self

_HANDSHAKE = 1536
_EXTENDED = 0xFFFFFF
SET_CHUNK_SIZE, ABORT, USER_CONTROL = 1, 2, 4
AUDIO, VIDEO, DATA, COMMAND = 8, 9, 18, 20
_PING, _PONG = 6, 7

MAX_MESSAGE_BYTES = 4 << 20  # as max_message in nginx.conf; a 4K key frame at 80 Mbit/s has one
_MAX_UNFINISHED_BYTES = 2 * MAX_MESSAGE_BYTES  # of all chunk streams together
_MAX_CHUNK_STREAMS = 64
_READ_BYTES = 1 << 16
_MAX_AMF_BYTES, _MAX_AMF_VALUES, _MAX_AMF_DEPTH = 1 << 16, 1000, 8  # OBS sends 20 values in 400 bytes, of depth 1


class RtmpError(OSError):
    """The peer does not speak RTMP, or refuses."""


@dataclass(frozen=True, slots=True)
class Message:
    """One whole RTMP message; the timestamp is in ms, 32 bits, as sent."""

    kind: int
    timestamp: int
    stream: int
    body: bytes


class _ChunkStream:
    __slots__ = ("body", "delta", "extended", "kind", "length", "stream", "timestamp")

    def __init__(self) -> None:
        self.timestamp = self.delta = self.length = self.kind = self.stream = 0
        self.extended = False
        self.body = bytearray()


class ChunkReader:
    """Takes the byte stream after the handshake in any pieces and gives whole messages (§5.3).

    RtmpError when a message, or what is unfinished, gets larger than is taken.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._chunk_size = 128
        self._streams: dict[int, _ChunkStream] = {}
        self._unfinished = 0

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages completed by these bytes."""
        self._buffer += data
        position = 0
        try:
            while step := self._chunk(position):
                position, message = step
                if message and not self._control(message):
                    yield message
        finally:
            del self._buffer[:position]

    def _chunk(  # the order of the fields is that of the specification
        self, start: int
    ) -> tuple[int, Message | None] | None:
        """The end of the chunk at this position and the message that it completes; None if it is not all there."""
        basic = self._basic_header(start)
        if basic is None:
            return None
        form, channel, position = basic
        buffer, available = self._buffer, len(self._buffer)
        state = self._state(channel)
        header = (11, 7, 3, 0)[form]
        if available < position + header:
            return None
        field = int.from_bytes(buffer[position : position + 3], "big") if form < 3 else state.delta
        extended = field == _EXTENDED if form < 3 else state.extended
        length = int.from_bytes(buffer[position + 3 : position + 6], "big") if form < 2 else state.length
        kind = buffer[position + 6] if form < 2 else state.kind
        stream = int.from_bytes(buffer[position + 7 : position + 11], "little") if form == 0 else state.stream
        position += header
        if extended:
            if available < position + 4:
                return None
            field = int.from_bytes(buffer[position : position + 4], "big")
            position += 4
        if length > MAX_MESSAGE_BYTES:
            raise RtmpError(f"a message of {length} bytes; at most {MAX_MESSAGE_BYTES} are taken")
        if form < 3:  # a whole header in mid-message: what was there of that one is given up
            self._forget(state)
        end = position + min(self._chunk_size, length - len(state.body))
        if available < end:
            return None
        if not state.body:  # a chunk of form 3 in mid-message only goes on with it
            state.timestamp = field if form == 0 else (state.timestamp + field) & 0xFFFF_FFFF
            state.delta = 0 if form == 0 else field
        state.length, state.kind, state.stream, state.extended = length, kind, stream, extended
        return end, self._add(state, buffer[position:end])

    def _add(self, state: _ChunkStream, content: bytes | bytearray) -> Message | None:
        """The message that this completes, if it does."""
        state.body += content
        self._unfinished += len(content)
        if len(state.body) < state.length:
            if self._unfinished > _MAX_UNFINISHED_BYTES:
                raise RtmpError(f"{self._unfinished} bytes of unfinished messages")
            return None
        body = bytes(state.body)
        self._forget(state)
        return Message(state.kind, state.timestamp, state.stream, body)

    def _basic_header(self, start: int) -> tuple[int, int, int] | None:
        """Form, chunk stream, and where it ends (§5.3.1.1)."""
        buffer, available = self._buffer, len(self._buffer)
        if available == start or available < start + {0: 2, 1: 3}.get(buffer[start] & 0x3F, 1):
            return None
        form, channel, position = buffer[start] >> 6, buffer[start] & 0x3F, start + 1
        if channel == 0:
            channel, position = 64 + buffer[position], position + 1
        elif channel == 1:
            channel, position = 64 + buffer[position] + buffer[position + 1] * 256, position + 2
        return form, channel, position

    def _state(self, channel: int) -> _ChunkStream:
        state = self._streams.get(channel)
        if state is None:
            if len(self._streams) >= _MAX_CHUNK_STREAMS:
                raise RtmpError(f"more than {_MAX_CHUNK_STREAMS} chunk streams")
            state = self._streams[channel] = _ChunkStream()
        return state

    def _forget(self, state: _ChunkStream) -> None:
        self._unfinished -= len(state.body)
        state.body.clear()

    def _control(self, message: Message) -> bool:
        if message.kind == SET_CHUNK_SIZE and len(message.body) >= 4:
            self._chunk_size = max(1, int.from_bytes(message.body[:4], "big") & 0x7FFF_FFFF)
            return True
        if message.kind == ABORT and len(message.body) >= 4:
            if state := self._streams.get(int.from_bytes(message.body[:4], "big")):
                self._forget(state)
            return True
        return False


def write_message(channel: int, kind: int, stream: int, body: bytes, *, chunk_size: int = 128) -> bytes:
    """A message in chunks; its timestamp is 0, as commands have it."""
    head = bytes([channel]) + struct.pack(">3x3sB", len(body).to_bytes(3, "big"), kind) + struct.pack("<I", stream)
    rest = bytes([0xC0 | channel])
    pieces = [body[start : start + chunk_size] for start in range(0, len(body), chunk_size)]
    return head + rest.join(pieces)


# --- AMF0, as far as commands and metadata go (Adobe AMF 0 specification) ---


def amf_encode(*values: object) -> bytes:
    """Numbers, booleans, strings, None and one level of objects."""
    return b"".join(_amf_value(value) for value in values)


def _amf_value(value: object) -> bytes:
    match value:
        case bool():
            return b"\x01" + bytes([value])
        case int() | float():
            return b"\x00" + struct.pack(">d", value)
        case str():
            return b"\x02" + _amf_name(value)
        case None:
            return b"\x05"
        case Mapping():
            return b"\x03" + b"".join(_amf_name(str(k)) + _amf_value(v) for k, v in value.items()) + b"\0\0\x09"
    raise TypeError(f"no AMF0 for {type(value).__name__}")


def _amf_name(text: str) -> bytes:
    raw = text.encode()
    return struct.pack(">H", len(raw)) + raw


def amf_decode(data: bytes) -> list[object]:
    """All values; what cannot be read, or goes beyond what anyone needs, ends the list."""
    values: list[object] = []
    reader = _Amf(data[:_MAX_AMF_BYTES])
    with contextlib.suppress(IndexError, struct.error):
        while reader.position < len(reader.data):
            values.append(reader.value(_MAX_AMF_DEPTH))
    return values


class _Amf:
    """Reads from the front; IndexError or struct.error where it cannot go on."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0
        self._left = _MAX_AMF_VALUES

    def value(self, depth: int) -> object:  # noqa: PLR0911 # one for each kind
        """The next value; objects within objects up to this depth."""
        self._left -= 1
        if self._left < 0 or depth < 0:
            raise IndexError
        match self._take(1)[0]:
            case 0:
                return self._number()
            case 1:
                return self._take(1) != b"\0"
            case 2:
                return self._text(2)
            case 3:
                return self._object(depth)
            case 5 | 6:
                return None
            case 8:  # an ECMA array: an object with a count that is only a guess
                self._take(4)
                return self._object(depth)
            case 11:  # a date, with a time zone behind it
                number = self._number()
                self._take(2)
                return number
            case 12:
                return self._text(4)
            case kind:
                raise IndexError(kind)

    def _take(self, count: int) -> bytes:
        end = self.position + count
        if end > len(self.data):
            raise IndexError
        taken = self.data[self.position : end]
        self.position = end
        return taken

    def _number(self) -> float:
        number: float = struct.unpack(">d", self._take(8))[0]
        return number

    def _text(self, width: int) -> str:
        return self._take(int.from_bytes(self._take(width), "big")).decode("utf-8", "replace")

    def _object(self, depth: int) -> dict[str, object]:
        result: dict[str, object] = {}
        while self.data[self.position : self.position + 3] != b"\0\0\x09":
            name = self._text(2)
            result[name] = self.value(depth - 1)
        self._take(3)
        return result


class Player:
    """A playing connection to nginx-rtmp. It may be made before the publisher is let in, and then misses nothing."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._chunks = ChunkReader()
        self._received: deque[Message] = deque()
        self._media_before_start: list[Message] = []

    @classmethod
    async def connect(cls, host: str, port: int, app: str, name: str) -> Self:
        """A connection on which the server has begun to play; RtmpError or OSError if it does not within 3 s."""
        async with asyncio.timeout(3):
            reader, writer = await asyncio.open_connection(host, port, limit=4 * _READ_BYTES)
            player = cls(reader, writer)
            try:
                await player._handshake()
                await player._start(f"rtmp://{host}:{port}/{app}", app, name)
            except BaseException:
                player.close()
                raise
        return player

    async def _handshake(self) -> None:
        self._writer.write(b"\x03" + bytes(_HANDSHAKE))  # zero version bytes: the plain handshake, without digests
        answer = await self._reader.readexactly(1 + 2 * _HANDSHAKE)
        if answer[0] != 3:
            raise RtmpError(f"RTMP version {answer[0]}")
        self._writer.write(answer[1 : 1 + _HANDSHAKE])

    async def _start(self, url: str, app: str, name: str) -> None:
        self._command(0, "connect", 1, {"app": app, "tcUrl": url, "flashVer": "origin", "fpad": False})
        await self._answer("_result")
        self._command(0, "createStream", 2, None)
        number = (await self._answer("_result"))[3]
        stream = int(number) if isinstance(number, float) and 0 <= number < 1 << 32 else 1
        self._command(stream, "play", 0, None, name)
        await self._answer("onStatus")

    def _command(self, stream: int, *values: object) -> None:
        self._writer.write(write_message(3, COMMAND, stream, amf_encode(*values)))

    async def _answer(self, name: str) -> list[object]:
        async for message in self._messages():
            if message.kind != COMMAND:
                self._media_before_start.append(message)
                continue
            values = amf_decode(message.body)
            if values and values[0] == "_error":
                raise RtmpError("the server answers with an error")
            if values and values[0] == name and len(values) > 3:
                return values
        raise RtmpError("the server hangs up")

    async def _messages(self) -> AsyncIterator[Message]:
        while True:
            while self._received:
                message = self._received.popleft()
                if message.kind == USER_CONTROL and message.body[:2] == struct.pack(">H", _PING):
                    self._writer.write(write_message(2, USER_CONTROL, 0, struct.pack(">H", _PONG) + message.body[2:]))
                else:
                    yield message
            try:
                data = await self._reader.read(_READ_BYTES)
            except ConnectionError:  # the nginx at the other end died
                return
            if not data:
                return
            await asyncio.sleep(0)  # bytes that are there already are read without a pause: others come in between
            # All of a piece at once: the caller may stop after any of them without losing the others.
            self._received.extend(self._chunks.feed(data))

    async def play(self) -> AsyncIterator[Message]:
        """Audio, video and data messages until the publisher leaves or the connection ends."""
        for message in self._media_before_start:
            yield message
        async for message in self._messages():
            if message.kind in {AUDIO, VIDEO, DATA}:
                yield message
            elif message.kind == COMMAND and "NetStream.Play.UnpublishNotify" in repr(amf_decode(message.body)):
                return

    def close(self) -> None:
        """Hang up."""
        self._writer.close()
