"""Whole RTMP sessions over the network, right ones and mutated, against nginx with sanitizers.

Its hooks are answered at random: yes, no, another name, rubbish, late.
"""

import contextlib
import http.server
import os
import random
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.container import rtmp_client as rtmp
from tests.ports import free_ports

_KINDS = [*range(24), 255]
_NAMES = [
    *(
        "connect",
        "createStream",
        "releaseStream",
        "FCPublish",
        "publish",
        "play",
        "play2",
        "pause",
        "seek",
        "closeStream",
    ),
    *("deleteStream", "@setDataFrame", "onMetaData", "onStatus", "_result", "_error", "onCuePoint", ""),
]
_SIZES = [0, 1, 2, 64, 127, 128, 129, 4096, 60000, 1 << 20, (1 << 24) - 1, 1 << 31, (1 << 32) - 1]
_TIMES = [0, 1, 40, 0xFFFFFE, 0xFFFFFF]
_SEQUENCE_HEADER = bytes.fromhex(
    "17000000000164001fffe100186764001facd9405005bb016a02020280000003008000001e478c18cb01000568ebecb22c"
)
_CONFIG = """
daemon off; master_process off; pid {folder}/pid; error_log stderr warn;
events {{ worker_connections 512; }}
rtmp {{ server {{
    listen 127.0.0.1:{port}; chunk_size 4096; max_message 256k; stranger_max_message 16k; stranger_timeout 3s;
    ping 1s; ping_timeout 1s; out_queue 128; netcall_timeout 1s; access_log off;
    stranger_connections 24; stranger_connections_per_address 8;
    application live {{
        live on; drop_idle_publisher 2s; publish_notify on; idle_streams on;
        on_publish http://127.0.0.1:{hooks}/publish; on_publish_done http://127.0.0.1:{hooks}/publish_done;
    }}
}} }}
"""


class FoundError(Exception):
    """nginx has ended, or hangs; the text is what the sanitizer said."""


class _Hooks(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        draw = random.random()
        if draw < 0.1:
            time.sleep(random.choice([0.01, 0.1, 1.2]))
        with contextlib.suppress(OSError):
            if draw < 0.05:
                self.wfile.write(b"HTTP/1.0 2" + bytes(random.randbytes(40)))
            elif b"name=no" in body:
                self.send_error(403)
            elif b"name=other" in body:
                self.send_response(302)
                self.send_header("Location", "renamed")
                self.end_headers()
            else:
                self.send_response(200)
                self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def _hooks() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Hooks)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


class _Nginx:
    def __init__(self, program: Path, folder: Path, hooks: int) -> None:
        (self.port,) = free_ports(1)
        config = folder / "nginx.conf"
        config.write_text(_CONFIG.format(folder=folder, port=self.port, hooks=hooks))
        self._said = folder / "sanitizer.log"
        with self._said.open("w") as said:
            self._process = subprocess.Popen(
                [program, "-c", config, "-p", folder, "-e", "stderr"],
                stderr=said,
                env=os.environ
                | {"ASAN_OPTIONS": "detect_leaks=0:abort_on_error=0", "UBSAN_OPTIONS": "print_stacktrace=1"},
            )

    def check(self) -> None:
        if self._process.poll() is not None:
            raise FoundError(f"nginx ended with {self._process.returncode}: {self._said.read_text()[-6000:]}")

    def check_answers(self, seconds: float = 30) -> None:
        """A handshake, as any encoder makes it."""
        deadline = time.monotonic() + seconds
        while True:
            self.check()
            try:
                with rtmp.Client(self.port, seconds=seconds) as client:
                    client.handshake()
                    return
            except OSError as error:
                if time.monotonic() > deadline:
                    raise FoundError(f"nginx does not answer any more: {error!r}") from None
                time.sleep(0.1)

    @property
    def resident_mib(self) -> float:
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)


