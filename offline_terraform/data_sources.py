"""The data sources that the stand-in knows, and their answers; any other is refused.

Answers are made up where AWS would have to be asked, but always the same for the same question: a plan reads them anew.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .policy_document import PolicyDocumentError, render
from .resources.model import Problem
from .zones import zone_ids

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class UnanswerableError(Exception):
    """The question has no answer here: nothing of that name, or a contradiction in it."""

    def __init__(self, summary: str) -> None:
        super().__init__(summary)
        self.problem = Problem(summary=summary)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A data source's configuration, and where it is read."""

    config: Mapping[str, Any]
    account: str
    region: str


def _digest(*parts: str) -> str:
    return hashlib.sha256("/".join(parts).encode()).hexdigest()


def _availability_zones(reading: Reading) -> dict[str, Any]:
    for each in reading.config.get("filter") or []:
        if each["name"] not in ("opt-in-status", "zone-type", "region-name", "state"):
            raise UnanswerableError(f"the offline stand-in cannot filter availability zones by {each['name']}")
    excluded = {*(reading.config.get("exclude_names") or []), *(reading.config.get("exclude_zone_ids") or [])}
    zones = zone_ids(reading.region).items()
    kept = {name: zone_id for name, zone_id in zones if not {name, zone_id} & excluded}
    return {
        "id": reading.region,
        "group_names": [reading.region],
        "names": list(kept),
        "zone_ids": list(kept.values()),
    }


def _availability_zone(reading: Reading) -> dict[str, Any]:
    """One zone, by its name or its AZ id."""
    wanted = {str(reading.config[key]) for key in ("name", "zone_id") if reading.config.get(key)}
    for name, zone_id in zone_ids(reading.region).items():
        if wanted and wanted <= {name, zone_id}:
            return {
                "id": name,
                "group_long_name": reading.region,
                "group_name": reading.region,
                "name": name,
                "name_suffix": name.removeprefix(reading.region),
                "network_border_group": reading.region,
                "opt_in_status": "opt-in-not-required",
                "parent_zone_id": "",
                "parent_zone_name": "",
                "state": "available",
                "zone_id": zone_id,
                "zone_type": "availability-zone",
            }
    raise UnanswerableError(f"no matching EC2 Availability Zone found ({', '.join(sorted(wanted))})")


def _caller_identity(reading: Reading) -> dict[str, Any]:
    return {
        "id": reading.account,
        "account_id": reading.account,
        "arn": f"arn:aws:iam::{reading.account}:user/offline",
        "user_id": "AIDAOFFLINE",
    }


def _partition(_reading: Reading) -> dict[str, Any]:
    return {
        "id": "aws",
        "dns_suffix": "amazonaws.com",
        "partition": "aws",
        "reverse_dns_prefix": "com.amazonaws",
    }


def _region(reading: Reading) -> dict[str, Any]:
    region = reading.config.get("name") or reading.region
    return {"id": region, "description": region, "endpoint": f"ec2.{region}.amazonaws.com", "name": region}


_PREFIX_LISTS = ("com.amazonaws.global.cloudfront.origin-facing", "com.amazonaws.global.ipv6.cloudfront.origin-facing")


def _managed_prefix_list(reading: Reading) -> dict[str, Any]:
    """AWS's own lists, by name or by id."""
    known = [*_PREFIX_LISTS, *(f"com.amazonaws.{reading.region}.{service}" for service in ("dynamodb", "s3"))]
    wanted = reading.config.get("id") or reading.config.get("name")
    filters = {each["name"]: each["values"] for each in reading.config.get("filter") or []}
    wanted = wanted or next(iter(filters.get("prefix-list-name") or []), None)
    for name in known:
        list_id = f"pl-{_digest(reading.region, name)[:8]}"
        if wanted in (name, list_id):
            return {
                "id": list_id,
                "address_family": "IPv6" if ".ipv6." in name else "IPv4",
                "arn": f"arn:aws:ec2:{reading.region}:aws:prefix-list/{list_id}",
                "entries": [],
                # AWS counts this many rules against a security group that refers to CloudFront's list.
                "max_entries": 55,
                "name": name,
                "owner_id": "AWS",
                "tags": {},
                "version": 1,
            }
    raise UnanswerableError(f"no matching EC2 Managed Prefix List found ({wanted}); known here: {', '.join(known)}")


def _route53_zone(reading: Reading) -> dict[str, Any]:
    """Any zone that is asked for exists, under a made-up id or name."""
    name = str(reading.config.get("name") or "example.com").removesuffix(".")
    zone_id = reading.config.get("zone_id") or f"Z{_digest(name)[:20].upper()}"
    servers = [
        f"ns-{number}.awsdns-{number:02}.{suffix}" for number, suffix in enumerate(("com", "net", "org"), start=1)
    ]
    return {
        "id": zone_id,
        "arn": f"arn:aws:route53:::hostedzone/{zone_id}",
        "caller_reference": "",
        "comment": "",
        "linked_service_description": "",
        "linked_service_principal": "",
        "name": name,
        "name_servers": servers,
        "primary_name_server": servers[0],
        "private_zone": bool(reading.config.get("private_zone")),
        "resource_record_set_count": 2,
        "tags": {},
        "zone_id": zone_id,
    }


def _ecr_image(reading: Reading) -> dict[str, Any]:
    """Any image that is asked for has been pushed; its digest follows from its name and tag."""
    repository = reading.config["repository_name"]
    tag = reading.config.get("image_tag") or "offline"
    digest = reading.config.get("image_digest") or f"sha256:{_digest(repository, tag)}"
    registry = reading.config.get("registry_id") or reading.account
    return {
        "id": digest,
        "image_digest": digest,
        "image_pushed_at": 1_767_225_600,
        "image_size_in_bytes": 1 << 20,
        "image_tags": [tag],
        "image_uri": f"{registry}.dkr.ecr.{reading.region}.amazonaws.com/{repository}@{digest}",
        "registry_id": registry,
    }


def _policy_document(reading: Reading) -> dict[str, Any]:
    try:
        return render(reading.config)
    except PolicyDocumentError as error:
        raise UnanswerableError(str(error)) from error


DATA_SOURCES: dict[str, Callable[[Reading], dict[str, Any]]] = {
    "aws_availability_zone": _availability_zone,
    "aws_availability_zones": _availability_zones,
    "aws_caller_identity": _caller_identity,
    "aws_ec2_managed_prefix_list": _managed_prefix_list,
    "aws_ecr_image": _ecr_image,
    "aws_iam_policy_document": _policy_document,
    "aws_partition": _partition,
    "aws_region": _region,
    "aws_route53_zone": _route53_zone,
}
