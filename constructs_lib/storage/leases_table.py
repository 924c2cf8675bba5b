"""Who has which stream: the table of leases that tasks share."""

from __future__ import annotations

from dataclasses import dataclass

from cdktf_cdktf_provider_aws.dynamodb_table import DynamodbTable, DynamodbTableAttribute, DynamodbTableTtl
from constructs import Construct

from constructs_lib.terraform.prevent_destroy import prevent_destroy

LEASE_KEY = "stream_id"
LEASE_TTL = "expires_at"  # seconds since the epoch, as DynamoDB's time to live wants them


@dataclass(frozen=True, kw_only=True, slots=True)
class LeasesTableProps:
    name: str
    deletion_protection: bool


class LeasesTable(Construct):
    """Defines an on-demand table: a handful of writes a second, nothing between shows."""

    def __init__(self, scope: Construct, id_: str, props: LeasesTableProps) -> None:
        super().__init__(scope, id_)
        self.table = DynamodbTable(
            self,
            "Resource",
            name=props.name,
            billing_mode="PAY_PER_REQUEST",
            hash_key=LEASE_KEY,
            attribute=[DynamodbTableAttribute(name=LEASE_KEY, type="S")],
            ttl=DynamodbTableTtl(attribute_name=LEASE_TTL, enabled=True),
            deletion_protection_enabled=props.deletion_protection,
            lifecycle=prevent_destroy(props.deletion_protection),
        )
