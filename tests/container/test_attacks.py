"""What strangers and broken encoders send to the RTMP port, while somebody else's broadcast is live and watched.

One broadcast for all: after each attack its viewer has had no gap, and no process of nginx has ended.
"""

import contextlib
import random
import resource
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.container import rtmp_client as rtmp
from tests.container.support import Backend, Follower, Origin, Publisher, eventually

STRANGER = "127.0.0.7"  # 127.0.0.1 is where origin comes from: it counts as nobody's
SILENT = 1100  # connections; more than nginx had room for
_TICKET = b"\2\0\7connect"


@dataclass
class Show:
    """A live broadcast, its origin, and one who watches."""

    origin: Origin
    backend: Backend
    viewer: Follower
    workers: frozenset[int]

    @property
    def port(self) -> int:
        return self.origin.rtmp_port

    def stranger(self, source: str = STRANGER) -> rtmp.Client:
        return rtmp.Client(self.port, source=source)

    def parts(self) -> int:
        return sum(map(len, list(self.viewer.parts.values())))

    def assert_unharmed(self) -> None:
        """Two more parts have come, nothing is missing between them, and all processes are still there."""
        seen = self.parts()
        eventually(
            lambda: self.viewer.problem or self.viewer.ended or self.parts() >= seen + 2,
            "more parts for the viewer",
            60,
        )
        assert self.viewer.problem is None
        assert not self.viewer.ended
        assert nginx_processes(self.origin.process.pid) == self.workers
        assert len(self.viewer.inits) == 1, "the broadcast began anew"
        assert not [each.msn for each in self.viewer.segments.values() if each.gap or each.discontinuity]


