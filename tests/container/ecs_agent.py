"""A stand-in for what ECS gives a task: the metadata endpoint (version 4) and the agent's task protection endpoint.

`python ecs_agent.py HOST PORT TASK_ARN TASK_ADDRESS` serves one task. Answers are those of the ECS developer guide,
"Amazon ECS task scale-in protection endpoint" and "Task metadata endpoint version 4", statuses those of the agent's
source (aws/amazon-ecs-agent, tmds/handlers/taskprotection/v1/handlers/handlers.go).
"""

import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Protocol

from aiohttp import web

TASK_ARN = "arn:aws:ecs:us-west-2:111122223333:task/default/e9028f8d5d8e4f258373e7b93ce9a3c3"
METADATA = "/v4/container"
API = "/api/container"

Answer = Callable[[dict[str, Any]], Awaitable[web.Response]]


class Protectable(Protocol):
    """A task, as far as this rule looks at it."""

    @property
    def protected(self) -> bool: ...


class EcsService:
    """What ECS knows of a service: how many tasks it wants, and all that it has, whichever deployment made them.

    It refuses to protect more tasks than it wants, also to prolong what is protected already (developer guide, "Amazon
    ECS task scale-in protection endpoint": DEPLOYMENT_BLOCKED). What was granted stays when it wants fewer.
    """

    def __init__(self, desired: int) -> None:
        self.desired = desired
        self.tasks: list[Protectable] = []

    def may_protect(self, task: "Protectable") -> bool:
        others = sum(each.protected for each in self.tasks if each is not task)
        return others + 1 <= self.desired


class EcsAgent:
    """One task's agent. `answer` may be replaced to misbehave; what was asked is in `asked`."""

    def __init__(
        self, task_arn: str = TASK_ARN, address: str = "10.0.2.106", service: EcsService | None = None
    ) -> None:
        """Without a service nobody is refused."""
        self.task_arn, self.address = task_arn, address
        self._service = service
        if service:
            service.tasks.append(self)
        self.asked: list[dict[str, Any]] = []
        self.answer: Answer = self.obey
        self._expires = 0.0  # 0: not protected

    @property
    def protected(self) -> bool:
        return time.time() < self._expires

    async def obey(self, asked: dict[str, Any]) -> web.Response:
        """Do as asked, and say what is so now."""
        minutes = asked.get("ExpiresInMinutes", 120)
        if not 1 <= minutes <= 2880:
            return self.error(400, "InvalidParameterException", "expiresInMinutes must be between 1 and 2880")
        if asked["ProtectionEnabled"] and self._service and not self._service.may_protect(self):
            return self.failure("DEPLOYMENT_BLOCKED")
        self._expires = time.time() + 60 * minutes if asked["ProtectionEnabled"] else 0
        return web.json_response({"protection": self.state()})

    def state(self) -> dict[str, Any]:
        expires = datetime.fromtimestamp(self._expires, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if self.protected else None
        return {"ExpirationDate": expires, "ProtectionEnabled": self.protected, "TaskArn": self.task_arn}

    def error(self, status: int, code: str, message: str) -> web.Response:
        """An exception on the way to ECS."""
        body = {"Arn": self.task_arn, "Code": code, "Message": message}
        return web.json_response({"requestID": "12345-abc-6789-0123-abc", "error": body}, status=status)

    def failure(self, reason: str, detail: str | None = None) -> web.Response:
        """ECS's own no."""
        return web.json_response({"failure": {"Arn": self.task_arn, "Detail": detail, "Reason": reason}})

    def application(self) -> web.Application:
        async def put(request: web.Request) -> web.Response:
            asked = await request.json()
            if asked.keys() - {"ProtectionEnabled", "ExpiresInMinutes"} or "ProtectionEnabled" not in asked:
                return self.error(400, "InvalidParameterException", "UpdateTaskProtection: failed to decode request")
            self.asked.append(asked)
            return await self.answer(asked)

        async def get(_: web.Request) -> web.Response:
            return web.json_response({"protection": self.state()})

        async def task(_: web.Request) -> web.Response:
            return web.json_response(self.metadata())

        async def asked(_: web.Request) -> web.Response:
            return web.json_response(self.asked)

        app = web.Application()
        app.add_routes(
            [
                web.put(f"{API}/task-protection/v1/state", put),
                web.get(f"{API}/task-protection/v1/state", get),
                web.get(f"{METADATA}/task", task),
                web.get("/asked", asked),
            ]
        )
        return app

    def metadata(self) -> dict[str, Any]:
        """The fields that matter of the developer guide's example for Fargate."""
        network = {
            "NetworkMode": "awsvpc",
            "IPv4Addresses": [self.address],
            "AttachmentIndex": 0,
            "IPv4SubnetCIDRBlock": "10.0.2.0/24",
            "PrivateDNSName": "ip-10-0-2-106.us-west-2.compute.internal",
            "SubnetGatewayIpv4Address": "10.0.2.1/24",
        }
        container = {
            "DockerId": "cd189a933e5849daa93386466019ab50-2495160603",
            "Name": "RTMPContainer",
            "DesiredStatus": "RUNNING",
            "KnownStatus": "RUNNING",
            "Limits": {"CPU": 2},
            "Type": "NORMAL",
            "Networks": [network],
        }
        return {
            "Cluster": "arn:aws:ecs:us-west-2:111122223333:cluster/default",
            "TaskARN": self.task_arn,
            "Family": "live-commerce-rtmp-dev",
            "Revision": "3",
            "DesiredStatus": "RUNNING",
            "KnownStatus": "RUNNING",
            "Containers": [container],
            "LaunchType": "FARGATE",
        }


def main(host: str, port: str, task_arn: str, address: str) -> None:
    web.run_app(EcsAgent(task_arn, address).application(), host=host, port=int(port), print=None)


if __name__ == "__main__":
    main(*sys.argv[1:])
