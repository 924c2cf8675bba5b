"""HTTP as nobody should speak it: answered or hung up on, and nobody else notices."""

import re
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.container.support import Backend, Follower, Origin, Publisher, eventually

MALFORMED = {
    "nothing like HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) + b"\r\n\r\n",
    "RTMP": b"\x03" + bytes(1536) + b"\r\n\r\n",
    "NUL in the path": b"GET /hls/\0/master.m3u8 HTTP/1.1\r\nHost: x\r\n\r\n",
    "NUL in a header": b"GET /health HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n",
    "high bytes in the path": b"GET /hls/\xff\xfe\xc3 HTTP/1.1\r\nHost: x\r\n\r\n",
    "high bytes in a header": b"GET /hls/x HTTP/1.1\r\nHost: x\r\nA\xff: \xfe\xc3\r\n\r\n",
    "no version": b"GET /health\r\n\r\n",
    "another version": b"GET /health HTTP/9.9\r\nHost: x\r\n\r\n",
    "a version that is none": b"GET /health HTTP/a.b\r\nHost: x\r\n\r\n",
    "an empty line": b"\r\n\r\n\r\n\r\nGET\r\n\r\n",
    "a header without a name": b"GET /health HTTP/1.1\r\nHost: x\r\n: x\r\n\r\n",
    "a header that goes on": b"GET /health HTTP/1.1\r\nHost: x\r\n goes on\r\n\r\n",
    "a space before the colon": b"GET /health HTTP/1.1\r\nHost : x\r\n\r\n",
    "a bare line feed": b"GET /health HTTP/1.1\nHost: x\n\n",
    "two lengths": b"GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "a length that is none": b"GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "a huge length": b"GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n",
    "a length and chunks": b"GET /x HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "bad chunks": b"GET /health HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n0\r\n\r\n",
    "a huge chunk": b"GET /health HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nab",
    "a long chunk extension": b"GET /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;" + b"x" * 99999,
    "another coding": b"GET /health HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, x\r\n\r\nabc",
    "a port that is none": b"GET http://x:99999999/health HTTP/1.1\r\nHost: x\r\n\r\n",
    "an address that is none": b"GET http://[::1/hls/x HTTP/1.1\r\nHost: x\r\n\r\n",
    "another scheme": b"GET gopher://x/hls/x HTTP/1.1\r\nHost: x\r\n\r\n",
    "no path": b"GET * HTTP/1.1\r\nHost: x\r\n\r\n",
    "a query only": b"GET ?_HLS_msn=1 HTTP/1.1\r\nHost: x\r\n\r\n",
    "an authority": b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n" + b"\x16\x03\x01" * 9999,
    "another protocol": b"GET /x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\xff" * 9,
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(99),
    "a method of its own": b"GE\x00T /health HTTP/1.1\r\nHost: x\r\n\r\n",
    "an upload": b"PUT /hls/x/master.m3u8 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
    "a long line": b"GET /" + b"x" * 99_999 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "a long header": b"GET /health HTTP/1.1\r\nHost: x\r\nCookie: " + b"x" * 99_999 + b"\r\n\r\n",
    "many headers": b"GET /health HTTP/1.1\r\nHost: x\r\n" + b"a:b\r\n" * 99_999 + b"\r\n",
}
# Well formed, and nothing is there.
ELSEWHERE = [
    "/hls/../../etc/passwd",
    "//hls//x",
    "/hls/%2e%2e/%2e%2e/x",
    "/hls/%00/master.m3u8",
    "/hls/%ff%fe/master.m3u8",
    "/hls/%u2603/%zz",
    "/hls/x/720p/index.m3u8?_HLS_msn=" + "9" * 5000,
    "/hls/x/720p/index.m3u8?" + "&".join(f"_HLS_msn={number}" for number in range(400)),
    "/hls/" + "x" * 8000,
    "/hls/x?" + "y" * 8000,
    "http://elsewhere/hls/x",
]


@pytest.fixture(scope="module")
def attacked(backend: Backend) -> Iterator[Origin]:
    """An origin for strangers only: its log has nothing but what they caused."""
    origin = Origin(backend.url)
    yield origin
    origin.stop()


def say(origin: Origin, request: bytes) -> bytes:
    """What comes back: until the other side hangs up, or the whole of an answer."""
    answer = b""
    with socket.create_connection(("127.0.0.1", origin.http_port), timeout=20) as connection:
        with suppress(ConnectionError):
            connection.sendall(request)
        with suppress(ConnectionError):
            while data := connection.recv(1 << 16):
                answer += data
                head, _, body = answer.partition(b"\r\n\r\n")
                length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
                if length and len(body) >= int(length[1]):
                    break
    return answer


def well(origin: Origin) -> bool:
    return origin.fetch("/health").status == 200


def tracebacks(origin: Origin) -> list[object]:
    lines = [line for line in origin.lines if not line.startswith("{") and line.strip()]
    return [
        *lines,
        *(line for line in origin.logs if "exception" in line or line.get("logger") in {"asyncio", "aiohttp.server"}),
    ]