def nginx_processes(origin: int) -> frozenset[int]:
    listed = subprocess.run(["ps", "-eo", "pid=,ppid=,comm="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in listed.splitlines()]
    family, found = {origin}, set[int]()
    while more := {int(pid) for pid, parent, _ in rows if int(parent) in family} - family:
        family |= more
    found = {int(pid) for pid, _, name in rows if int(pid) in family and name.startswith("nginx")}
    return frozenset(found)


@pytest.fixture(scope="module")
def show(backend: Backend) -> Iterator[Show]:
    resource.setrlimit(resource.RLIMIT_NOFILE, (SILENT * 4, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    origin = Origin(backend.url)
    with contextlib.ExitStack() as stack:
        stack.callback(origin.stop)
        key, playback_id = backend.new_key()
        stack.enter_context(Publisher(origin, key))
        viewer = Follower(origin, playback_id, "360p")
        eventually(lambda: viewer.problem or len(viewer.segments) > 1, "the broadcast", 180)
        yield Show(origin, backend, viewer, nginx_processes(origin.process.pid))
        viewer.stop()


def lengthened(first: int, then: int) -> bytes:
    """A message that says another length in its middle."""
    begun = rtmp.message(rtmp.COMMAND, bytes(first))[: 12 + 128]
    return begun + rtmp.message(rtmp.COMMAND, bytes(then))[:12]


def unfinished(count: int, size: int = 1 << 14) -> bytes:
    """The beginnings of messages, on as many chunk streams."""
    return b"".join(rtmp.message(rtmp.COMMAND, bytes(size), csid=3 + number)[: 12 + 128] for number in range(count))


def chunk_size(size: int) -> bytes:
    return rtmp.message(rtmp.SET_CHUNK_SIZE, size.to_bytes(4), csid=2)


def data(*values: object, kind: int = rtmp.DATA) -> bytes:
    return rtmp.command(*values, kind=kind)


DEEP = rtmp.message(rtmp.COMMAND, _TICKET + rtmp.amf(1) + rtmp.nested(50_000))
NARROW = rtmp.message(rtmp.COMMAND, _TICKET + rtmp.amf(1) + rtmp.nested(100))
MANY = rtmp.message(rtmp.COMMAND, _TICKET + rtmp.amf(1) + rtmp.amf([None] * 3000))

BEFORE_CONNECT = {
    "onMetaData as a command": rtmp.command("onMetaData", {"a": 1}),
    "onMetaData as an AMF3 command": rtmp.command("onMetaData", {"a": 1}, kind=rtmp.AMF3_COMMAND),
    "@setDataFrame as a command": rtmp.command("@setDataFrame", "onMetaData", {"width": 1}),
    "@setDataFrame": data("@setDataFrame", "onMetaData", {"width": 1}),
    "@setDataFrame in AMF3": data("@setDataFrame", "onMetaData", {"width": 1}, kind=rtmp.AMF3_DATA),
    "onCuePoint": data("onCuePoint", {"a": 1}),
    "connect as data": data("connect", 1, {"app": "live"}),
    "connect as AMF3 data": data("connect", 1, {"app": "live"}, kind=rtmp.AMF3_DATA),
    "connect as AMF3 data, not marked as such": rtmp.message(rtmp.AMF3_DATA, rtmp.connect()[12:]),
    "a shared object called connect": rtmp.message(rtmp.SHARED, _TICKET[1:] + rtmp.amf(1) + rtmp.amf({"app": "live"})),
    "an AMF3 shared object": rtmp.command("a", kind=rtmp.AMF3_SHARED),
    "createStream": rtmp.create_stream(),
    "publish": rtmp.publish("x"),
    "play": rtmp.command("play", 0, None, "x"),
    "play2": rtmp.command("play2", 0, None, {"streamName": "x"}),
    "pause": rtmp.command("pause", 0, None, True, 0),
    "seek": rtmp.command("seek", 0, None, 0),
    "closeStream": rtmp.command("closeStream", 0, None),
    "deleteStream": rtmp.command("deleteStream", 0, None, 1),
    "_result": rtmp.command("_result", 1, None, {}),
    "audio": rtmp.message(rtmp.AUDIO, b"\xaf\1\0"),
    "video": rtmp.message(rtmp.VIDEO, b"\x17\1\0\0\0"),
    "empty video": rtmp.message(rtmp.VIDEO, b""),
    "an aggregate": rtmp.message(rtmp.AGGREGATE, bytes(15)),
    "a type that there is not": rtmp.message(99, b"x"),
    "type 0": rtmp.message(0, b"x"),
    "connect without anything": rtmp.command("connect"),
    "connect without an object": rtmp.command("connect", 1),
    "connect to another application": rtmp.connect("other"),
    "objects in objects, 50,000 deep": DEEP,
    "objects in objects, 100 deep": NARROW,
    "3,000 values in one message": MANY,
    "a name of 64 KB": rtmp.command("x" * 65_000),
    "a chunk size of 0": chunk_size(0),
    "a chunk size of 1": chunk_size(1),
    "a chunk size of 2^31": chunk_size(1 << 31),
    "a message of 16 MB": rtmp.message(rtmp.COMMAND, bytes(1 << 16))[:4] + b"\xff\xff\xff\x14\0\0\0\0",
    "another length within a message": lengthened(1000, 10),
    "29 unfinished messages": unfinished(29),
    "a chunk stream out of range": b"\1\xff\xff" + bytes(20),
}

AFTER_CONNECT = {
    "connect once more": rtmp.connect(),
    "connect once more, in AMF3": rtmp.command("connect", 1, {"app": "live"}, kind=rtmp.AMF3_COMMAND),
    "connect as AMF3 data": data("connect", 1, {"app": "live"}, kind=rtmp.AMF3_DATA),
    "connect as AMF3 data, not marked as such": rtmp.message(rtmp.AMF3_DATA, rtmp.connect()[12:]),
    "onMetaData": data("onMetaData", {"a": 1}),
    "onMetaData as a command": rtmp.command("onMetaData", {"a": 1}),
    "audio": rtmp.message(rtmp.AUDIO, b"\xaf\1\0", stream=1),
    "a shared object": rtmp.message(rtmp.SHARED, b"\0\1a" + bytes(12)),
    "publish without a name": rtmp.command("publish", 3, None),
    "play": rtmp.command("play", 0, None, "x"),
    "pause": rtmp.command("pause", 0, None, True, 0),
    "deleteStream without a number": rtmp.command("deleteStream", 0),
    "an unknown key": rtmp.create_stream() + rtmp.publish("nobodys"),
}


@pytest.mark.parametrize("attack", BEFORE_CONNECT)
def test_fails_when_a_message_before_connect_is_not_connect(show: Show, attack: str) -> None:
    """That connection is hung up on at once, and no other."""
    with show.stranger() as stranger:
        stranger.handshake()
        with contextlib.suppress(ConnectionError):
            stranger.send(BEFORE_CONNECT[attack])
        assert stranger.is_closed(5)
    assert nginx_processes(show.origin.process.pid) == show.workers


@pytest.mark.parametrize("attack", AFTER_CONNECT)
def test_fails_when_a_stranger_does_not_publish_after_connect(show: Show, attack: str) -> None:
    """Media, data and players' commands are for those who were let in."""
    with show.stranger() as stranger:
        stranger.handshake().connect()
        with contextlib.suppress(ConnectionError):
            stranger.send(AFTER_CONNECT[attack])
        assert stranger.is_closed(8)
    assert nginx_processes(show.origin.process.pid) == show.workers


def sequence_header(references: int) -> bytes:
    """An AVC sequence header whose picture order counts name so many reference frames."""

    def golomb(value: int) -> str:
        bits = f"{value + 1:b}"
        return "0" * (len(bits) - 1) + bits

    # profile 66, level 31; id 0, log2 of frame numbers 0, order type 1, two flags and offsets, the count
    bits = f"{66:08b}{0:08b}{31:08b}" + golomb(0) + golomb(0) + golomb(1) + "0" + golomb(0) * 2 + golomb(references)
    bits += "0" * (-len(bits) % 8)
    sps = b"\x67" + int(bits, 2).to_bytes(len(bits) // 8)
    return b"\x17\0\0\0\0\1\x42\0\x1f\xff\xe1" + len(sps).to_bytes(2) + sps


AS_PUBLISHER = {
    "publish once more": rtmp.publish("another"),
    "play": rtmp.command("play", 0, None, "x", stream=1),
    "pause": rtmp.command("pause", 0, None, True, 0, stream=1),
    "an aggregate in an aggregate": rtmp.message(rtmp.AGGREGATE, b"\x16\0\0\0" + bytes(11), stream=1),
    "a chunk size in an aggregate": rtmp.message(rtmp.AGGREGATE, b"\1\0\0\4" + bytes(15), stream=1),
    "a message of 5 MB": b"\6\0\0\0\x50\0\0\x09\1\0\0\0",
}


@pytest.mark.parametrize("attack", AS_PUBLISHER)
def test_fails_when_a_publisher_sends_what_it_may_not(show: Show, attack: str) -> None:
    """It is hung up on, with a key or not."""
    with show.stranger() as publisher:
        publisher.handshake().publish(show.backend.new_key()[0])
        publisher.send(AS_PUBLISHER[attack])
        assert publisher.is_closed(5)
    assert nginx_processes(show.origin.process.pid) == show.workers


CLUMSY = {
    "references without end in a sequence header": rtmp.message(rtmp.VIDEO, sequence_header((1 << 31) - 2), stream=1),
    "numbers that no integer holds": data(
        "@setDataFrame", "onMetaData", {"width": 1e300, "height": -1, "fps": float("nan")}
    ),
    "a sequence header of nothing but zeros": rtmp.message(rtmp.VIDEO, b"\x17" + bytes(4000), stream=1),
    "a long AAC header": rtmp.message(rtmp.AUDIO, b"\xaf\0" + b"\xff" * 300, stream=1),
    "empty media": rtmp.message(rtmp.VIDEO, b"", stream=1) + rtmp.message(rtmp.AUDIO, b"", stream=1),
    "data of another name": data("onCuePoint", {"a": 1}),
    "metadata in odd shapes": data("@setDataFrame", "onMetaData", [1, 2]) + data("@setDataFrame"),
    "deep metadata": data("@setDataFrame", "onMetaData", {"a": [[[[[[{"b": 1}]]]]]]}),
    "a message given up": rtmp.message(rtmp.VIDEO, bytes(1000), stream=1, csid=6)[:140]
    + rtmp.message(rtmp.ABORT, (6).to_bytes(4), csid=2)
    + rtmp.message(rtmp.VIDEO, b"\x27\1\0\0\0" + bytes(50), stream=1, csid=6),
    "a window of one byte": rtmp.message(rtmp.ACK_SIZE, (1).to_bytes(4), csid=2),
    "a smaller chunk size, and bigger": chunk_size(60_000) + chunk_size(128) + chunk_size(4096) + chunk_size(128),
}


@pytest.mark.parametrize("oddity", CLUMSY)
def test_clumsy_publishers_stay(show: Show, oddity: str) -> None:
    """What an encoder may have said for once is no reason to hang up, and none to stop the others."""
    with show.stranger() as publisher:
        publisher.handshake().publish(show.backend.new_key()[0])
        publisher.send(CLUMSY[oddity])
        ping = rtmp.message(rtmp.USER, b"\0\6" + b"pong", csid=2)
        publisher.send(ping).wait_for("\0\7pong")
    assert nginx_processes(show.origin.process.pid) == show.workers


def test_the_viewer_had_no_gap_so_far(show: Show) -> None:
    show.assert_unharmed()


def test_random_bytes_in_1500_connections(show: Show) -> None:
    """After a handshake, and instead of one."""
    draw = random.Random(10)
    for number in range(1500):
        with contextlib.suppress(OSError), show.stranger() as stranger:
            if number % 3:
                stranger.handshake()
            stranger.send(draw.randbytes(draw.choice([1, 12, 100, 1537, 5000])))
    show.assert_unharmed()


def test_a_megabyte_of_tiny_messages_costs_no_second(show: Show) -> None:
    """Each used to move everything behind it: with a big chunk size a megabyte cost gigabytes of copying."""
    tiny = rtmp.message(rtmp.ACK, bytes(4), csid=2)
    with show.stranger() as stranger:
        stranger.handshake().send(chunk_size(1 << 20))
        stranger.connect()
        before = cpu_seconds(show.workers)
        stranger.send(tiny * 65_536)
        stranger.send(rtmp.message(rtmp.USER, b"\0\6" + b"pong", csid=2)).wait_for("\0\7pong")
        assert cpu_seconds(show.workers) - before < 1
    show.assert_unharmed()


def cpu_seconds(processes: frozenset[int]) -> float:
    total = 0
    for pid in processes:
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123 - a file of the kernel, read at once
            total += sum(map(int, file.read().rpartition(")")[2].split()[11:13]))
    return total / 100


def test_one_that_never_reads_answers_holds_no_memory(show: Show) -> None:
    """Pongs wait for it in sixteen buffers, not in two thousand."""
    before = resident_kib(show.workers)
    ping = rtmp.message(rtmp.USER, b"\0\6" + b"pong", csid=2)
    with contextlib.ExitStack() as stack:
        for number in range(4):
            stranger = stack.enter_context(show.stranger(f"127.0.1.{number + 1}")).handshake()
            stranger.socket.settimeout(3)
            with contextlib.suppress(OSError):
                stranger.send(ping * 200_000)
        assert resident_kib(show.workers) - before < 8 * 1024
    show.assert_unharmed()


def resident_kib(processes: frozenset[int]) -> int:
    total = 0
    for pid in processes:
        with open(f"/proc/{pid}/status") as file:  # noqa: PTH123 - a file of the kernel, read at once
            total += int(file.read().partition("VmRSS:")[2].split()[0])
    return total


# ---- those that are silent, or slow ----

MANY_ADDRESSES = [f"127.1.{high}.{low}" for high in range(10) for low in range(1, 56)]  # two connections from each


def silent(stranger: rtmp.Client) -> None:
    """Connected, and nothing more."""


def after_handshake(stranger: rtmp.Client) -> None:
    stranger.handshake()


def after_connect(stranger: rtmp.Client) -> None:
    stranger.handshake().send(rtmp.connect())


def begins_a_message(stranger: rtmp.Client) -> None:
    """As much as it may hold: unfinished messages on as many chunk streams as there are."""
    stranger.handshake().send(chunk_size(4096)).send(unfinished(7))


@pytest.mark.parametrize("go_silent", [silent, after_handshake, after_connect, begins_a_message])
def test_silent_connections_keep_nobody_out(show: Show, go_silent: Callable[[rtmp.Client], None]) -> None:
    """1,100 of them from 550 addresses: a new publisher is let in meanwhile, and each of them holds some KB."""
    before = resident_kib(show.workers)
    with contextlib.ExitStack() as stack:
        for number in range(SILENT):
            client = stack.enter_context(show.stranger(MANY_ADDRESSES[number % len(MANY_ADDRESSES)]))
            with contextlib.suppress(ConnectionError):  # the oldest make room, perhaps before they were done
                go_silent(client)
        began = time.monotonic()
        with show.stranger() as publisher:
            publisher.handshake().publish(show.backend.new_key()[0])
            assert time.monotonic() - began < 5
        assert (resident_kib(show.workers) - before) / 256 < 100, "KB for each that is held"
    show.assert_unharmed()


def test_a_byte_a_second_extends_no_deadline(show: Show) -> None:
    """Ten seconds from accept, however they are spent."""
    with show.stranger() as in_handshake, show.stranger() as in_message:
        in_message.handshake()
        began = time.monotonic()
        command = iter(rtmp.connect())
        closed: set[rtmp.Client] = set()
        while len(closed) < 2:
            assert time.monotonic() - began < 30
            for client in {in_handshake, in_message} - closed:
                with contextlib.suppress(ConnectionError):
                    client.send(b"\3" if client is in_handshake else bytes([next(command)]))
                if client.is_closed(0.5):
                    closed.add(client)
        assert time.monotonic() - began > 5
    show.assert_unharmed()


def test_one_address_has_eight_connections_that_are_not_let_in(backend: Backend) -> None:
    """The oldest makes room for the ninth; other addresses keep theirs. Each nginx counts its own."""
    with Origin(backend.url, NGINX_INSTANCES=1) as origin, contextlib.ExitStack() as stack:

        def stranger(source: str) -> rtmp.Client:
            return stack.enter_context(rtmp.Client(origin.rtmp_port, source=source))

        other = stranger("127.0.0.8")
        clients = [stranger("127.0.0.9") for _ in range(9)]
        assert clients[0].is_closed(20)
        assert not other.is_closed(0.5)  # as it would be by now if only the deadline had made the first go
        assert not clients[1].is_closed(0.5)


def test_those_let_in_are_not_counted(show: Show) -> None:
    """Ten publishers from one address: an office with one address is let in."""
    with contextlib.ExitStack() as stack:
        for _ in range(10):
            publisher = stack.enter_context(show.stranger("127.0.0.10")).handshake()
            publisher.publish(show.backend.new_key()[0])
    show.assert_unharmed()
