"""Hosts on one machine: network namespaces on a bridge that lives in a namespace of its own.

Nothing of it is visible to the machine or to another run: no address, no route, no rule outside of these namespaces.
Their names carry the run's id, and a lock that the run holds for as long as it lives tells the dead ones.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import secrets
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

T = TypeVar("T")

PREFIX = "lcbed"
LOCKS = Path("/run/live-commerce-bed")
NAMESPACES = Path("/run/netns")
SUBNET = "10.77.0"  # of each run's own bridge, which no other run reaches
LINK_LOCAL = "169.254.170.2"  # where ECS has its endpoints, in every task
_CLONE_NEWNET = 0x40000000
_SETTLE_SECONDS = 10


class BedError(Exception):
    """The bed cannot be made here; the text says why."""


def ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BedError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


class Host:
    """One network namespace with one interface."""

    def __init__(self, namespace: str, name: str, address: str) -> None:
        self.namespace, self.name, self.address = namespace, name, address

    def popen(
        self, command: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[str]:
        """Start a program on this host, in a process group of its own."""
        with log.open("ab") as output:
            return subprocess.Popen(
                ["nsenter", f"--net={NAMESPACES / self.namespace}", *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                text=True,
                env=env,
            )

    def call(self, function: Callable[[], T]) -> T:
        """What the function returns here: sockets that it makes, and threads that it starts, belong to this host."""
        result: list[T] = []
        problems: list[BaseException] = []

        def run() -> None:
            try:
                self.enter()
                result.append(function())
            except BaseException as error:  # noqa: BLE001 # raised again by the caller
                problems.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        if problems:
            raise problems[0]
        return result[0]

    def enter(self) -> None:
        """Move the calling thread to this host, for good."""
        with (NAMESPACES / self.namespace).open("rb") as namespace:
            if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), _CLONE_NEWNET) != 0:
                raise BedError(f"setns: {os.strerror(ctypes.get_errno())}")

    def listen(self, address: str, port: int) -> socket.socket:
        """A listening socket of this host, for whichever thread serves it."""
        return self.call(lambda: socket.create_server((address, port), backlog=1024))


class Network:
    """The bridge, its hosts, and what is cut between them."""

    def __init__(self) -> None:
        if os.geteuid() != 0:
            raise BedError("network namespaces need root")
        for tool in ("ip", "nft", "nsenter"):
            if shutil.which(tool) is None:
                raise BedError(f"{tool} is missing: scripts/apt-install.sh iproute2 nftables util-linux")
        self._cut: set[frozenset[str]] = set()
        self._hosts: list[Host] = []

    def __enter__(self) -> Self:
        LOCKS.mkdir(parents=True, exist_ok=True)
        remove_leftovers()
        self.run = f"{PREFIX}-{secrets.token_hex(4)}"
        # Under another name until it is locked, lest a run that starts now take this one for dead.
        unlocked = LOCKS / f"new-{self.run}"
        self._lock = unlocked.open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        unlocked.rename(LOCKS / self.run)
        self._bridge = f"{self.run}-bridge"
        try:
            ip("netns", "add", self._bridge)
            ip("-n", self._bridge, "link", "add", "bridge", "type", "bridge", "forward_delay", "0", "stp_state", "0")
            ip("-n", self._bridge, "link", "set", "bridge", "up")
            self._nft("add table bridge bed; add chain bridge bed cut { type filter hook forward priority 0; }")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        remove_run(self.run)
        self._lock.close()

    def host(self, name: str) -> Host:
        """One more host, with the next address."""
        number = len(self._hosts) + 2
        host = Host(f"{self.run}-{name}", name, f"{SUBNET}.{number}")
        self._hosts.append(host)
        port = f"host{number}"
        ip("netns", "add", host.namespace)
        ip("-n", self._bridge, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", host.namespace)
        ip("-n", self._bridge, "link", "set", port, "master", "bridge", "up")
        for interface in ("lo", "eth0"):
            ip("-n", host.namespace, "link", "set", interface, "up")
        ip("-n", host.namespace, "address", "add", f"{host.address}/24", "dev", "eth0")
        ip("-n", host.namespace, "address", "add", f"{LINK_LOCAL}/32", "dev", "lo")
        return host

    @contextlib.contextmanager
    def partition(self, *pairs: tuple[Host, Host]) -> Iterator[None]:
        """Packets between the two hosts of each pair vanish, in both directions, without a word to either."""
        cut = {frozenset({one.address, other.address}) for one, other in pairs}
        self._cut |= cut
        self._apply()
        try:
            yield
        finally:
            self._cut -= cut
            self._apply()

    def _apply(self) -> None:
        rules = [
            f"add rule bridge bed cut ip saddr {source} ip daddr {target} drop"
            for one, other in (sorted(pair) for pair in self._cut)
            for source, target in ((one, other), (other, one))
        ]
        self._nft("; ".join(["flush chain bridge bed cut", *rules]))

    def _nft(self, commands: str) -> None:
        done = subprocess.run(
            ["ip", "netns", "exec", self._bridge, "nft", "-f", "-"],
            input=commands.replace("; add", "\nadd"),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise BedError(f"nft: {done.stderr.strip()}")


def namespaces(run: str) -> list[str]:
    return [path.name for path in sorted(NAMESPACES.glob(f"{run}-*"))]


def remove_run(run: str) -> None:
    """End every process on a run's hosts, then the hosts."""
    for namespace in namespaces(run):
        deadline = time.monotonic() + _SETTLE_SECONDS
        while pids := _pids(namespace):
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if time.monotonic() > deadline:
                raise BedError(f"{namespace}: processes {pids} do not end")
            time.sleep(0.05)
        ip("netns", "delete", namespace)
    (LOCKS / run).unlink(missing_ok=True)


def remove_leftovers() -> None:
    """Remove the hosts of runs that died without doing so themselves."""
    for lock in LOCKS.glob(f"{PREFIX}-*"):
        with contextlib.suppress(FileNotFoundError), lock.open("r") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue  # alive
            remove_run(lock.name)


def _pids(namespace: str) -> list[int]:
    done = subprocess.run(["ip", "netns", "pids", namespace], capture_output=True, text=True, check=False)
    return [int(pid) for pid in done.stdout.split()]


def alive(process: subprocess.Popen[Any]) -> bool:
    return process.poll() is None
