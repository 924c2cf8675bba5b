"""Where viewers watch: CloudFront in front of the playback load balancer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdktf_cdktf_provider_aws.cloudfront_distribution import (
    CloudfrontDistribution,
    CloudfrontDistributionCustomErrorResponse,
    CloudfrontDistributionDefaultCacheBehavior,
    CloudfrontDistributionOrderedCacheBehavior,
    CloudfrontDistributionOrigin,
    CloudfrontDistributionOriginOriginShield,
    CloudfrontDistributionOriginVpcOriginConfig,
    CloudfrontDistributionRestrictions,
    CloudfrontDistributionRestrictionsGeoRestriction,
    CloudfrontDistributionViewerCertificate,
)
from constructs import Construct

from constructs_lib.edge.vpc_origin import VpcOriginProps, define_vpc_origin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cdktf_cdktf_provider_aws.cloudfront_cache_policy import CloudfrontCachePolicy

    from constructs_lib.edge.cache_policies import CachePolicies
    from constructs_lib.edge.response_headers import ResponseHeaders
    from constructs_lib.edge.web_acl import WebAcl
    from constructs_lib.network.playback_load_balancer import PlaybackLoadBalancer
    from constructs_lib.network.vpc import Network

ORIGIN_ID = "playback"
METHODS = ["GET", "HEAD", "OPTIONS"]
# At the start of a broadcast and after a reconnect "not found" is true for a moment only; CloudFront's own ten seconds
# would make either look broken.
ERROR_TTL_SECONDS = 1
ERROR_CODES = (403, 404, 405, 414, 416, 500, 501, 502, 503, 504)
# What one viewer's bytes cause is nobody else's answer. CloudFront heeds the origin's no-store for 404, 410, 414 and
# 501 only. https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/custom-error-pages-expiration.html
BAD_REQUEST = 400
# A blocking playlist request is held for up to three target durations (RFC 8216bis section 6.2.5.2).
ORIGIN_READ_TIMEOUT_SECONDS = 30
MEDIA_PATTERNS = ("/hls/*.m4s", "/hls/*.mp4")
PLAYLIST_PATTERN = "/hls/*.m3u8"


@dataclass(frozen=True, kw_only=True, slots=True)
class DistributionProps:
    name: str
    tags: Mapping[str, str]
    network: Network
    playback: PlaybackLoadBalancer
    cache_policies: CachePolicies
    response_headers: ResponseHeaders
    price_class: str
    origin_shield_region: str
    domain_name: str | None
    certificate_arn: str | None
    web_acl: WebAcl | None


class Distribution(Construct):
    """Defines the distribution and the VPC origin through which alone it reaches the internal balancer."""

    def __init__(self, scope: Construct, id_: str, props: DistributionProps) -> None:
        super().__init__(scope, id_)
        self._props = props
        vpc_origin = define_vpc_origin(
            self,
            "VpcOrigin",
            VpcOriginProps(name=props.name, tags=props.tags, network=props.network, playback=props.playback),
        )
        self.distribution = CloudfrontDistribution(
            self,
            "Resource",
            comment=props.name,
            enabled=True,
            is_ipv6_enabled=True,
            http_version="http2and3",
            price_class=props.price_class,
            aliases=[props.domain_name] if props.domain_name is not None else None,
            web_acl_id=props.web_acl.acl.arn if props.web_acl is not None else None,
            wait_for_deployment=True,  # until no edge asks what it left: only then can that be deleted
            origin=[
                CloudfrontDistributionOrigin(
                    origin_id=ORIGIN_ID,
                    domain_name=props.playback.load_balancer.dns_name,
                    # A live edge does not wait: a new attempt beats a long one.
                    connection_attempts=2,
                    connection_timeout=2,
                    vpc_origin_config=CloudfrontDistributionOriginVpcOriginConfig(
                        vpc_origin_id=vpc_origin.id,
                        origin_read_timeout=ORIGIN_READ_TIMEOUT_SECONDS,
                        origin_keepalive_timeout=60,
                    ),
                    # All edges ask one cache, and that one asks the origin once for each part.
                    origin_shield=CloudfrontDistributionOriginOriginShield(
                        enabled=True, origin_shield_region=props.origin_shield_region
                    ),
                )
            ],
            ordered_cache_behavior=[
                self._behavior(PLAYLIST_PATTERN, props.cache_policies.playlists, compress=True),
                *(self._behavior(pattern, props.cache_policies.media, compress=False) for pattern in MEDIA_PATTERNS),
            ],
            default_cache_behavior=CloudfrontDistributionDefaultCacheBehavior(
                target_origin_id=ORIGIN_ID,
                viewer_protocol_policy="redirect-to-https",
                allowed_methods=METHODS,
                cached_methods=METHODS,
                compress=False,
                cache_policy_id=props.cache_policies.other.id,
                response_headers_policy_id=props.response_headers.policy.id,
            ),
            custom_error_response=[
                CloudfrontDistributionCustomErrorResponse(error_code=code, error_caching_min_ttl=ERROR_TTL_SECONDS)
                for code in ERROR_CODES
            ]
            + [CloudfrontDistributionCustomErrorResponse(error_code=BAD_REQUEST, error_caching_min_ttl=0)],
            restrictions=CloudfrontDistributionRestrictions(
                geo_restriction=CloudfrontDistributionRestrictionsGeoRestriction(restriction_type="none")
            ),
            viewer_certificate=self._certificate(),
        )
        self.host_name = props.domain_name or self.distribution.domain_name

    def _behavior(
        self, path_pattern: str, cache_policy: CloudfrontCachePolicy, *, compress: bool
    ) -> CloudfrontDistributionOrderedCacheBehavior:
        return CloudfrontDistributionOrderedCacheBehavior(
            path_pattern=path_pattern,
            target_origin_id=ORIGIN_ID,
            viewer_protocol_policy="redirect-to-https",
            allowed_methods=METHODS,
            cached_methods=METHODS,
            compress=compress,
            cache_policy_id=cache_policy.id,
            response_headers_policy_id=self._props.response_headers.policy.id,
        )

    def _certificate(self) -> CloudfrontDistributionViewerCertificate:
        if self._props.certificate_arn is None:
            return CloudfrontDistributionViewerCertificate(cloudfront_default_certificate=True)
        return CloudfrontDistributionViewerCertificate(
            acm_certificate_arn=self._props.certificate_arn,
            minimum_protocol_version="TLSv1.2_2021",
            ssl_support_method="sni-only",
        )
