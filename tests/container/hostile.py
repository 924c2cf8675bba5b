"""Publishers that send what no encoder sends, message by message: `python -m tests.container.hostile PORT KEY ATTACK`.

Each publishes with a right key, and ends when it is hung up on.
"""

import asyncio
import contextlib
import itertools
import struct
import sys
from collections.abc import Iterator

from origin.ingest import rtmp

from tests.container.media.parameter_sets import avcc, sps
from tests.container.packaging.by_hand import AVCC

CHUNK = 1 << 16


def message(kind: int, timestamp: int, body: bytes) -> bytes:
    """As a publisher sends it, in chunks of CHUNK bytes."""
    head = b"\x06" + timestamp.to_bytes(3, "big") + len(body).to_bytes(3, "big") + bytes([kind]) + b"\1\0\0\0"
    return head + b"\xc6".join(body[at : at + CHUNK] for at in range(0, max(len(body), 1), CHUNK))


def configure(record: bytes, at: int = 0) -> bytes:
    return message(rtmp.VIDEO, at, b"\x17\x00\x00\x00\x00" + record)


def picture(at: int, units: bytes) -> bytes:
    return message(rtmp.VIDEO, at, b"\x17\x01\x00\x00\x00" + units)


def unit(nal: bytes) -> bytes:
    return len(nal).to_bytes(4, "big") + nal


def large_parameter_sets() -> Iterator[bytes]:
    nal = b"\x67\x42\x00\x1e\xf5" + b"\x55" * 65_000
    for at in range(40):
        yield configure(b"\x01\x42\x00\x1e\xff\xe1" + len(nal).to_bytes(2, "big") + nal)
        yield picture(at * 33, unit(b"\x65abc"))  # nginx passes configurations on with the first picture


def empty_units() -> Iterator[bytes]:
    yield configure(AVCC.avcc)
    for at in range(8):
        yield picture(at * 33, bytes(4_000_000))


def huge_pictures() -> Iterator[bytes]:
    yield configure(avcc(sps(16384, 8192)).avcc)
    for at in range(40):
        yield picture(at * 33, unit(b"\x65" + b"\x88" * 10_000))


def huge_pictures_in_band() -> Iterator[bytes]:
    yield configure(AVCC.avcc)
    for at in range(40):
        yield picture(at * 33, unit(b"\x65abc") if at < 30 else unit(sps(16384, 8192)) + unit(b"\x65abc"))


def new_configurations() -> Iterator[bytes]:
    for number in itertools.count():
        yield configure(avcc(sps(640 + 16 * (number % 20), 480)).avcc)
        yield picture(number, unit(b"\x65abc"))


def tiny_messages() -> Iterator[bytes]:
    yield configure(AVCC.avcc)
    yield picture(0, unit(b"\x65abc"))
    while True:
        yield message(rtmp.AUDIO, 0, b"\xaf\x01x") * 1000


def metadata() -> Iterator[bytes]:
    nested = rtmp.amf_encode("onMetaData", {"a" * 9 + str(n): 1.0 for n in range(900)})
    while True:
        yield message(rtmp.DATA, 0, nested) * 10


ATTACKS = {
    each.__name__: each
    for each in (
        large_parameter_sets,
        empty_units,
        huge_pictures,
        huge_pictures_in_band,
        new_configurations,
        tiny_messages,
        metadata,
    )
}


async def publish(port: int, key: str, attack: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"\x03" + bytes(1536))
    answer = await reader.readexactly(1 + 2 * 1536)
    writer.write(answer[1:1537])
    writer.write(rtmp.write_message(2, rtmp.SET_CHUNK_SIZE, 0, struct.pack(">I", CHUNK)))
    for stream, values in (
        (0, ("connect", 1, {"app": "live", "tcUrl": "rtmp://127.0.0.1/live"})),
        (0, ("createStream", 2, None)),
        (1, ("publish", 3, None, key, "live")),
    ):
        writer.write(rtmp.write_message(3, rtmp.COMMAND, stream, rtmp.amf_encode(*values), chunk_size=CHUNK))
        await asyncio.sleep(0.1)
    await reader.readuntil(b"NetStream.Publish.Start")
    hung_up = asyncio.create_task(reader.read(-1))
    for data in ATTACKS[attack]():
        writer.write(data)
        await writer.drain()
        await asyncio.sleep(0.001)
        if hung_up.done():
            return
    await hung_up


if __name__ == "__main__":
    with contextlib.suppress(ConnectionError):
        asyncio.run(publish(int(sys.argv[1]), sys.argv[2], sys.argv[3]))
