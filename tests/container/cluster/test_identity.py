"""Who a task is, as its metadata endpoint says."""

import copy
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from origin.cluster.identity import MetadataError, holder, identity, json_object
from origin.settings import ConfigurationError, Settings

from tests.container.ecs_agent import METADATA, EcsAgent

TASK = EcsAgent().metadata()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def settings(endpoint: str | None, table: str | None = "leases") -> Settings:
    return Settings(
        backend_url="http://backend",
        leases_table=table,
        ecs_container_metadata_uri_v4=endpoint,
    )


async def test_a_task_is_known_by_its_id_and_its_private_address(http: aiohttp.ClientSession) -> None:
    async with TestServer(EcsAgent(address="10.0.7.9").application()) as server:
        me = await identity(settings(str(server.make_url(METADATA))), http)

    assert me.task.startswith("e9028f8d5d8e4f258373e7b93ce9a3c3.")
    assert me.address == "http://10.0.7.9:8080"


def test_a_container_that_starts_again_in_its_task_is_somebody_else() -> None:
    """Restart policies of ECS: the task and its address stay, what the process knew does not."""
    assert holder(TASK, 8080).task != holder(TASK, 8080).task
    assert holder(TASK, 8080).address == holder(TASK, 8080).address


def test_arns_of_before_2018_name_no_cluster() -> None:
    assert holder(TASK | {"TaskARN": "arn:aws-cn:ecs:cn-north-1:111122223333:task/abc"}, 1).task.startswith("abc.")


async def test_alone_a_task_asks_nobody(http: aiohttp.ClientSession) -> None:
    me = await identity(settings(None, table=None), http)

    assert (me.task, me.address) == ("local", "http://127.0.0.1:8080")


async def test_an_endpoint_that_is_late_is_waited_for(http: aiohttp.ClientSession) -> None:
    """First an error, then a task without network, then all of it."""
    unfinished = copy.deepcopy(TASK)
    del unfinished["Containers"][0]["Networks"]
    answers = [web.Response(status=500), web.json_response(unfinished), web.json_response(TASK)]

    async def answer(_: web.Request) -> web.Response:
        return answers.pop(0)

    app = web.Application()
    app.router.add_get(f"{METADATA}/task", answer)
    async with TestServer(app) as server:
        me = await identity(settings(str(server.make_url(METADATA))), http)

    assert me.address == "http://10.0.2.106:8080"


async def test_fails_when_there_are_leases_but_no_ecs(http: aiohttp.ClientSession) -> None:
    with pytest.raises(ConfigurationError, match="LEASES_TABLE is set but ECS_CONTAINER_METADATA_URI_V4 is not"):
        await identity(settings(None), http)


async def test_fails_when_the_endpoint_never_answers(http: aiohttp.ClientSession) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]

    with pytest.raises(ConfigurationError, match=r"within 0 s, last: ClientConnectorError"):
        await identity(settings(f"http://127.0.0.1:{port}/v4/x"), http, patience=0)


def test_fails_when_an_origin_with_leases_starts_outside_of_ecs() -> None:
    """The operator reads one line, as for any wrong setting."""
    environment = os.environ | {"BACKEND_URL": "http://backend", "LEASES_TABLE": "leases", "PYTHONPATH": "container"}
    environment.pop("ECS_CONTAINER_METADATA_URI_V4", None)
    done = subprocess.run(
        [sys.executable, "-m", "origin"], env=environment, capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 2
    assert "origin: LEASES_TABLE is set but" in done.stderr
    assert "Traceback" not in done.stderr


def without_networks(task: dict[str, Any]) -> None:
    task["Containers"] = [{"Name": "sidecar"}, "nonsense"]


def wrong_address(task: dict[str, Any]) -> None:
    task["Containers"][0]["Networks"][0]["IPv4Addresses"] = ["10.0.0.1/../evil"]


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (without_networks, "no IPv4Addresses yet"),
        (wrong_address, "IPv4Addresses has"),
        (lambda task: task.update(TaskARN="arn:aws:ecs:x:1:task/../.."), "TaskARN is"),
        (lambda task: task.pop("TaskARN"), "TaskARN is 'None'"),
    ],
)
def test_fails_when_metadata_lacks_what_it_should_hold(damage: Callable[[dict[str, Any]], object], text: str) -> None:
    task = copy.deepcopy(TASK)
    damage(task)

    with pytest.raises(MetadataError, match=text):
        holder(task, 8080)


@pytest.mark.parametrize(
    ("body", "text"), [(b"[1]", "no JSON object"), (b"{", "no JSON"), (b'{"a":"' + b"x" * 999 + b'"}', "more than 100")]
)
async def test_fails_when_an_answer_is_no_small_json_object(
    http: aiohttp.ClientSession, body: bytes, text: str
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body)

    app = web.Application()
    app.router.add_get("/", answer)
    async with TestServer(app) as server, http.get(server.make_url("/")) as response:
        with pytest.raises(MetadataError, match=text):
            await json_object(response, 100)