@pytest.mark.parametrize("request_", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_request_is_answered_with_400_and_nobody_keeps_that(attacked: Origin, request_: bytes) -> None:
    """Or hung up on. Where it can be read after all, nothing is there. Never a traceback."""
    answer = say(attacked, request_)
    head = answer.partition(b"\r\n\r\n")[0].lower()
    status = head.split(b" ", 2)[1] if head else b""
    assert status in {b"", b"200", b"400", b"404", b"405"}
    if status == b"400":
        assert b"\r\ncache-control: no-store" in head
        assert answer.endswith(b"\r\n\r\nbad request\n")
    assert well(attacked)
    assert not tracebacks(attacked)


@pytest.mark.parametrize("path", ELSEWHERE, ids=range(len(ELSEWHERE)))
def test_odd_paths_lead_nowhere(attacked: Origin, path: str) -> None:
    answer = say(attacked, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert not tracebacks(attacked)


def test_strangers_do_not_fill_the_log(attacked: Origin) -> None:
    """A few lines at first, then how many were left out."""
    before = len(attacked.lines)
    for _ in range(300):
        say(attacked, b"\xff\xff\r\n\r\n")
    assert well(attacked)
    assert len([line for line in attacked.lines[before:] if line.strip()]) < 60


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": ", ".join(["203.0.113.7"] * 1500)},
        {"Cookie": "x" * 19_900},
        {f"X-{number}": "y" * 8 for number in range(1100)},
        {"Accept-Encoding": "gzip, " * 3000},
        {"Range": "bytes=" + ",".join(f"{number}-{number}" for number in range(2000))},
    ],
    ids=lambda headers: next(iter(headers)),
)
def test_a_request_as_large_as_cloudfront_lets_through_is_answered(attacked: Origin, headers: dict[str, str]) -> None:
    """20,480 bytes with all its headers."""
    assert 15_000 < sum(len(name) + len(value) + 4 for name, value in headers.items()) < 20_480
    assert attacked.fetch("/health", headers=headers).status == 200
    assert attacked.fetch("/hls/x/master.m3u8", headers=headers).status == 404


def resident_bytes(origin: Origin) -> int:
    status = Path(f"/proc/{origin.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


def greedy(origin: Origin, request: bytes) -> socket.socket:
    """A connection that asks and never reads."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", origin.http_port))
    connection.sendall(request)
    return connection


def ended(connection: socket.socket) -> bool:
    """Whether the other side has hung up, which what is still unread may hide."""
    connection.settimeout(0)
    try:
        while connection.recv(1 << 16):
            pass
    except BlockingIOError:
        return False
    except ConnectionError:
        pass
    return True


def test_viewers_that_never_read_cost_little_and_are_hung_up_on(
    backend: Backend, key: tuple[str, str], figures: Callable[[object], None]
) -> None:
    """300 of them, and connections that are slow in every other way; an honest viewer sees every picture."""
    with ExitStack() as stack:
        origin = Origin(backend.url)
        stack.callback(origin.stop)
        stack.enter_context(Publisher(origin, key[0]))
        eventually(lambda: origin.fetch(f"/hls/{key[1]}/master.m3u8").status == 200, "playlist")
        viewer = Follower(origin, key[1], "720p")
        eventually(lambda: len(viewer.complete) >= 2, "two segments")
        segment = viewer.segments[viewer.complete[-1]].uri
        path = f"/hls/{key[1]}/720p/{segment}"
        size = len(origin.fetch(path).body)
        before, began = resident_bytes(origin), time.monotonic()

        request = f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() * 20
        readers = [stack.enter_context(greedy(origin, request)) for _ in range(300)]
        slow_head = stack.enter_context(greedy(origin, b"GET /health HTTP/1.1\r\nHost: x\r\n"))
        slow_body = stack.enter_context(
            greedy(origin, b"POST /health HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        )
        halt = threading.Event()
        stack.callback(halt.set)
        threading.Thread(target=trickle, args=(halt, slow_head, slow_body), daemon=True).start()

        eventually(lambda: well(origin), "an answer")
        time.sleep(2)
        taken = resident_bytes(origin) - before
        assert 300 * size > 40 << 20, "as much as that would be in copies"
        figures(f"300 viewers that never read: {taken / 2**20:.1f} MiB; in copies {300 * size / 2**20:.0f} MiB")
        assert taken < 20 << 20, f"{taken >> 20} MiB"
        for slow in (slow_head, slow_body):
            eventually(lambda: ended(slow), "hanging up on the slow", 40)  # noqa: B023 # called within this turn
        for reader in readers:
            # What a reader takes now is what the kernels hold; then comes the end.
            eventually(lambda: time.monotonic() - began > 16 and ended(reader), "hanging up on all", 60)  # noqa: B023 # as above
        assert viewer.stop().complete
        numbers = viewer.numbers()
        assert numbers[0] is not None
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert not tracebacks(origin)


def trickle(halt: threading.Event, head: socket.socket, body: socket.socket) -> None:
    """A byte of a head, a chunk of a body, again and again."""
    with suppress(OSError):
        while not halt.wait(0.5):
            head.sendall(b"a")
            with suppress(ConnectionError):
                body.sendall(b"1\r\nx\r\n")


def test_idle_connections_make_room(attacked: Origin) -> None:
    """More than there is room for: those that have been idle for longest go, and who asks is answered."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    try:
        with ExitStack() as stack:
            idle = [
                stack.enter_context(socket.create_connection(("127.0.0.1", attacked.http_port), timeout=20))
                for _ in range(4200)
            ]
            assert well(attacked)
            eventually(lambda: sum(map(ended, idle[:200])) > 50, "room being made")
            assert not ended(idle[-1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert not tracebacks(attacked)
