"""The sockets that publishers come in by: one for each nginx, all on one port, and which of them gets the newcomers.

The kernel spreads connections over sockets that share a port (SO_REUSEPORT); which one it takes, a small program of
classic BPF may say, for which no privilege is needed (socket(7), SO_ATTACH_REUSEPORT_CBPF).
"""

import contextlib
import ctypes
import logging
import socket
import struct
from collections.abc import Sequence

from origin.settings import ConfigurationError

_LOG = logging.getLogger(__name__)

_BACKLOG = 511  # as nginx has it: it listens anew with its own where another was set
_SO_ATTACH_REUSEPORT_CBPF = 51
# linux/bpf_common.h and linux/filter.h: load a word, modulo, jump if equal, return; the random number's place.
_LOAD, _MODULO, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x94, 0x15, 0x06
_RANDOM = 0xFFFF_F000 + 56
_NOBODY = 0xFFFF_FFFF  # no such socket: the kernel chooses by its hash


class Listeners:
    """Listening sockets on one address, for children to inherit. They stay open whatever becomes of the children."""

    def __init__(self, host: str, port: int, count: int) -> None:
        """ConfigurationError if the port is taken."""
        # Sockets that share a port would share it with those of another origin as well.
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                raise ConfigurationError(f"RTMP_PORT: {host}:{port} cannot be listened on: {error.strerror}") from None
        self.sockets: list[socket.socket] = []
        try:
            for _ in range(count):
                self.sockets.append(_listening(host, port))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        for each in self.sockets:
            each.close()

    def steer(self, chosen: Sequence[int]) -> None:
        """From now on, new connections go to these sockets, by chance."""
        try:
            _attach(self.sockets[0], _program(chosen))
        except OSError as error:
            # Where the kernel does not take programs, its hash spreads connections over all sockets.
            _LOG.warning("newcomers cannot be steered: %s", error)

    def turn_away(self, index: int) -> None:
        """Hang up on all who wait at this socket, so that they come back to another."""
        with contextlib.suppress(BlockingIOError):
            for _ in range(_BACKLOG):
                connection, _ = self.sockets[index].accept()
                connection.close()


def loopback() -> socket.socket:
    """A listening socket on loopback, with a port of the kernel's choice."""
    return _listening("127.0.0.1", 0)


def _listening(host: str, port: int) -> socket.socket:
    made = socket.socket()
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if port:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.bind((host, port))
        made.setblocking(False)
        made.listen(_BACKLOG)
    except BaseException:
        made.close()
        raise
    return made


def _program(chosen: Sequence[int]) -> bytes:
    """Return one of these numbers, by chance."""
    steps = [(_LOAD, 0, 0, _RANDOM), (_MODULO, 0, 0, len(chosen))]
    for turn, index in enumerate(chosen):
        steps += [(_JUMP_IF_EQUAL, 0, 1, turn), (_RETURN, 0, 0, index)]
    steps.append((_RETURN, 0, 0, _NOBODY))
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


def _attach(listening: socket.socket, program: bytes) -> None:
    held = ctypes.create_string_buffer(program, len(program))
    filter_ = struct.pack("@HP", len(program) // 8, ctypes.addressof(held))
    listening.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_REUSEPORT_CBPF, filter_)
