"""CloudFront's way into the VPC: the one thing that stands between viewers and the internal playback balancer.

AWS refuses to change or delete a VPC origin while a distribution uses it (409), its tags included. So it is never
changed: whatever is new about it, and a new balancer above all, makes a new one, to which the distribution moves before
the old one goes. See docs/adr/0018-a-vpc-origin-is-replaced-never-changed.md.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdktf import Fn, TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.cloudfront_vpc_origin import (
    CloudfrontVpcOrigin,
    CloudfrontVpcOriginTimeouts,
    CloudfrontVpcOriginVpcOriginEndpointConfig,
    CloudfrontVpcOriginVpcOriginEndpointConfigOriginSslProtocols,
)

from constructs_lib.network.ports import HLS_PORT, HTTPS_PORT
from constructs_lib.terraform.escape_hatches import define_terraform_data, replace_with

if TYPE_CHECKING:
    from collections.abc import Mapping

    from constructs import Construct

    from constructs_lib.network.playback_load_balancer import PlaybackLoadBalancer
    from constructs_lib.network.vpc import Network

# The provider gives up after 15 minutes; some take longer (terraform-aws-modules/terraform-aws-cloudfront, issue 163).
PATIENCE = "40m"
PROTOCOL_POLICY = "http-only"
TLS_PROTOCOLS = ["TLSv1.2"]


@dataclass(frozen=True, kw_only=True, slots=True)
class VpcOriginProps:
    name: str
    tags: Mapping[str, str]  # those that the provider puts on everything
    network: Network
    playback: PlaybackLoadBalancer


def define_vpc_origin(scope: Construct, id_: str, props: VpcOriginProps) -> CloudfrontVpcOrigin:
    """Define the origin, under a name that no other generation of it has."""
    balancer_id = Fn.element(Fn.split("/", props.playback.load_balancer.arn_suffix), 2)
    name = f"{props.name}-{balancer_id}-{_fingerprint(props)}"
    generation = define_terraform_data(scope, f"{id_}Generation", {"name": name})
    origin = CloudfrontVpcOrigin(
        scope,
        id_,
        vpc_origin_endpoint_config=[
            CloudfrontVpcOriginVpcOriginEndpointConfig(
                name=name,
                arn=props.playback.load_balancer.arn,
                http_port=HLS_PORT,
                https_port=HTTPS_PORT,
                origin_protocol_policy=PROTOCOL_POLICY,
                origin_ssl_protocols=[
                    CloudfrontVpcOriginVpcOriginEndpointConfigOriginSslProtocols(
                        items=TLS_PROTOCOLS, quantity=len(TLS_PROTOCOLS)
                    )
                ],
            )
        ],
        timeouts=CloudfrontVpcOriginTimeouts(create=PATIENCE, update=PATIENCE, delete=PATIENCE),
        lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
        # The rule, and with it the listener: what the distribution leaves behind must answer until it has left.
        depends_on=[props.playback.hls_rule, props.network.internet_gateway],
    )
    replace_with(origin, generation)
    return origin


def _fingerprint(props: VpcOriginProps) -> str:
    """Of all that a change of the origin would change, beside its balancer."""
    terms = [HLS_PORT, HTTPS_PORT, PROTOCOL_POLICY, TLS_PROTOCOLS, sorted(props.tags.items())]
    return hashlib.sha256(json.dumps(terms).encode()).hexdigest()[:8]
