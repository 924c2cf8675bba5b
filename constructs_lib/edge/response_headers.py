"""The headers that CloudFront adds to every answer: CORS for web players, and the usual security headers."""

from __future__ import annotations

from dataclasses import dataclass

from cdktf_cdktf_provider_aws.cloudfront_response_headers_policy import (
    CloudfrontResponseHeadersPolicy,
    CloudfrontResponseHeadersPolicyCorsConfig,
    CloudfrontResponseHeadersPolicyCorsConfigAccessControlAllowHeaders,
    CloudfrontResponseHeadersPolicyCorsConfigAccessControlAllowMethods,
    CloudfrontResponseHeadersPolicyCorsConfigAccessControlAllowOrigins,
    CloudfrontResponseHeadersPolicyCorsConfigAccessControlExposeHeaders,
    CloudfrontResponseHeadersPolicySecurityHeadersConfig,
    CloudfrontResponseHeadersPolicySecurityHeadersConfigContentTypeOptions,
    CloudfrontResponseHeadersPolicySecurityHeadersConfigFrameOptions,
    CloudfrontResponseHeadersPolicySecurityHeadersConfigReferrerPolicy,
    CloudfrontResponseHeadersPolicySecurityHeadersConfigStrictTransportSecurity,
)
from constructs import Construct

YEAR_SECONDS = 31_536_000
PREFLIGHT_SECONDS = 86_400


@dataclass(frozen=True, kw_only=True, slots=True)
class ResponseHeadersProps:
    name: str
    cors_origins: tuple[str, ...]


class ResponseHeaders(Construct):
    """Defines the one policy that every behaviour carries. CORS is answered at the edge, not by the origin."""

    def __init__(self, scope: Construct, id_: str, props: ResponseHeadersProps) -> None:
        super().__init__(scope, id_)
        self.policy = CloudfrontResponseHeadersPolicy(
            self,
            "Resource",
            name=props.name,
            comment="CORS and security headers for HLS",
            cors_config=CloudfrontResponseHeadersPolicyCorsConfig(
                access_control_allow_credentials=False,
                access_control_allow_origins=CloudfrontResponseHeadersPolicyCorsConfigAccessControlAllowOrigins(
                    items=list(props.cors_origins)
                ),
                access_control_allow_methods=CloudfrontResponseHeadersPolicyCorsConfigAccessControlAllowMethods(
                    items=["GET", "HEAD", "OPTIONS"]
                ),
                access_control_allow_headers=CloudfrontResponseHeadersPolicyCorsConfigAccessControlAllowHeaders(
                    items=["*"]
                ),
                access_control_expose_headers=CloudfrontResponseHeadersPolicyCorsConfigAccessControlExposeHeaders(
                    items=["Age", "Date", "X-Cache"]  # players and people measure latency and hits with them
                ),
                access_control_max_age_sec=PREFLIGHT_SECONDS,
                origin_override=True,
            ),
            security_headers_config=CloudfrontResponseHeadersPolicySecurityHeadersConfig(
                content_type_options=CloudfrontResponseHeadersPolicySecurityHeadersConfigContentTypeOptions(
                    override=True
                ),
                frame_options=CloudfrontResponseHeadersPolicySecurityHeadersConfigFrameOptions(
                    frame_option="DENY", override=True
                ),
                referrer_policy=CloudfrontResponseHeadersPolicySecurityHeadersConfigReferrerPolicy(
                    referrer_policy="strict-origin-when-cross-origin", override=True
                ),
                strict_transport_security=CloudfrontResponseHeadersPolicySecurityHeadersConfigStrictTransportSecurity(
                    access_control_max_age_sec=YEAR_SECONDS, include_subdomains=True, preload=True, override=True
                ),
            ),
        )
