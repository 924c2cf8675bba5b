"""Who listens on a TCP port of this machine (Linux), for a message that says what to stop or to set."""

import os
import socket
from contextlib import suppress
from pathlib import Path

_LISTENS = "0A"  # TCP_LISTEN in /proc/net/tcp, proc(5)


def is_taken(port: int) -> bool:
    """Whether nobody else can listen there, on all addresses."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what is only being closed is free
        try:
            probe.bind(("0.0.0.0", port))  # noqa: S104 # as the origin does; closed at once
        except PermissionError:
            return False  # it will say so itself
        except OSError:
            return True
    return False


def who_listens(port: int) -> str:
    """`nginx (process 123)`; "another program" where the kernel does not tell us."""
    inodes = _listening(port)
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            for descriptor in (process / "fd").iterdir():
                with suppress(OSError):
                    target = str(descriptor.readlink())
                    if target.startswith("socket:[") and target[8:-1] in inodes and process.name != str(os.getpid()):
                        return f"{(process / 'comm').read_text().strip()} (process {process.name})"
    return "another program"


def _listening(port: int) -> set[str]:
    """The inodes of the sockets that listen there."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENS and int(fields[1].rpartition(":")[2], 16) == port:
                    found.add(fields[9])
    return found
