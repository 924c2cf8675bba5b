"""DynamoDB as the table of leases needs it, quick and with delays to set: moto takes longer for a request than AWS."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from aiohttp import web
from origin.cluster.dynamodb_table import KEY, TTL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_HALF_READ_UNIT = 4096  # bytes; a consistent read takes a whole unit for as many
_JSON = "application/x-amz-json-1.0"


class DynamoDbStandIn:
    """Items of one table, by id. Knows the conditions and filters that origin sends, and nothing else."""

    def __init__(self) -> None:
        self.items: dict[str, Any] = {}
        self.seconds: dict[str, float] = defaultdict(float)  # by operation: how long an answer takes
        self.refused: dict[str, str] = {}  # by operation: the error that it is answered with
        self.page = 4000  # items of one answer to a Scan
        self.asked: Counter[str] = Counter()
        self.units: Counter[str] = Counter()  # request units, by operation
        self.hanging = 0
        self.endpoint = ""

    async def answer(self, request: web.BaseRequest) -> web.Response:
        """One request of DynamoDB's JSON protocol."""
        operation = request.headers["X-Amz-Target"].partition(".")[2]
        asked = json.loads(await request.read())
        self.asked[operation] += 1
        self.hanging += 1
        try:
            await asyncio.sleep(self.seconds[operation])
        finally:
            self.hanging -= 1
        if operation in self.refused:
            return _error(self.refused[operation])
        match operation:
            case "GetItem":
                return self._get(asked)
            case "PutItem":
                return self._put(asked)
            case "Scan":
                return self._scan(asked)
        return _error("UnknownOperationException")

    def _get(self, asked: Any) -> web.Response:
        self.units["GetItem"] += 1
        item = self.items.get(asked["Key"][KEY]["S"])
        return _json({"Item": item} if item else {})

    def _put(self, asked: Any) -> web.Response:
        self.units["PutItem"] += 1
        name = asked["Item"][KEY]["S"]
        old = self.items.get(name)
        over = asked.get("ExpressionAttributeValues", {}).get(":over")
        if (old["version"] if old else None) != over:
            return _error("ConditionalCheckFailedException", Item=old)
        self.items[name] = asked["Item"]
        return _json({})

    def _scan(self, asked: Any) -> web.Response:
        names = sorted(self.items)
        start = asked.get("ExclusiveStartKey")
        names = [name for name in names if start is None or name > start[KEY]["S"]]
        page = names[: self.page]
        units = -(-len(json.dumps([self.items[name] for name in page])) // _HALF_READ_UNIT)
        self.units["Scan"] += units
        recently = int(asked["ExpressionAttributeValues"][":recently"]["N"])
        kept = [
            {KEY: {"S": name}}
            for name in page
            if not self.items[name]["released"]["BOOL"] or int(self.items[name][TTL]["N"]) > recently
        ]
        rest = {"LastEvaluatedKey": {KEY: {"S": page[-1]}}} if len(page) < len(names) else {}
        return _json({"Items": kept, "Count": len(kept), "ConsumedCapacity": {"CapacityUnits": units}, **rest})


def _json(body: Any, status: int = 200) -> web.Response:
    return web.Response(status=status, body=json.dumps(body).encode(), content_type=_JSON)


def _error(code: str, **more: Any) -> web.Response:
    return _json({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", **more}, status=400)


@asynccontextmanager
async def dynamodb() -> AsyncIterator[DynamoDbStandIn]:
    """One that listens, on a free port of loopback."""
    stand_in = DynamoDbStandIn()
    runner = web.ServerRunner(web.Server(stand_in.answer, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        stand_in.endpoint = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield stand_in
    finally:
        await runner.cleanup()
