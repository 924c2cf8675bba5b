"""One task: the built image on a host of its own, with what ECS gives it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tests.cluster.network import LINK_LOCAL, Host
from tests.container.ecs_agent import API, METADATA, EcsAgent
from tests.container.image import PATIENCE_SECONDS, Container, Image, wait_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.cluster.loops import Loop
    from tests.container.ecs_agent import EcsService

HTTP_PORT, STATUS_PORT, ECS_PORT = 8080, 8090, 80
_ASK_SECONDS = 5  # a task that sleeps says nothing


class Task:
    """A task from its start to its end, by whichever means."""

    def __init__(
        self, name: str, host: Host, image: Image, settings: Mapping[str, str], folder: Path, *, service: EcsService
    ) -> None:
        self.name, self.host = name, host
        self.id = secrets.token_hex(16)
        self.agent = EcsAgent(f"arn:aws:ecs:us-west-2:111122223333:task/bed/{self.id}", host.address, service)
        self._image = image
        self._environment = {
            **settings,
            "ECS_CONTAINER_METADATA_URI_V4": f"http://{LINK_LOCAL}{METADATA}",
            "ECS_AGENT_URI": f"http://{LINK_LOCAL}{API}",
        }
        self._log = folder / f"{name}-{self.id[:6]}.log"
        self._stack = contextlib.ExitStack()

    def start(self, loop: Loop) -> Self:
        """Return once it answers its health check. Call it from the main thread: the image dies with its caller's."""
        runner = loop.serve(self.agent.application(), self.host, LINK_LOCAL, ECS_PORT)
        self._stack.callback(lambda: loop.run(runner.cleanup()))
        self.container: Container = self._stack.enter_context(
            self._image.run(self._environment, self._log, network_namespace=self.host.namespace)
        )
        wait_for(self._healthy, f"healthy {self.name} ({self._log})")
        return self

    def _healthy(self) -> bool:
        if not self.running:
            raise AssertionError(f"{self.name} ended: {self._log.read_text()[-3000:]}")
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.get(HTTP_PORT, "/health")[0] == 200
        return False

    def get(self, port: int, path: str, seconds: float = PATIENCE_SECONDS) -> tuple[int, bytes]:
        """What a port on this host's loopback answers; TimeoutError if nothing in this time."""

        def fetch() -> tuple[int, bytes]:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
            with contextlib.closing(connection):
                connection.request("GET", path)
                response = connection.getresponse()
                return response.status, response.read()

        return self.host.call(fetch)

    @property
    def running(self) -> bool:
        return self.container.process.poll() is None

    @property
    def protected(self) -> bool:
        return self.agent.protected

    def status(self, seconds: float = PATIENCE_SECONDS) -> dict[str, Any]:
        status: dict[str, Any] = json.loads(self.get(STATUS_PORT, "/status", seconds)[1])
        return status

    def has(self, playback_id: str) -> bool:
        """Whether this stream's publisher is here, as far as the task can be asked."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            return any(each["stream"] == playback_id for each in self.status(_ASK_SECONDS)["streams"])
        return False

    def logged(self, text: str) -> list[dict[str, Any]]:
        """Log lines whose message contains this."""
        return [line for line in self._lines() if text in line.get("message", "")]

    def warnings(self) -> list[dict[str, Any]]:
        """Log lines that say what went wrong."""
        return [line for line in self._lines() if line.get("level") in {"warning", "error"}]

    def metrics(self, name: str) -> list[dict[str, Any]]:
        return [line for line in self._lines() if name in line and "_aws" in line]

    def _lines(self) -> list[dict[str, Any]]:
        text = self._log.read_text(errors="replace")
        return [json.loads(line) for line in text.splitlines() if line.startswith("{") and line.endswith("}")]

    def kill(self) -> None:
        """`kill -9` of everything in it."""
        self.container.kill()

    def freeze(self) -> None:
        """SIGSTOP to everything in it."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT to everything in it."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        waiting = [self.container.namespace_pid]  # orphans become its children too
        while waiting:
            pid = waiting.pop()
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                os.kill(pid, number)
                for thread in Path(f"/proc/{pid}/task").iterdir():
                    waiting += [int(child) for child in (thread / "children").read_text().split()]

    def terminate(self) -> None:
        """SIGTERM, as ECS sends it."""
        os.kill(self.container.pid, signal.SIGTERM)

    def wait(self) -> int:
        """Its exit code."""
        return self.container.wait(PATIENCE_SECONDS)

    def close(self) -> None:
        """Nothing is left of it."""
        self._stack.close()
