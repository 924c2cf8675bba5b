"""The VPC: public subnets for the ingest load balancer and NAT, private ones for tasks and the playback balancer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdktf import Fn, Op, Postcondition, TerraformResourceLifecycle, TerraformSelf
from cdktf_cdktf_provider_aws.data_aws_availability_zone import DataAwsAvailabilityZone
from cdktf_cdktf_provider_aws.default_security_group import DefaultSecurityGroup
from cdktf_cdktf_provider_aws.eip import Eip
from cdktf_cdktf_provider_aws.internet_gateway import InternetGateway
from cdktf_cdktf_provider_aws.nat_gateway import NatGateway
from cdktf_cdktf_provider_aws.route import Route
from cdktf_cdktf_provider_aws.route_table import RouteTable
from cdktf_cdktf_provider_aws.route_table_association import RouteTableAssociation
from cdktf_cdktf_provider_aws.subnet import Subnet
from cdktf_cdktf_provider_aws.vpc import Vpc
from cdktf_cdktf_provider_aws.vpc_endpoint import VpcEndpoint
from constructs import Construct

from config.zones import ZONE_IDS_WITHOUT_VPC_ORIGINS
from constructs_lib.terraform.aws_stack import stack_of

if TYPE_CHECKING:
    from config.subnets import ZoneSubnets

EVERYWHERE = "0.0.0.0/0"


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkProps:
    name: str
    vpc_cidr: str
    subnets: tuple[ZoneSubnets, ...]
    nat_gateways: int  # the first zones get one each; the others use them in turn


class Network(Construct):
    """Defines VPC, subnets, routes, NAT gateways and the gateway endpoints."""

    def __init__(self, scope: Construct, id_: str, props: NetworkProps) -> None:
        super().__init__(scope, id_)
        self._props = props
        self._region = stack_of(self).region
        for zone in props.subnets:
            self._check_zone(zone.zone_letter)
        self.vpc = Vpc(
            self,
            "Vpc",
            cidr_block=props.vpc_cidr,
            enable_dns_hostnames=True,
            enable_dns_support=True,
            tags={"Name": props.name},
        )
        # The group that AWS makes by itself admits everything from itself: emptied, it admits nothing to anyone.
        DefaultSecurityGroup(self, "DefaultSecurityGroup", vpc_id=self.vpc.id, ingress=[], egress=[])
        # AWS refuses internet-facing load balancers, NAT gateways and VPC origins in a VPC with no way out.
        self.internet_gateway = InternetGateway(self, "InternetGateway", vpc_id=self.vpc.id)

        public_routes = self._route_table("Public")
        Route(
            self,
            "PublicDefaultRoute",
            route_table_id=public_routes.id,
            destination_cidr_block=EVERYWHERE,
            gateway_id=self.internet_gateway.id,
        )
        self.public_subnets = [self._subnet("Public", zone, zone.public_cidr, public_routes) for zone in props.subnets]

        self.nat_gateways = [
            self._nat_gateway(zone, subnet)
            for zone, subnet in zip(props.subnets[: props.nat_gateways], self.public_subnets, strict=False)
        ]
        self.private_subnets: list[Subnet] = []
        self.private_routes: list[Route] = []
        private_route_tables: list[RouteTable] = []
        for index, zone in enumerate(props.subnets):
            routes = self._private_routes(zone, self.nat_gateways[index % len(self.nat_gateways)])
            private_route_tables.append(routes)
            self.private_subnets.append(self._subnet("Private", zone, zone.private_cidr, routes))

        # Free, and most of the NAT bill otherwise: image layers come from S3, leases from DynamoDB.
        for service in ("s3", "dynamodb"):
            VpcEndpoint(
                self,
                {"s3": "S3Endpoint", "dynamodb": "DynamodbEndpoint"}[service],
                vpc_id=self.vpc.id,
                vpc_endpoint_type="Gateway",
                service_name=f"com.amazonaws.{self._region}.{service}",
                route_table_ids=[table.id for table in private_route_tables],
                tags={"Name": f"{props.name}-{service}"},
            )

    def _check_zone(self, letter: str) -> None:
        """Look up which zone the letter stands for in this account, and end the plan if CloudFront cannot use it."""
        zone = f"{self._region}{letter}"
        DataAwsAvailabilityZone(
            self,
            f"Zone{letter.upper()}",
            name=zone,
            lifecycle=TerraformResourceLifecycle(
                postcondition=[
                    Postcondition(
                        condition=Op.not_(
                            Fn.contains(list(ZONE_IDS_WITHOUT_VPC_ORIGINS), TerraformSelf.get_string("zone_id"))
                        ),
                        error_message=(
                            f"zone {letter} ({zone}) is {TerraformSelf.get_string('zone_id')} in this account, where "
                            f"CloudFront has no VPC origins (nor in {', '.join(ZONE_IDS_WITHOUT_VPC_ORIGINS)}): take "
                            "another letter for network.availability_zones in the environment's file"
                        ),
                    )
                ]
            ),
        )

    def _route_table(self, id_: str) -> RouteTable:
        return RouteTable(self, f"{id_}Routes", vpc_id=self.vpc.id, tags={"Name": f"{self._props.name}-{id_.lower()}"})

    def _private_routes(self, zone: ZoneSubnets, nat_gateway: NatGateway) -> RouteTable:
        letter = zone.zone_letter.upper()
        routes = self._route_table(f"Private{letter}")
        route = Route(
            self,
            f"PrivateDefaultRoute{letter}",
            route_table_id=routes.id,
            destination_cidr_block=EVERYWHERE,
            nat_gateway_id=nat_gateway.id,
        )
        self.private_routes.append(route)
        return routes

    def _subnet(self, kind: str, zone: ZoneSubnets, cidr: str, routes: RouteTable) -> Subnet:
        letter = zone.zone_letter.upper()
        subnet = Subnet(
            self,
            f"{kind}Subnet{letter}",
            vpc_id=self.vpc.id,
            availability_zone=f"{self._region}{zone.zone_letter}",
            cidr_block=cidr,
            map_public_ip_on_launch=False,  # load balancers and NAT gateways bring their own addresses
            tags={"Name": f"{self._props.name}-{kind.lower()}-{zone.zone_letter}"},
        )
        RouteTableAssociation(self, f"{kind}Association{letter}", subnet_id=subnet.id, route_table_id=routes.id)
        return subnet

    def _nat_gateway(self, zone: ZoneSubnets, public_subnet: Subnet) -> NatGateway:
        letter = zone.zone_letter.upper()
        name = f"{self._props.name}-nat-{zone.zone_letter}"
        address = Eip(self, f"NatAddress{letter}", domain="vpc", tags={"Name": name})
        return NatGateway(
            self,
            f"NatGateway{letter}",
            allocation_id=address.allocation_id,
            subnet_id=public_subnet.id,
            tags={"Name": name},
            depends_on=[self.internet_gateway],
        )
