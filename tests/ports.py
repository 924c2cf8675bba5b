"""Ports of this machine for the servers that tests start."""

import os
import socket
from itertools import count

_FIRST, _PER_WORKER, _WORKERS = 20_000, 3000, 4  # below those that the system takes for outgoing connections
_turn = count(os.getpid() * 16)  # another test run on this machine begins elsewhere


def free_ports(number: int) -> list[int]:
    """Ports that nobody uses, and that no other worker of this test run is given (pytest-xdist)."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
    found: list[int] = []
    while len(found) < number:
        port = _FIRST + worker * _PER_WORKER + next(_turn) % _PER_WORKER
        if _is_free(port):
            found.append(port)
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True
