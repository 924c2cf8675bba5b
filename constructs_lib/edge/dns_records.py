"""Route53 names for viewers and for streamers, in a zone that exists already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdktf_cdktf_provider_aws.route53_record import Route53Record, Route53RecordAlias
from constructs import Construct

if TYPE_CHECKING:
    from constructs_lib.edge.distribution import Distribution
    from constructs_lib.network.ingest_load_balancer import IngestLoadBalancer


@dataclass(frozen=True, kw_only=True, slots=True)
class DnsRecordsProps:
    hosted_zone_id: str
    viewer_domain_name: str | None
    ingest_domain_name: str | None
    distribution: Distribution
    ingest: IngestLoadBalancer


class DnsRecords(Construct):
    """Defines alias records: they cost nothing to look up and follow their target."""

    def __init__(self, scope: Construct, id_: str, props: DnsRecordsProps) -> None:
        super().__init__(scope, id_)
        if props.viewer_domain_name is not None:
            target = props.distribution.distribution
            for record_type in ("A", "AAAA"):
                Route53Record(
                    self,
                    {"A": "ViewerIpv4", "AAAA": "ViewerIpv6"}[record_type],
                    zone_id=props.hosted_zone_id,
                    name=props.viewer_domain_name,
                    type=record_type,
                    alias=Route53RecordAlias(
                        name=target.domain_name, zone_id=target.hosted_zone_id, evaluate_target_health=False
                    ),
                )
        if props.ingest_domain_name is not None:
            balancer = props.ingest.load_balancer
            Route53Record(
                self,
                "Ingest",
                zone_id=props.hosted_zone_id,
                name=props.ingest_domain_name,
                type="A",
                alias=Route53RecordAlias(
                    name=balancer.dns_name, zone_id=balancer.zone_id, evaluate_target_health=False
                ),
            )
