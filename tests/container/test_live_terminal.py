"""What `make live` says before anything runs, and how its lines share a terminal with its status."""

import io
import os
import socket
import subprocess
import sys

import pytest
from live import PORTS, Screen

from tests.container.image import PATIENCE_SECONDS
from tests.container.support import CONTAINER
from tests.ports import free_ports


def said(**environment: str) -> str:
    """Free ports but for those that are named; it must not get as far as starting anything."""
    free = dict(zip(PORTS, map(str, free_ports(len(PORTS))), strict=True))
    done = subprocess.run(
        [sys.executable, str(CONTAINER / "live.py")],
        env=os.environ | free | environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    return done.stderr


@pytest.mark.parametrize("name", PORTS)
def test_fails_when_a_port_is_taken_naming_whose_it_is_and_what_to_set(name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        who = f"{open('/proc/self/comm').read().strip()} (process {os.getpid()})"  # noqa: SIM115, PTH123 # one line of proc
        expected = f"live: port {port} is taken by {who}: stop it, or set {name} (make live {name}=...)\n"
        assert said(**{name: str(port)}) == expected


def test_fails_when_two_ports_are_the_same() -> None:
    (port,) = free_ports(1)
    both = said(HTTP_PORT=str(port), PLAYER_PORT=str(port))
    assert both == f"live: HTTP_PORT and PLAYER_PORT are both {port}: set one of them to another port\n"


class Terminal(io.StringIO):
    """What a terminal shows: a carriage return with `clear line` begins the line anew."""

    def isatty(self) -> bool:
        return True

    def shown(self) -> list[str]:
        return [line.rpartition("\r\033[K")[2] for line in self.getvalue().split("\n")]


def test_a_warning_has_a_line_of_its_own() -> None:
    """And the status stays below."""
    terminal = Terminal()
    screen = Screen(terminal)
    screen.say("instructions")
    screen.show_status("waiting for a broadcast")
    screen.say("  origin: publisher refused (unauthorized)")
    assert terminal.shown() == ["instructions", "  origin: publisher refused (unauthorized)", "waiting for a broadcast"]
    screen.show_status("live: 720p")
    assert terminal.shown()[-1] == "live: 720p"


def test_a_file_gets_each_status_once() -> None:
    out = io.StringIO()
    screen = Screen(out)
    for status in ("waiting", "waiting", "live", "live"):
        screen.show_status(status)
    screen.say("stopping")
    assert out.getvalue() == "waiting\nlive\nstopping\n"
