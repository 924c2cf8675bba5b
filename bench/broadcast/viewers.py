"""Low-latency viewers without a screen: blocking playlist, part, blocking playlist, part, over keep-alive.

`python bench/viewers.py PORT PATH COUNT SECONDS` where PATH is that of a media playlist. Prints one JSON object.
"""

import asyncio
import json
import re
import sys
import time

import uvloop

_URI = re.compile(rb'URI="([^"]+)"')
_HINT = re.compile(rb'PRELOAD-HINT:TYPE=PART,URI="[^".]+\.(\d+)\.(\d+)\.m4s"')


class Tally:
    def __init__(self) -> None:
        self.requests = self.failures = self.bytes = 0
        self.parts: dict[int, set[bytes]] = {}
        self.behind: list[float] = []  # seconds after the first viewer that got the same part
        self.first_seen: dict[bytes, float] = {}


class Viewer(asyncio.Protocol):
    """One keep-alive connection that asks for the playlist with the next part, then for that part."""

    def __init__(self, number: int, path: str, tally: Tally) -> None:
        self._number, self._base, self._tally = number, path.rpartition("/")[0], tally
        self._path = path
        self._buffer = bytearray()
        self._needed: int | None = None
        self._playlist = True
        self._part, self._next = b"", ""
        tally.parts[number] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]  # connections here are TCP
        self._ask(self._path)

    def _ask(self, path: str) -> None:
        self._transport.write(f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._needed is None:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self._buffer[:end]).lower()
            self._tally.failures += b" 200 " not in head[:20]
            self._needed = end + 4 + int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])
            self._body = end + 4
        if len(self._buffer) >= self._needed:
            self._done()

    def _done(self) -> None:
        tally = self._tally
        tally.requests += 1
        tally.bytes += len(self._buffer)
        if self._playlist:
            newest = _URI.search(self._buffer, self._buffer.rfind(b"#EXT-X-PART:"))
            hint = _HINT.search(self._buffer, self._body)
            if newest is None or hint is None:
                tally.failures += 1
                self._transport.abort()
                return
            self._part, self._next = newest[1], f"_HLS_msn={int(hint[1])}&_HLS_part={int(hint[2])}"
            self._ask(f"{self._base}/{self._part.decode()}")
        else:
            now = time.monotonic()
            tally.behind.append(now - tally.first_seen.setdefault(self._part, now))
            tally.parts[self._number].add(self._part)
            self._ask(f"{self._path}?{self._next}")
        self._playlist = not self._playlist
        self._buffer.clear()
        self._needed = None

    def connection_lost(self, _: Exception | None) -> None:
        self._tally.failures += 1


async def main() -> None:
    port, path, count, seconds = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
    tally = Tally()
    loop = asyncio.get_running_loop()
    viewers = [
        await loop.create_connection(lambda number=number: Viewer(number, path, tally), "127.0.0.1", port)  # type: ignore[misc]  # its default argument
        for number in range(count)
    ]
    await asyncio.sleep(3)
    began, cpu = time.monotonic(), time.process_time()
    tally.requests = tally.bytes = 0
    tally.behind.clear()
    for parts in tally.parts.values():
        parts.clear()
    await asyncio.sleep(seconds)
    took = time.monotonic() - began
    everything = set.union(*tally.parts.values())
    # The newest and the oldest may be on their way to some viewers at the moment of counting.
    ordered = sorted(everything, key=lambda name: [int(number) for number in name.split(b".")[1:3]])
    settled = set(ordered[3:-3])
    missed = sum(len(settled - parts) for parts in tally.parts.values())
    behind = sorted(tally.behind)
    result = {
        "requests_per_second": round(tally.requests / took),
        "megabytes_per_second": round(tally.bytes / took / 1e6, 1),
        "failures": tally.failures,
        "missed_parts": missed,
        "parts": len(settled),
        "behind_p95_ms": round(behind[int(len(behind) * 0.95)] * 1000),
        "client_cpu": round((time.process_time() - cpu) / took, 2),
    }
    sys.stdout.write(json.dumps(result) + "\n")
    sys.stdout.flush()
    for transport, _ in viewers:
        transport.abort()


if __name__ == "__main__":
    uvloop.run(main())
