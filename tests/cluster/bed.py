"""The whole bed: hosts, services, balancers, and the tasks of one ECS service."""

from __future__ import annotations

import contextlib
import itertools
import json
from typing import TYPE_CHECKING, Self

from local_backend import application

from tests.cluster.balancers import balancers
from tests.cluster.loops import Loop
from tests.cluster.network import Host, Network
from tests.cluster.publishers import Broadcast
from tests.cluster.services import BACKEND_PORT, CREDENTIALS, TABLE, Keys, dynamodb
from tests.cluster.task import HTTP_PORT, Task
from tests.cluster.viewers import Audience
from tests.container.ecs_agent import EcsService
from tests.container.image import build
from tests.container.support import eventually

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

TASKS = 3
SLOTS = [f"task{number}" for number in range(1, 2 * TASKS + 1)]  # twice as many: a deploy starts the new ones first
# Small pictures, and one of two renditions copied: encoding is measured elsewhere.
LADDER = [
    {"name": "216p", "height": 216, "video_kbps": 300, "audio_kbps": 96},
    {"name": "144p", "height": 144, "video_kbps": 150, "audio_kbps": 96},
]
RENDITIONS = [str(rung["name"]) for rung in LADDER]
END_AFTER_SECONDS = 15
SETTINGS = {
    "ENVIRONMENT": "bed",
    "MAX_STREAMS": "3",  # as deployed: six broadcasts fit on three tasks, and on two
    "LADDER": json.dumps(LADDER),
    "PART_SECONDS": "0.45",  # four pictures, which fill more than 85 % of it
    "END_AFTER_SECONDS": str(END_AFTER_SECONDS),
    "LEASES_TABLE": TABLE,
    "STOP_TIMEOUT_SECONDS": "120",
    "CORS_ALLOW_ORIGIN": "*",  # no CloudFront is in the bed
    **CREDENTIALS,
}


class Bed:
    """Use it in a `with` statement, on the main thread; nothing is left of it after that."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._image = build()
        self._stack = contextlib.ExitStack()
        self._numbers = itertools.count(1)
        self.keys = Keys()
        self.tasks: dict[str, Task] = {}
        self.service = EcsService(TASKS)

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self.network = stack.enter_context(Network())
            balancer, self.aws, backend = (self.network.host(name) for name in ("balancer", "aws", "backend"))
            self.publishers, self.viewers = self.network.host("publishers"), self.network.host("viewers")
            self.hosts: dict[str, Host] = {slot: self.network.host(slot) for slot in SLOTS}
            self._loop = stack.enter_context(Loop())
            self._loop.serve(application(self.keys), backend, backend.address, BACKEND_PORT)
            self.dynamodb = stack.enter_context(dynamodb(self.aws, self._folder))
            self.balancers = stack.enter_context(
                balancers(balancer, {slot: host.address for slot, host in self.hosts.items()}, self._folder)
            )
            self._settings = SETTINGS | {
                "BACKEND_URL": f"http://{backend.address}:{BACKEND_PORT}",
                "AWS_ENDPOINT_URL_DYNAMODB": self.dynamodb,
            }
            stack.callback(self._close_tasks)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _close_tasks(self) -> None:
        for task in self.tasks.values():
            task.close()

    def start(self, slot: str) -> Task:
        """A new task, healthy and registered with both balancers, as an ECS service has it."""
        task = Task(slot, self.hosts[slot], self._image, self._settings, self._folder, service=self.service)
        self.tasks[slot] = task
        task.start(self._loop)
        self.balancers.register(slot)
        return task

    def remove(self, task: Task) -> None:
        """Forget a task that has ended or shall end now; the balancers send it nothing more."""
        self.balancers.deregister(task.name)
        task.close()
        self.service.tasks.remove(task.agent)
        del self.tasks[task.name]

    def restore(self, count: int = TASKS) -> None:
        """As many healthy tasks as there should be, whatever became of them."""
        self.service.desired = count
        for task in list(self.tasks.values()):
            if not task.running:
                self.remove(task)
        for slot in SLOTS:
            if len(self.tasks) < count and slot not in self.tasks:
                self.start(slot)

    def deploy(self) -> None:
        """New tasks first, then the old ones leave the balancers, and whoever of them is free is told to stop.

        As `make deploy` does, ECS is made to want enough tasks for what is protected and for what comes; a task that is
        not protected is stopped whatever it has.
        """
        old = list(self.tasks.values())
        self.service.desired = sum(task.protected for task in old) + 1
        new = self.start(next(slot for slot in SLOTS if slot not in self.tasks))
        eventually(lambda: self.balancers.healthy(new.name), f"{new.name} healthy at both balancers")
        for task in old:
            self.balancers.deregister(task.name)
            if not task.protected:
                task.terminate()
                task.wait()
                self.remove(task)

    def broadcast(self, *, clock: bool = False) -> Broadcast:
        """A new streamer with a new key."""
        log = self._folder / f"publisher{next(self._numbers)}.log"
        return Broadcast(self.publishers, self.balancers.rtmp, self.keys.new(), log, clock=clock)

    def owner(self, playback_id: str) -> Task:
        """The task that has the broadcast."""

        def look() -> Task | None:
            owners = [task for task in self.tasks.values() if task.running and task.has(playback_id)]
            return owners[0] if len(owners) == 1 else None

        owner: Task = eventually(look, f"one owner of {playback_id}")
        return owner

    def wait_until_playable(self, broadcasts: Sequence[Broadcast]) -> None:
        """Return when each broadcast's owner has whole segments in every rendition."""
        for each in broadcasts:
            owner = self.owner(each.playback_id)
            for name in RENDITIONS:
                path = f"/hls/{each.playback_id}/{name}/index.m3u8"
                eventually(lambda: owner.get(HTTP_PORT, path)[0] == 200, path)  # noqa: B023 - called within this turn

    def audience(self, broadcasts: Sequence[Broadcast], count: int) -> Audience:
        """Viewers of these broadcasts, through the balancer."""
        ids = [each.playback_id for each in broadcasts]
        return Audience(self.viewers, self.balancers.http, ids, RENDITIONS, count)
