"""Who this task is, from the ECS task metadata endpoint.

Source: Amazon ECS developer guide, "Amazon ECS task metadata endpoint version 4 for tasks on Fargate".
"""

import asyncio
import ipaddress
import json
import logging
import re
import secrets
import time
from typing import Any

import aiohttp

from origin.cluster.registry import Holder
from origin.settings import ConfigurationError, Settings

_LOG = logging.getLogger(__name__)

_REQUEST_SECONDS = 3
_PATIENCE_SECONDS = 20  # the endpoint is there before the container; its network may be told a moment later
_RETRY_SECONDS = 0.5
_ANSWER_BYTES = 1 << 18  # a task's metadata is a few kilobytes for each container
_TASK_ARN = re.compile(r"arn:[^:]+:ecs:[^:]+:\d{12}:task/(?:[^/]+/)?([A-Za-z0-9-]{1,64})")


class MetadataError(ValueError):
    """An answer without what it should hold."""


async def identity(settings: Settings, http: aiohttp.ClientSession, *, patience: float = _PATIENCE_SECONDS) -> Holder:
    """This task, as its peers know it. Alone, without a table of leases, it needs no address that others reach.

    Raises:
        ConfigurationError: there is a table of leases, and ECS does not say within `patience` seconds who we are.
    """
    if settings.leases_table is None:
        return Holder("local", f"http://127.0.0.1:{settings.http_port}")
    endpoint = settings.ecs_container_metadata_uri_v4
    if endpoint is None:
        raise ConfigurationError(
            "LEASES_TABLE is set but ECS_CONTAINER_METADATA_URI_V4 is not: leases need an ECS task's identity; "
            "unset LEASES_TABLE where this is the only origin"
        )
    deadline = time.monotonic() + patience
    while True:
        try:
            return holder(await _task(http, endpoint), settings.http_port)
        except (aiohttp.ClientError, TimeoutError, OSError, MetadataError) as error:
            problem = f"{type(error).__name__}: {error}"
        if time.monotonic() > deadline:
            raise ConfigurationError(
                f"no identity from ECS_CONTAINER_METADATA_URI_V4 within {patience:g} s, last: {problem}"
            )
        _LOG.info("the task metadata endpoint has no answer yet", extra={"problem": problem})
        await asyncio.sleep(_RETRY_SECONDS)


async def _task(http: aiohttp.ClientSession, endpoint: str) -> dict[str, Any]:
    timeout = aiohttp.ClientTimeout(total=_REQUEST_SECONDS)
    async with http.get(f"{endpoint}/task", timeout=timeout, allow_redirects=False) as response:
        if response.status != 200:
            raise MetadataError(f"status {response.status}")
        return await json_object(response, _ANSWER_BYTES)


def holder(task: dict[str, Any], http_port: int) -> Holder:
    """The identity in a task's metadata.

    ECS may restart a container within its task, and what the process before knew is gone then: a new process is a new
    holder. Containers of a task share its one network interface (awsvpc), so that any address is everyone's.

    Raises:
        MetadataError: there is no task ARN or no address in it.
    """
    arn = task.get("TaskARN")
    found = _TASK_ARN.fullmatch(arn) if isinstance(arn, str) else None
    if found is None:
        raise MetadataError(f"TaskARN is {str(arn)[:200]!r}")
    for container in _list(task.get("Containers")):
        for network in _list(container.get("Networks")):
            for address in network.get("IPv4Addresses") or []:
                try:
                    private = ipaddress.IPv4Address(address)
                except ValueError:
                    raise MetadataError(f"IPv4Addresses has {str(address)[:40]!r}") from None
                return Holder(f"{found[1]}.{secrets.token_hex(3)}", f"http://{private}:{http_port}")
    raise MetadataError("no IPv4Addresses yet")


def _list(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


async def json_object(response: aiohttp.ClientResponse, limit: int) -> dict[str, Any]:
    """The answer's JSON object.

    Raises:
        MetadataError: it is longer than `limit` bytes, or no JSON object.
    """
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > limit:
            raise MetadataError(f"an answer of more than {limit} bytes")
    try:
        value = json.loads(bytes(body))
    except ValueError:
        raise MetadataError("no JSON") from None
    if not isinstance(value, dict):
        raise MetadataError("no JSON object")
    return value
