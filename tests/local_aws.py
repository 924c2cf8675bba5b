"""S3 and STS on this machine, from moto: a real server on a free port of loopback, for Terraform, boto3 and cdktf."""

from __future__ import annotations

import logging
import urllib.request
from typing import TYPE_CHECKING, Any, Self

import boto3
from moto.server import ThreadedMotoServer

from constructs_lib.storage.leases_table import LEASE_KEY
from tests.shipped import shipped_configs

if TYPE_CHECKING:
    from types import TracebackType

REGION = "ap-northeast-2"
OTHER_ACCOUNT = "999999999999"


class LocalAws:
    """An empty AWS, as far as remote state goes; gone with the `with` statement."""

    def __enter__(self) -> Self:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)  # one line for each request
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        host, port = self._server.get_host_and_port()
        self.endpoint = f"http://{host}:{port}"
        self.reset()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.reset()
        self._server.stop()

    def reset(self) -> None:
        """What moto holds belongs to the process, not to a server in it."""
        urllib.request.urlopen(urllib.request.Request(f"{self.endpoint}/moto-api/reset", method="POST")).close()

    @property
    def environment(self) -> dict[str, str]:
        """For programs that are to use it, as somebody in the placeholder account."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "operator",
            "AWS_SECRET_ACCESS_KEY": "dummy",
            "AWS_DEFAULT_REGION": REGION,
        }

    def environment_of_another_account(self) -> dict[str, str]:
        """The same, as somebody in `OTHER_ACCOUNT`."""
        role = f"arn:aws:iam::{OTHER_ACCOUNT}:role/somebody"
        credentials = self.client("sts").assume_role(RoleArn=role, RoleSessionName="session")["Credentials"]
        return {
            **self.environment,
            "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
            "AWS_SESSION_TOKEN": credentials["SessionToken"],
        }

    def client(self, service: str) -> Any:
        """A boto3 client for it."""
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id="operator",
            aws_secret_access_key="dummy",  # noqa: S106 - moto takes any
        )

    def make_state_buckets(self) -> None:
        """The state buckets of dev and prod, versioned, as the bootstrap stacks make them."""
        s3 = self.client("s3")
        for config in shipped_configs():
            bucket = config.state_bucket_name
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})

    def make_leases_table(self, name: str) -> None:
        """A table as constructs_lib/storage/leases_table.py defines it."""
        self.client("dynamodb").create_table(
            TableName=name,
            KeySchema=[{"AttributeName": LEASE_KEY, "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": LEASE_KEY, "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )

    def objects(self) -> dict[str, list[str]]:
        """Bucket name to the keys in it."""
        s3 = self.client("s3")
        return {
            bucket["Name"]: [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket["Name"]).get("Contents", [])]
            for bucket in s3.list_buckets()["Buckets"]
        }

    def everything_stored(self) -> dict[str, list[tuple[str, str]]]:
        """Bucket name to key and version of all that was ever written: equal before and after means untouched."""
        s3 = self.client("s3")
        stored: dict[str, list[tuple[str, str]]] = {}
        for bucket in s3.list_buckets()["Buckets"]:
            versions = s3.list_object_versions(Bucket=bucket["Name"])
            entries = [*versions.get("Versions", []), *versions.get("DeleteMarkers", [])]
            stored[bucket["Name"]] = sorted((entry["Key"], entry["VersionId"]) for entry in entries)
        return stored
