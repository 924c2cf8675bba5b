"""The table of leases in DynamoDB: one item for each playback id, written on conditions only.

constructs_lib/storage/leases_table.py defines the table; the task may get and put items, and scan.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from origin.cluster.lease_table import ConflictError, Lease, Listing
from origin.cluster.registry import Holder, RegistryUnavailableError
from origin.packaging.position import Position
from origin.settings import ConfigurationError

T = TypeVar("T")

KEY = "stream_id"
TTL = "expires_at"

_CALL_SECONDS = 1.0  # to connect, and again to answer; DynamoDB usually takes 5 ms
_THREADS = 8
_KEPT_SECONDS = 86_400
# Playlists stay for some minutes after their broadcast. An hour, so that no clock on a wall need be right.
_LISTED_SECONDS = 3600
_PAGES = 8  # of a megabyte each, some 4,000 leases
_LISTING_SECONDS = 2.0


class DynamoDbTable:
    """Endpoint and credentials come from where AWS's SDKs always take them."""

    def __init__(self, name: str, region: str | None) -> None:
        """Without a region the SDK looks for one; ConfigurationError if there is none."""
        self._name = name
        try:
            self._owning, self._viewing = _Lane("owning", region), _Lane("viewing", region)
        except BotoCoreError as error:
            raise ConfigurationError(f"LEASES_TABLE is set, but DynamoDB cannot be asked: {error}") from None

    async def read(self, playback_id: str) -> Lease | None:
        return await self._get(self._owning, playback_id)

    async def look(self, playback_id: str) -> Lease | None:
        return await self._get(self._viewing, playback_id)

    async def _get(self, lane: "_Lane", playback_id: str) -> Lease | None:
        answer = await lane.call(
            lane.client.get_item, TableName=self._name, Key={KEY: {"S": playback_id}}, ConsistentRead=True
        )
        return _lease(answer["Item"]) if "Item" in answer else None

    async def listing(self) -> Listing:
        """One page for each megabyte, whatever is filtered out of it; a consistent read sees all earlier writes.

        Source: DynamoDB API reference, "Scan".
        """
        ids: set[str] = set()
        units, rest = 0.0, dict[str, Any]()
        give_up = time.monotonic() + _LISTING_SECONDS
        for _ in range(_PAGES):
            page = await self._viewing.call(self._viewing.client.scan, **self._page(), **rest)
            ids.update(item[KEY]["S"] for item in page["Items"])
            units += page.get("ConsumedCapacity", {}).get("CapacityUnits", 0.0)
            if "LastEvaluatedKey" not in page:
                return Listing(frozenset(ids), units)
            if time.monotonic() > give_up:
                raise RegistryUnavailableError(f"DynamoDB: no list of leases within {_LISTING_SECONDS:g} s")
            rest = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
        raise RegistryUnavailableError(f"DynamoDB: more than {_PAGES} MB of leases")

    def _page(self) -> dict[str, Any]:
        written_after = int(time.time()) - _LISTED_SECONDS
        return {
            "TableName": self._name,
            "ConsistentRead": True,
            "ProjectionExpression": KEY,
            "FilterExpression": f"released = :no OR {TTL} > :recently",
            "ExpressionAttributeValues": {
                ":no": {"BOOL": False},
                ":recently": {"N": str(written_after + _KEPT_SECONDS)},
            },
            "ReturnConsumedCapacity": "TOTAL",
        }

    async def write(self, lease: Lease, *, over: str | None) -> None:
        condition: dict[str, Any] = {"ConditionExpression": f"attribute_not_exists({KEY})"}
        if over is not None:
            condition = {
                "ConditionExpression": "version = :over",
                "ExpressionAttributeValues": {":over": {"S": over}},
            }
        await self._owning.call(
            self._owning.client.put_item,
            TableName=self._name,
            Item=_item(lease),
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
            **condition,
        )

    def close(self) -> None:
        self._owning.close()
        self._viewing.close()


class _Lane:
    """Threads, connections and credentials that nobody else waits for."""

    def __init__(self, name: str, region: str | None) -> None:
        config = Config(
            connect_timeout=_CALL_SECONDS,
            read_timeout=_CALL_SECONDS,
            retries={"total_max_attempts": 1},  # the caller knows what a late answer is still worth
            max_pool_connections=_THREADS,
        )
        # A session of its own: threads that refresh credentials hold up those that share them.
        self.client = boto3.Session().client("dynamodb", region_name=region, config=config)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix=f"dynamodb-{name}")

    async def call(self, operation: Callable[..., T], **arguments: Any) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, partial(operation, **arguments))
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                old: Any = error.response.get("Item")
                raise ConflictError(_lease(old) if old else None) from None
            raise RegistryUnavailableError(f"DynamoDB: {error.response['Error']['Code']}") from None
        except BotoCoreError as error:
            raise RegistryUnavailableError(f"DynamoDB: {type(error).__name__}") from None

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self.client.close()


def _item(lease: Lease) -> dict[str, Any]:
    return {
        KEY: {"S": lease.playback_id},
        "version": {"S": lease.version},
        "task": {"S": lease.holder.task},
        "address": {"S": lease.holder.address},
        "session": {"S": lease.session},
        "next_msn": {"N": str(lease.position.next_msn)},
        "discontinuity_sequence": {"N": str(lease.position.discontinuity_sequence)},
        "released": {"BOOL": lease.released},
        # For clearing away only. Who owns what is never decided by a clock on the wall.
        TTL: {"N": str(int(time.time()) + _KEPT_SECONDS)},
    }


def _lease(item: dict[str, Any]) -> Lease:
    try:
        return Lease(
            item[KEY]["S"],
            item["version"]["S"],
            Holder(item["task"]["S"], item["address"]["S"]),
            item["session"]["S"],
            Position(int(item["next_msn"]["N"]), int(item["discontinuity_sequence"]["N"])),
            item["released"]["BOOL"],
        )
    except (KeyError, ValueError) as error:
        raise RegistryUnavailableError(f"DynamoDB: an item that is no lease: {error!r}") from None
