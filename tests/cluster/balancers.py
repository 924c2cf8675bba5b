"""The two load balancers, by HAProxy: publishers come in as through an NLB, viewers as through an ALB.

Like them it never asks a second target on behalf of a client (`retries 0`), leaves established flows alone when a
target is deregistered or unhealthy, and sends nothing new to it. Health checks are the deployed ones (GET /health on
8080, a target group of its own for each) but quicker: 3 failures in 6 s instead of 6 in 60 s.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
from typing import TYPE_CHECKING

from constructs_lib.network.playback_load_balancer import IDLE_TIMEOUT_SECONDS
from tests.cluster.network import BedError, alive
from tests.cluster.services import port_open, stop
from tests.container.image import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.cluster.network import Host

RTMP_PORT, HTTP_PORT = 1935, 8080
_TARGET_GROUPS = ("ingest", "playback")

_CONFIGURATION = """
global
    stats socket {socket} mode 600 level admin
    log stdout format raw local0
    maxconn 4000

defaults
    log global
    option dontlog-normal
    retries 0
    timeout connect 10s
    timeout check 2s
    default-server inter 2s fall 3 rise 2 port {http}

frontend nlb
    mode tcp
    bind :{rtmp}
    # Idle time-out of a TCP flow through an NLB. Source: NLB user guide, "Connection idle timeout".
    timeout client 350s
    default_backend ingest

backend ingest
    mode tcp
    balance roundrobin
    timeout server 350s
    option httpchk GET /health
{ingest}

frontend alb
    mode http
    option httplog
    option forwardfor
    bind :{http}
    timeout client {idle}s
    timeout http-keep-alive {idle}s
    default_backend playback

backend playback
    mode http
    # Round robin at each of an ALB's nodes, which is no order at all over them; in order, players in step with each
    # other would meet the same target again and again.
    balance random(1)
    timeout server {idle}s
    option httpchk GET /health
{playback}
"""


class Balancers:
    """Both, with a slot for each task that may ever be registered."""

    def __init__(self, host: Host, control: Path) -> None:
        self.host = host
        self.rtmp = f"rtmp://{host.address}:{RTMP_PORT}/live"
        self.http = f"http://{host.address}:{HTTP_PORT}"
        self._control = control

    def register(self, task: str) -> None:
        """Send this task its share from now on. It should answer its health check by now."""
        for group in _TARGET_GROUPS:
            self._command(f"set server {group}/{task} state ready")

    def deregister(self, task: str) -> None:
        """Nothing new for this task; what is established stays."""
        for group in _TARGET_GROUPS:
            self._command(f"set server {group}/{task} state drain")

    def healthy(self, task: str) -> bool:
        """Whether both have seen it answer, so that it gets its share."""
        return all(self._stat(group, task, "status") == "UP" for group in _TARGET_GROUPS)

    def flows(self, task: str) -> int:
        """How many publishers' connections this task has through the balancer."""
        return int(self._stat("ingest", task, "scur"))

    def _stat(self, group: str, task: str, column: str) -> str:
        rows = [line.split(",") for line in self._command("show stat").splitlines()]
        return next(row[rows[0].index(column)] for row in rows if row[:2] == [group, task])

    def _command(self, command: str) -> str:
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(10)
            control.connect(str(self._control))
            control.sendall(f"{command}\n".encode())
            answer = b"".join(iter(lambda: control.recv(65536), b"")).decode()
        if command.startswith("set ") and answer.strip():
            raise BedError(f"haproxy: {command}: {answer.strip()}")
        return answer


@contextlib.contextmanager
def balancers(host: Host, targets: Mapping[str, str], folder: Path) -> Iterator[Balancers]:
    """Both balancers on one host; `targets` are addresses of tasks by name, none of them registered yet."""
    if shutil.which("haproxy") is None:
        raise BedError("haproxy is missing: scripts/apt-install.sh haproxy")

    def servers(port: int) -> str:
        return "\n".join(f"    server {name} {ip}:{port} check disabled" for name, ip in targets.items())

    control, configuration, log = folder / "haproxy.sock", folder / "haproxy.cfg", folder / "haproxy.log"
    configuration.write_text(
        _CONFIGURATION.format(
            socket=control,
            rtmp=RTMP_PORT,
            http=HTTP_PORT,
            idle=IDLE_TIMEOUT_SECONDS,
            ingest=servers(RTMP_PORT),
            playback=servers(HTTP_PORT),
        )
    )
    process = host.popen(["haproxy", "-db", "-f", str(configuration)], log=log)
    try:

        def up() -> bool:
            if not alive(process):
                raise BedError(f"haproxy ended: {log.read_text()[-2000:]}")
            return port_open(host, "127.0.0.1", HTTP_PORT)

        wait_for(up, "HAProxy")
        yield Balancers(host, control)
    finally:
        stop(process)