class Author:
    """Writes sessions: what encoders and players send, with mistakes."""

    def __init__(self, draw: random.Random) -> None:
        self._draw = draw
        self._parts: list[Callable[[], bytes]] = [
            lambda: rtmp.connect(draw.choice(["live", "live", "live", "no", "live?a=b", "l" * 300])),
            rtmp.create_stream,
            lambda: rtmp.publish(draw.choice(["a", "b", "no", "other", "", "a?name=b", "x" * 400])),
            lambda: rtmp.command("play", 0, None, draw.choice(["a", "b", "c"]), -2000, stream=1),
            self._command,
            self._metadata,
            self._media,
            self._media,
            self._control,
            self._aggregate,
            lambda: rtmp.message(draw.choice(_KINDS), draw.randbytes(draw.choice([0, 1, 4, 20, 300]))),
            lambda: rtmp.command("deleteStream", 0, None, 1),
            lambda: draw.randbytes(draw.randrange(1, 40)),
        ]

    def session(self) -> bytes:
        draw = self._draw
        parts: list[bytes] = []
        if draw.random() < 0.9:
            parts.append(rtmp.connect())
        if draw.random() < 0.7:
            parts += [rtmp.create_stream(), rtmp.publish(draw.choice("abc"))]
        parts += [draw.choice(self._parts)() for _ in range(draw.randrange(12))]
        if draw.random() < 0.4:
            parts = [self._mutated(part) if draw.random() < 0.3 else part for part in parts]
        if draw.random() < 0.2:
            draw.shuffle(parts)
        return b"".join(parts)

    def _mutated(self, part: bytes) -> bytes:
        draw = self._draw
        data = bytearray(part)
        for _ in range(draw.randrange(1, 4)):
            at = draw.randrange(len(data) + 1)
            match draw.randrange(5):
                case 0 if at < len(data):
                    data[at] = draw.randrange(256)
                case 1:
                    del data[at : at + draw.randrange(1, 9)]
                case 2:
                    data[at:at] = draw.randbytes(draw.randrange(1, 9))
                case 3:
                    data[at:at] = data[at // 2 : at]
                case _ if at < len(data):
                    data[at] ^= 1 << draw.randrange(8)
        return bytes(data)

    def _value(self, depth: int = 0) -> object:
        draw = self._draw
        if depth < 3 and draw.random() < 0.3:
            return {draw.choice(["a", "width", "videocodecid", "app", "start", "streamName"]): self._value(depth + 1)}
        if depth < 3 and draw.random() < 0.2:
            return [self._value(depth + 1) for _ in range(draw.randrange(4))]
        return draw.choice([None, True, 0, 1, -1.5, 1e300, float("nan"), "", "a", "x" * 300])

    def _command(self) -> bytes:
        draw = self._draw
        kind = draw.choice([rtmp.COMMAND, rtmp.COMMAND, rtmp.AMF3_COMMAND, rtmp.DATA, rtmp.AMF3_DATA, rtmp.SHARED])
        tail = rtmp.nested(draw.choice([1, 15, 17, 2000])) if draw.random() < 0.1 else b""
        values = [self._value() for _ in range(draw.randrange(5))]
        return rtmp.command(draw.choice(_NAMES), *values, kind=kind, tail=tail)

    def _metadata(self) -> bytes:
        draw = self._draw
        values = {"width": 1280, "videocodecid": draw.choice([7, "avc1"]), "audiocodecid": 10, "more": self._value()}
        return rtmp.command("@setDataFrame", "onMetaData", values, kind=rtmp.DATA, stream=1)

    def _media(self) -> bytes:
        draw = self._draw
        header = self._mutated(_SEQUENCE_HEADER) if draw.random() < 0.7 else _SEQUENCE_HEADER
        kind, payload = draw.choice(
            [
                (rtmp.VIDEO, header),
                (rtmp.VIDEO, b"\x27\1\0\0\0" + draw.randbytes(draw.choice([0, 1, 100, 9000]))),
                (rtmp.AUDIO, b"\xaf\0" + draw.randbytes(draw.randrange(8))),
                (rtmp.AUDIO, b"\xaf\1" + draw.randbytes(200)),
                (draw.choice([rtmp.AUDIO, rtmp.VIDEO]), b""),
            ]
        )
        return rtmp.message(kind, payload, stream=1, csid=draw.choice([4, 6]), timestamp=draw.choice(_TIMES))

    def _control(self) -> bytes:
        draw = self._draw
        kind = draw.choice([rtmp.SET_CHUNK_SIZE, rtmp.ABORT, rtmp.ACK, rtmp.USER, rtmp.ACK_SIZE, rtmp.BANDWIDTH])
        if kind == rtmp.USER:
            return rtmp.message(kind, draw.randrange(9).to_bytes(2) + draw.randbytes(draw.choice([3, 4, 8])), csid=2)
        return rtmp.message(kind, draw.choice(_SIZES).to_bytes(4) + b"\2" * draw.randrange(2), csid=2)

    def _aggregate(self) -> bytes:
        draw = self._draw
        tags = b""
        for _ in range(draw.randrange(4)):
            kind = draw.choice([rtmp.AUDIO, rtmp.VIDEO, rtmp.DATA, rtmp.AGGREGATE, rtmp.SET_CHUNK_SIZE])
            payload = draw.randbytes(draw.choice([0, 1, 4, 50]))
            tags += bytes([kind]) + len(payload).to_bytes(3) + bytes(7) + payload + (len(payload) + 11).to_bytes(4)
        return rtmp.message(rtmp.AGGREGATE, tags, stream=1)


def _play_out(port: int, draw: random.Random, author: Author) -> None:
    source = f"127.0.0.{draw.choice([1, 1, 2, 3, 4])}"
    with contextlib.suppress(OSError), rtmp.Client(port, source=source, seconds=2) as client:
        if draw.random() < 0.05:
            client.send(draw.randbytes(draw.choice([1, 1537, 3073, 5000])))
            client.is_closed(0.05)
            return
        client.handshake()
        data = author.session()
        step = draw.choice([1 << 20, 1 << 20, 1000, 7])
        for start in range(0, min(len(data), 400 * step), step):
            client.send(data[start : start + step])
            if draw.random() < 0.02:
                client.is_closed(0.02)
        if draw.random() < 0.1:
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset
        elif draw.random() < 0.5:
            client.is_closed(draw.choice([0.01, 0.05, 0.3]))


def run(program: Path, folder: Path, seconds: float, seed: int) -> str:
    """Sessions from a few threads for this time: a line on how many; FoundError with what was found."""
    counts: list[int] = []
    end = time.monotonic() + seconds

    def work(number: int) -> None:
        draw = random.Random(f"{seed}-{number}")
        author = Author(draw)
        count = 0
        while time.monotonic() < end and not found.is_set():
            _play_out(nginx.port, draw, author)
            count += 1
        counts.append(count)

    found = threading.Event()
    with _hooks() as hooks:
        nginx = _Nginx(program, folder, hooks)
        try:
            nginx.check_answers()
            threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(4)]
            for thread in threads:
                thread.start()
            while any(thread.is_alive() for thread in threads):
                time.sleep(min(1, seconds))
                nginx.check()
            nginx.check_answers()
            return f"{sum(counts)} sessions, {nginx.resident_mib:.0f} MiB resident, seed {seed}"
        finally:
            found.set()
            nginx.stop()
