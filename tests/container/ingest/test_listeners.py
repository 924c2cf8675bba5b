"""Sockets on one port, and which of them gets a new connection."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest
from origin.ingest.listeners import Listeners
from origin.settings import ConfigurationError

from tests.ports import free_ports


@pytest.fixture
def listeners() -> Iterator[Listeners]:
    (port,) = free_ports(1)
    made = Listeners("127.0.0.1", port, 4)
    yield made
    made.close()


def connect(listeners: Listeners, stack: ExitStack) -> socket.socket:
    return stack.enter_context(socket.create_connection(listeners.sockets[0].getsockname(), timeout=5))


def taken(listeners: Listeners, stack: ExitStack) -> list[int]:
    """How many connections wait at each socket."""
    counts = []
    for each in listeners.sockets:
        counts.append(0)
        with suppress(BlockingIOError):
            while True:
                stack.enter_context(each.accept()[0])
                counts[-1] += 1
    return counts


@pytest.mark.parametrize("chosen", [[2], [1, 3], [0, 1, 2, 3]])
def test_connections_go_to_the_chosen_sockets_by_chance(listeners: Listeners, chosen: list[int]) -> None:
    """Each of them gets some: that one of four gets none of 64 comes once in a hundred million times."""
    with ExitStack() as stack:
        listeners.steer([0])
        listeners.steer(chosen)
        for _ in range(64):
            connect(listeners, stack)
        counts = taken(listeners, stack)
        assert sum(counts) == 64
        assert [index for index, count in enumerate(counts) if count] == chosen


def test_who_waits_is_turned_away(listeners: Listeners) -> None:
    """At that socket only."""
    with ExitStack() as stack:
        listeners.steer([1])
        away = connect(listeners, stack)
        listeners.steer([2])
        stays = connect(listeners, stack)
        listeners.turn_away(1)
        assert away.recv(1) == b""
        stays.settimeout(0.05)
        with pytest.raises(TimeoutError):
            stays.recv(1)


def test_fails_when_the_port_is_shared_by_another(listeners: Listeners) -> None:
    """Sockets that share a port share it with all of the same user."""
    with pytest.raises(ConfigurationError, match=r"RTMP_PORT: 127\.0\.0\.1:.* cannot be listened on"):
        Listeners("127.0.0.1", listeners.sockets[0].getsockname()[1], 1)
