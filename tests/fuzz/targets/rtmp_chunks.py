"""The chunk reader: what nginx-rtmp sends of a publisher's messages."""

import struct

from origin.ingest import rtmp

_MESSAGE = rtmp.write_message(6, rtmp.VIDEO, 1, b"x" * 300)
SEEDS = [
    _MESSAGE,
    rtmp.write_message(2, rtmp.SET_CHUNK_SIZE, 0, struct.pack(">I", 4096)) + rtmp.write_message(6, 9, 1, b"y" * 5000),
    _MESSAGE[:200] + rtmp.write_message(2, rtmp.ABORT, 0, struct.pack(">I", 6)) + _MESSAGE,
    _MESSAGE[:140] + _MESSAGE[:12] + b"z" * 64,  # a header in mid-message, of a shorter one
    b"\x00\x10\xff\xff\xff\x00\x00\x04\x09\x01\x00\x00\x00\xff\xff\xff\xffabcd\xc0\x10\x00\x00\x00\x01abcd",
    b"\x01\x10\x20\x00\x00\x00\xff\xff\xff\x09\x01\x00\x00\x00",
    rtmp.write_message(2, rtmp.SET_CHUNK_SIZE, 0, struct.pack(">I", 1))
    + b"\x06\0\0\0\0\x01\0\x09\1\0\0\0"
    + b"\xc6a" * 400,
]


def run(data: bytes) -> None:
    """Whatever comes, in one piece or in many: the same messages, never more than the bytes that came."""
    whole, pieces = _read([data]), _read([data[start : start + 7] for start in range(0, len(data), 7)])
    assert whole == pieces
    assert sum(len(message.body) for message in whole) <= len(data)


def _read(pieces: list[bytes]) -> list[rtmp.Message]:
    reader, read = rtmp.ChunkReader(), list[rtmp.Message]()
    try:
        for piece in pieces:
            for message in reader.feed(piece):
                read.append(message)  # what came before an error counts as well
    except rtmp.RtmpError:
        pass
    return read
