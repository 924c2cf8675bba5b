"""VPC and its parts. Source: the provider's documentation of each type, and its ForceNew flags."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

from offline_terraform.values import is_set
from offline_terraform.zones import zone_ids

from .checks import arn, at_most_one_of, between, cidr, exactly_one_of, matches
from .model import Making, ResourceType, generated_name, in_use

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_EC2_ARN = "arn:aws:ec2:{region}:{account}"

_ROUTE_TARGETS = (
    "carrier_gateway_id",
    "core_network_arn",
    "egress_only_gateway_id",
    "gateway_id",
    "local_gateway_id",
    "nat_gateway_id",
    "network_interface_id",
    "transit_gateway_id",
    "vpc_endpoint_id",
    "vpc_peering_connection_id",
)
_ROUTE_DESTINATIONS = ("destination_cidr_block", "destination_ipv6_cidr_block", "destination_prefix_list_id")
_RULE_PEERS = ("cidr_ipv4", "cidr_ipv6", "prefix_list_id", "referenced_security_group_id")


def _public_ip(_making: Making) -> str:
    """From 203.0.113.0/24, which RFC 5737 keeps for documentation."""
    return f"203.0.113.{secrets.randbelow(254) + 1}"


def _zone_id(making: Making) -> str:
    return zone_ids(making.region).get(str(making["availability_zone"]), "")


def _zone(making: Making) -> str:
    zones = {zone_id: name for name, zone_id in zone_ids(making.region).items()}
    return zones.get(str(making.given("availability_zone_id")), next(iter(zones.values())))


def _tenancy(prior: Mapping[str, Any], planned: Mapping[str, Any]) -> Iterator[str]:
    """AWS lets a VPC go from dedicated to default, and not back."""
    if planned["instance_tenancy"] != prior["instance_tenancy"] and planned["instance_tenancy"] != "default":
        yield "instance_tenancy"


def _rule_peer(prior: Mapping[str, Any], planned: Mapping[str, Any]) -> Iterator[str]:
    """AWS changes the address or the group that a rule names, and not which kind of thing it names."""
    before, after = ([name for name in _RULE_PEERS if is_set(rule[name])] for rule in (prior, planned))
    if before != after:
        yield from (*before, *after)


def _owner_arn(path: str) -> str:
    return f"{_EC2_ARN}:{path}/{{id}}"


_SECURITY_GROUP_RULE = ResourceType(
    force_new=("security_group_id",),
    replace_rules=(_rule_peer,),
    uses={"referenced_security_group_id": "aws_security_group"},
    checks=(
        exactly_one_of(*_RULE_PEERS),
        cidr("cidr_ipv4"),
        cidr("cidr_ipv6"),
        between("from_port", -1, 65_535),
        between("to_port", -1, 65_535),
    ),
    values={"id": "sgr-{hex17}", "security_group_rule_id": "{id}", "arn": _owner_arn("security-group-rule")},
)

RESOURCES = {
    "aws_vpc": ResourceType(
        force_new=("cidr_block", "ipv4_ipam_pool_id", "ipv4_netmask_length"),
        replace_rules=(_tenancy,),
        computed=(
            "cidr_block",
            "enable_dns_hostnames",
            "enable_network_address_usage_metrics",
            "ipv6_cidr_block",
            "ipv6_cidr_block_network_border_group",
        ),
        defaults={"enable_dns_support": True, "instance_tenancy": "default"},
        allowed={"instance_tenancy": ("default", "dedicated")},
        checks=(cidr("cidr_block"), at_most_one_of("cidr_block", "ipv4_netmask_length")),
        values={
            "id": "vpc-{hex17}",
            "arn": _owner_arn("vpc"),
            "cidr_block": "10.0.0.0/16",
            "default_network_acl_id": "acl-{hex17}",
            "default_route_table_id": "rtb-{hex17}",
            "default_security_group_id": "sg-{hex17}",
            "dhcp_options_id": "dopt-{hex17}",
            "enable_dns_hostnames": False,
            "enable_network_address_usage_metrics": False,
            "ipv6_association_id": "",
            "ipv6_cidr_block": "",
            "ipv6_cidr_block_network_border_group": "",
            "main_route_table_id": "{default_route_table_id}",
            "owner_id": "{account}",
        },
    ),
    "aws_subnet": ResourceType(
        force_new=("availability_zone", "availability_zone_id", "cidr_block", "ipv6_native", "outpost_arn", "vpc_id"),
        computed=("availability_zone", "availability_zone_id", "private_dns_hostname_type_on_launch"),
        defaults={
            "assign_ipv6_address_on_creation": False,
            "enable_dns64": False,
            "enable_resource_name_dns_a_record_on_launch": False,
            "enable_resource_name_dns_aaaa_record_on_launch": False,
            "ipv6_native": False,
            "map_public_ip_on_launch": False,
        },
        allowed={"private_dns_hostname_type_on_launch": ("ip-name", "resource-name")},
        checks=(
            cidr("cidr_block"),
            cidr("ipv6_cidr_block"),
            at_most_one_of("availability_zone", "availability_zone_id"),
        ),
        refused_while_used=in_use(
            "deleting EC2 Subnet ({id}): DependencyViolation: The subnet '{id}' has dependencies and cannot be deleted."
        ),
        values={
            "id": "subnet-{hex17}",
            "arn": _owner_arn("subnet"),
            "availability_zone": _zone,
            "availability_zone_id": _zone_id,
            "ipv6_cidr_block_association_id": "",
            "owner_id": "{account}",
            "private_dns_hostname_type_on_launch": "ip-name",
        },
    ),
    "aws_internet_gateway": ResourceType(
        computed=("vpc_id",),
        values={"id": "igw-{hex17}", "arn": _owner_arn("internet-gateway"), "owner_id": "{account}", "vpc_id": ""},
    ),
    "aws_eip": ResourceType(
        force_new=(
            "address",
            "customer_owned_ipv4_pool",
            "domain",
            "ipam_pool_id",
            "network_border_group",
            "public_ipv4_pool",
        ),
        computed=(
            "domain",
            "instance",
            "ipam_pool_id",
            "network_border_group",
            "network_interface",
            "public_ipv4_pool",
        ),
        allowed={"domain": ("vpc", "standard")},
        values={
            "id": "eipalloc-{hex17}",
            "allocation_id": "{id}",
            "arn": _owner_arn("elastic-ip"),
            "association_id": "",
            "carrier_ip": "",
            "customer_owned_ip": "",
            "domain": "vpc",
            "instance": "",
            "ipam_pool_id": "",
            "network_border_group": "{region}",
            "network_interface": "",
            "private_dns": "",
            "private_ip": "",
            "ptr_record": "",
            "public_ip": _public_ip,
            "public_dns": lambda making: making.fill_in(
                f"ec2-{making['public_ip'].replace('.', '-')}.{{region}}.compute.amazonaws.com"
            ),
            "public_ipv4_pool": "amazon",
        },
    ),
    "aws_nat_gateway": ResourceType(
        force_new=("allocation_id", "availability_mode", "connectivity_type", "private_ip", "subnet_id", "vpc_id"),
        computed=(
            "allocation_id",
            "availability_mode",
            "private_ip",
            "secondary_allocation_ids",
            "secondary_private_ip_address_count",
            "secondary_private_ip_addresses",
            "subnet_id",
            "vpc_id",
        ),
        defaults={"connectivity_type": "public"},
        uses={"subnet_id": "aws_subnet"},
        allowed={"availability_mode": ("regional", "zonal"), "connectivity_type": ("private", "public")},
        values={
            "id": "nat-{hex17}",
            "allocation_id": "",
            "association_id": "eipassoc-{hex17}",
            "auto_provision_zones": "",
            "auto_scaling_ips": "",
            "availability_mode": "zonal",
            "network_interface_id": "eni-{hex17}",
            "private_ip": "10.0.0.10",
            "public_ip": _public_ip,
            "regional_nat_gateway_address": [],
            "regional_nat_gateway_auto_mode": "",
            "route_table_id": "",
            "secondary_allocation_ids": [],
            "secondary_private_ip_address_count": 0,
            "secondary_private_ip_addresses": [],
            "subnet_id": "",
            "vpc_id": "vpc-{hex17}",
        },
    ),
    "aws_route_table": ResourceType(
        force_new=("vpc_id",),
        computed=("propagating_vgws", "route"),
        values={
            "id": "rtb-{hex17}",
            "arn": _owner_arn("route-table"),
            "owner_id": "{account}",
            "propagating_vgws": [],
            "route": [],
        },
    ),
    "aws_route": ResourceType(
        force_new=("route_table_id", *_ROUTE_DESTINATIONS),
        computed=("network_interface_id",),
        checks=(
            exactly_one_of(*_ROUTE_DESTINATIONS),
            exactly_one_of(*_ROUTE_TARGETS),
            cidr("destination_cidr_block"),
            cidr("destination_ipv6_cidr_block"),
        ),
        values={
            "id": "r-{route_table_id}{hex8}",
            "instance_id": "",
            "instance_owner_id": "",
            "network_interface_id": "",
            "origin": "CreateRoute",
            "state": "active",
        },
    ),
    "aws_route_table_association": ResourceType(
        force_new=("gateway_id", "subnet_id"),
        checks=(exactly_one_of("gateway_id", "subnet_id"),),
        values={"id": "rtbassoc-{hex17}"},
    ),
    "aws_vpc_endpoint": ResourceType(
        force_new=(
            "resource_configuration_arn",
            "service_name",
            "service_network_arn",
            "service_region",
            "vpc_endpoint_type",
            "vpc_id",
        ),
        computed=(
            "ip_address_type",
            "policy",
            "private_dns_enabled",
            "route_table_ids",
            "security_group_ids",
            "service_region",
            "subnet_ids",
        ),
        defaults={"vpc_endpoint_type": "Gateway"},
        allowed={
            "vpc_endpoint_type": ("Interface", "Gateway", "GatewayLoadBalancer", "Resource", "ServiceNetwork"),
            "ip_address_type": ("ipv4", "dualstack", "ipv6"),
        },
        checks=(exactly_one_of("resource_configuration_arn", "service_name", "service_network_arn"),),
        json_documents=("policy",),
        values={
            "id": "vpce-{hex17}",
            "arn": _owner_arn("vpc-endpoint"),
            "cidr_blocks": [],
            "dns_entry": [],
            "ip_address_type": "ipv4",
            "network_interface_ids": [],
            "owner_id": "{account}",
            "policy": lambda _making: json.dumps(
                {
                    "Version": "2008-10-17",
                    "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}],
                }
            ),
            "prefix_list_id": lambda making: (
                making.fill_in("pl-{hex8}") if making["vpc_endpoint_type"] == "Gateway" else ""
            ),
            "private_dns_enabled": False,
            "requester_managed": False,
            "route_table_ids": [],
            "security_group_ids": [],
            "service_region": "{region}",
            "state": "available",
            "subnet_ids": [],
        },
    ),
    "aws_flow_log": ResourceType(
        force_new=(
            "deliver_cross_account_role",
            "destination_options",
            "eni_id",
            "iam_role_arn",
            "log_destination",
            "log_destination_type",
            "log_format",
            "max_aggregation_interval",
            "regional_nat_gateway_id",
            "subnet_id",
            "traffic_type",
            "transit_gateway_attachment_id",
            "transit_gateway_id",
            "vpc_id",
        ),
        computed=("log_destination", "log_format"),
        defaults={"log_destination_type": "cloud-watch-logs", "max_aggregation_interval": 600},
        allowed={
            "log_destination_type": ("cloud-watch-logs", "kinesis-data-firehose", "s3"),
            "traffic_type": ("ACCEPT", "ALL", "REJECT"),
        },
        checks=(
            arn("iam_role_arn"),
            arn("log_destination"),
            exactly_one_of(
                "eni_id",
                "regional_nat_gateway_id",
                "subnet_id",
                "transit_gateway_attachment_id",
                "transit_gateway_id",
                "vpc_id",
            ),
        ),
        values={
            "id": "fl-{hex17}",
            "arn": _owner_arn("vpc-flow-log"),
            "log_destination": "",
            # The default fields of version 2, in AWS's order.
            "log_format": (
                "${{version}} ${{account-id}} ${{interface-id}} ${{srcaddr}} ${{dstaddr}} ${{srcport}} ${{dstport}} "
                "${{protocol}} ${{packets}} ${{bytes}} ${{start}} ${{end}} ${{action}} ${{log-status}}"
            ),
        },
    ),
    # It exists before Terraform: creation adopts it and removes the rules that the configuration does not have.
    "aws_default_security_group": ResourceType(
        force_new=("vpc_id",),
        computed=("egress", "ingress", "vpc_id"),
        defaults={"revoke_rules_on_delete": False},
        values={
            "id": "sg-{hex17}",
            "arn": _owner_arn("security-group"),
            "description": "default VPC security group",
            "egress": [],
            "ingress": [],
            "name": "default",
            "name_prefix": "",
            "owner_id": "{account}",
            "vpc_id": "vpc-{hex17}",
        },
    ),
    "aws_security_group": ResourceType(
        force_new=("description", "name", "name_prefix", "vpc_id"),
        computed=("egress", "ingress", "name", "name_prefix", "vpc_id"),
        defaults={"description": "Managed by Terraform", "revoke_rules_on_delete": False},
        checks=(
            at_most_one_of("name", "name_prefix"),
            matches("name", r"(?!sg-).{1,255}", "1 to 255 characters, not beginning with sg-"),
            matches("description", r"[A-Za-z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{0,255}", "at most 255 of AWS's characters"),
        ),
        refused_while_used=in_use(
            "deleting Security Group ({id}): DependencyViolation: resource {id} has a dependent object"
        ),
        values={
            "id": "sg-{hex17}",
            "arn": _owner_arn("security-group"),
            "egress": [],
            "ingress": [],
            "name": generated_name(),
            "name_prefix": "",
            "owner_id": "{account}",
            "vpc_id": "vpc-{hex17}",
        },
    ),
    "aws_vpc_security_group_egress_rule": _SECURITY_GROUP_RULE,
    "aws_vpc_security_group_ingress_rule": _SECURITY_GROUP_RULE,
}
