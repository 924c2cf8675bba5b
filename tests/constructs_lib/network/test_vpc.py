"""The VPC."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.template import Template


def test_each_zone_has_a_public_and_a_private_subnet(dev: Template) -> None:
    """Blocks and zones as planned, and no subnet hands out public addresses."""
    subnets = {id_.split("_")[1]: subnet for id_, subnet in dev.resources("aws_subnet").items()}

    assert {name: (subnet["availability_zone"], subnet["cidr_block"]) for name, subnet in subnets.items()} == {
        "PublicSubnetB": ("ap-northeast-2b", "10.20.16.0/20"),
        "PublicSubnetC": ("ap-northeast-2c", "10.20.32.0/20"),
        "PrivateSubnetB": ("ap-northeast-2b", "10.20.144.0/20"),
        "PrivateSubnetC": ("ap-northeast-2c", "10.20.160.0/20"),
    }
    assert {subnet["map_public_ip_on_launch"] for subnet in subnets.values()} == {False}


def test_the_plan_looks_up_each_zone_and_refuses_those_without_vpc_origins(everything: Template) -> None:
    """By its AZ id, whatever its letter; the message says which letter to change."""
    zones = everything.data("aws_availability_zone")

    assert {zone["name"] for zone in zones.values()} == {"eu-west-3a", "eu-west-3b", "eu-west-3c"}
    for zone in zones.values():
        (condition,) = zone["lifecycle"]["postcondition"]
        for zone_id in ("apne1-az3", "apne2-az1", "cac1-az3", "use1-az3", "usw1-az2"):
            assert f'"{zone_id}"' in condition["condition"]
        assert condition["error_message"].startswith(f"zone {zone['name'][-1]} ({zone['name']}) is ${{self.zone_id}}")


def test_dev_shares_one_nat_gateway_and_prod_has_one_per_zone(dev: Template, prod: Template) -> None:
    """In prod a zone that fails takes no other zone's way out with it."""
    assert list(dev.resources("aws_nat_gateway")) == [
        id_ for id_ in prod.resources("aws_nat_gateway") if "NatGatewayB" in id_
    ]
    shared = {
        route["nat_gateway_id"] for id_, route in dev.resources("aws_route").items() if "PrivateDefaultRoute" in id_
    }
    assert shared == {dev.reference("aws_nat_gateway", "Network_NatGatewayB", "id")}

    for letter in "BC":
        route = prod.one("aws_route", f"Network_PrivateDefaultRoute{letter}")
        gateway = prod.one("aws_nat_gateway", f"Network_NatGateway{letter}")
        assert route["nat_gateway_id"] == prod.reference("aws_nat_gateway", f"Network_NatGateway{letter}", "id")
        assert gateway["subnet_id"] == prod.reference("aws_subnet", f"Network_PublicSubnet{letter}", "id")


def test_zones_without_a_gateway_of_their_own_take_turns(everything: Template) -> None:
    """Three zones, two gateways: the third zone uses the first's."""
    gateways = {
        letter: everything.one("aws_route", f"Network_PrivateDefaultRoute{letter}")["nat_gateway_id"]
        for letter in "CAB"
    }

    assert gateways["C"] != gateways["A"]
    assert gateways["B"] == gateways["C"]


def test_only_public_subnets_reach_the_internet_gateway(dev: Template) -> None:
    """Tasks in private subnets cannot be reached from outside."""
    to_internet = {route["route_table_id"] for route in dev.resources("aws_route").values() if "gateway_id" in route}
    assert to_internet == {dev.reference("aws_route_table", "Network_PublicRoutes", "id")}

    for id_, association in dev.resources("aws_route_table_association").items():
        assert (association["route_table_id"] in to_internet) is ("Public" in id_)


def test_s3_and_dynamodb_have_gateway_endpoints_in_every_private_route_table(prod: Template) -> None:
    """Image layers and leases do not go through NAT."""
    private = {f"${{aws_route_table.{id_}.id}}" for id_ in prod.resources("aws_route_table") if "Private" in id_}

    endpoints = prod.resources("aws_vpc_endpoint").values()

    assert {endpoint["service_name"] for endpoint in endpoints} == {
        "com.amazonaws.ap-northeast-2.s3",
        "com.amazonaws.ap-northeast-2.dynamodb",
    }
    for endpoint in endpoints:
        assert endpoint["vpc_endpoint_type"] == "Gateway"
        assert set(endpoint["route_table_ids"]) == private


def test_the_default_security_group_is_emptied(dev: Template) -> None:
    """Terraform removes the rules that AWS put in."""
    group = dev.one("aws_default_security_group")

    assert (group["ingress"], group["egress"]) == ([], [])


def test_the_flow_log_goes_to_an_encrypted_group_through_a_role_of_its_own(dev: Template) -> None:
    """All traffic, kept as long as other logs, written by a role that can do nothing else."""
    flow_log = dev.one("aws_flow_log")
    group = dev.one("aws_cloudwatch_log_group", "FlowLog")

    assert flow_log["traffic_type"] == "ALL"
    assert flow_log["log_destination"] == dev.reference("aws_cloudwatch_log_group", "FlowLog", "arn")
    assert group["retention_in_days"] == 30
    assert group["kms_key_id"] == dev.reference("aws_kms_key", "Encryption", "arn")
    statements = dev.statements("FlowLog_Policy")
    assert statements.keys() == {"WriteFlowLog"}
    assert all(action.startswith("logs:") for action in statements["WriteFlowLog"]["actions"])
