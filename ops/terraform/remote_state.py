"""Look at Terraform's state from outside: the bucket, and what is stored in it. Nothing is written here."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from ops.aws.credentials import QUICK
from ops.errors import FailedError, NotReadyError

if TYPE_CHECKING:
    from config.environment import EnvironmentConfig

_FORMAT = 4  # of Terraform's state since 0.12


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """What a state records. Its lineage says nothing to us: Terraform begins a new one when it moves a state."""

    outputs: dict[str, Any]
    resources: list[Any]

    @classmethod
    def parse(cls, text: bytes, where: str) -> Self | None:
        """None for a state of nothing.

        Raises:
            FailedError: it is no state, or of another format.
        """
        if not text.strip():
            return None
        try:
            document = json.loads(text)
            if document["version"] != _FORMAT:
                raise FailedError(f"{where} is a Terraform state of format {document['version']}, not {_FORMAT}")
            state = cls(
                outputs={name: output["value"] for name, output in document["outputs"].items()},
                resources=document["resources"],
            )
        except (ValueError, KeyError, TypeError):
            raise FailedError(f"{where} is no Terraform state") from None
        return state if state.resources else None

    def identities(self) -> dict[str, str]:
        """Address of each managed resource, and its id in AWS."""
        return {
            f"{entry['type']}.{entry['name']}": str(entry["instances"][0]["attributes"]["id"])
            for entry in self.resources
            if entry["mode"] == "managed" and entry["instances"]
        }

    def continues(self, earlier: State) -> bool:
        """Whether this is about the same things in AWS as an earlier state, rather than about others like them."""
        ours, theirs = self.identities(), earlier.identities()
        shared = ours.keys() & theirs.keys()
        return bool(shared) and all(ours[address] == theirs[address] for address in shared)


@dataclass(frozen=True, kw_only=True, slots=True)
class StateBucket:
    """An environment's state bucket, as the credentials of the shell see it."""

    config: EnvironmentConfig

    def exists(self) -> bool:
        """Whether the bucket is there.

        Raises:
            NotReadyError: it is somebody else's, or S3 does not answer.
        """
        return self._ask("head_bucket") is not None

    def state_of(self, stack_name: str) -> State | None:
        """What is stored of a stack, if bucket and object are there and anything is recorded.

        Raises:
            NotReadyError: the bucket is somebody else's, or S3 does not answer.
        """
        key = self.config.state_key(stack_name)
        answer = self._ask("get_object", Key=key) if self.exists() else None
        return State.parse(answer["Body"].read(), f"s3://{self.config.state_bucket_name}/{key}") if answer else None

    def _ask(self, operation: str, **arguments: str) -> Any:
        bucket, account = self.config.state_bucket_name, self.config.aws.account
        client = boto3.client("s3", region_name=self.config.aws.region, config=QUICK)
        try:
            return getattr(client, operation)(Bucket=bucket, ExpectedBucketOwner=account, **arguments)
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            if status == 404:
                return None
            raise NotReadyError(
                f"the state bucket {bucket} is there, but not for these credentials ({error}); "
                f"is it account {account}'s?"
            ) from None
        except BotoCoreError as error:
            raise NotReadyError(f"S3 does not answer: {error}") from None
