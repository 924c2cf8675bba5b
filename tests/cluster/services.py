"""What tasks need around them: the backend and DynamoDB, each on a host of its own."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any

import boto3

from constructs_lib.storage.leases_table import LEASE_KEY, LEASE_TTL
from tests.cluster.network import BedError, Host, alive
from tests.container.image import PATIENCE_SECONDS, wait_for

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

REGION = "us-west-2"
TABLE = "leases"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "task", "AWS_SECRET_ACCESS_KEY": "dummy", "AWS_DEFAULT_REGION": REGION}
BACKEND_PORT, DYNAMODB_PORT = 3000, 5000


class Keys(dict[str, str | None]):
    """The stand-in backend's stream keys and their playback ids."""

    def new(self) -> tuple[str, str]:
        key, playback_id = secrets.token_urlsafe(18), secrets.token_hex(6)
        self[key] = playback_id
        return key, playback_id


def port_open(host: Host, address: str, port: int) -> bool:
    def connect() -> bool:
        with contextlib.suppress(OSError), socket.create_connection((address, port), timeout=1):
            return True
        return False

    return host.call(connect)


def stop(process: subprocess.Popen[str]) -> None:
    """End a program and all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(PATIENCE_SECONDS)


@contextlib.contextmanager
def dynamodb(host: Host, folder: Path) -> Iterator[str]:
    """The endpoint of a DynamoDB with the table of leases, as `constructs_lib/storage/leases_table.py` defines it."""
    log = folder / "dynamodb.log"
    # A process of its own: what moto holds belongs to the process, and other tests reset theirs.
    command = [sys.executable, "-m", "moto.server", "-H", "0.0.0.0", "-p", str(DYNAMODB_PORT)]  # noqa: S104 # of a namespace
    process = host.popen(command, log=log)
    try:

        def up() -> bool:
            if not alive(process):
                raise BedError(f"moto ended: {log.read_text()[-2000:]}")
            return port_open(host, "127.0.0.1", DYNAMODB_PORT)

        wait_for(up, "DynamoDB")
        host.call(_create_table)
        yield f"http://{host.address}:{DYNAMODB_PORT}"
    finally:
        stop(process)


def table(endpoint: str) -> Any:
    """The table of leases, for a caller on a host that reaches the endpoint."""
    session = boto3.Session("task", "dummy", region_name=REGION)
    return session.resource("dynamodb", endpoint_url=endpoint).Table(TABLE)


def _create_table() -> None:
    client = boto3.Session("task", "dummy", region_name=REGION).client(
        "dynamodb", endpoint_url=f"http://127.0.0.1:{DYNAMODB_PORT}"
    )
    client.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": LEASE_KEY, "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": LEASE_KEY, "AttributeType": "S"}],
    )
    client.update_time_to_live(TableName=TABLE, TimeToLiveSpecification={"Enabled": True, "AttributeName": LEASE_TTL})
