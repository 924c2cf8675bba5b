"""How long CloudFront keeps what, and what makes two requests the same."""

from __future__ import annotations

from dataclasses import dataclass

from cdktf_cdktf_provider_aws.cloudfront_cache_policy import (
    CloudfrontCachePolicy,
    CloudfrontCachePolicyParametersInCacheKeyAndForwardedToOrigin,
    CloudfrontCachePolicyParametersInCacheKeyAndForwardedToOriginCookiesConfig,
    CloudfrontCachePolicyParametersInCacheKeyAndForwardedToOriginHeadersConfig,
    CloudfrontCachePolicyParametersInCacheKeyAndForwardedToOriginQueryStringsConfig,
    CloudfrontCachePolicyParametersInCacheKeyAndForwardedToOriginQueryStringsConfigQueryStrings,
)
from constructs import Construct

# The delivery directives of a playlist request (RFC 8216bis section 6.2.5): another value is another playlist.
DELIVERY_DIRECTIVES = ("_HLS_msn", "_HLS_part", "_HLS_skip")
DAY_SECONDS = 86_400


@dataclass(frozen=True, kw_only=True, slots=True)
class CachePoliciesProps:
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class _Ttl:
    minimum: int
    default: int
    maximum: int


class CachePolicies(Construct):
    """Defines three policies: playlists, media, and everything else. None varies on a header or a cookie."""

    def __init__(self, scope: Construct, id_: str, props: CachePoliciesProps) -> None:
        super().__init__(scope, id_)
        # A minimum above 0 would override the origin's own word; a maximum of 2 bounds a mistake of the origin.
        self.playlists = self._policy(
            "Playlists",
            f"{props.name}-playlists",
            "HLS playlists: about a second, each delivery directive apart",
            _Ttl(minimum=0, default=1, maximum=2),
            query_strings=DELIVERY_DIRECTIVES,
            compressed=True,
        )
        # Names are unique for each publish session, so what a name holds never changes.
        self.media = self._policy(
            "Media",
            f"{props.name}-media",
            "Segments, parts and init segments: immutable",
            _Ttl(minimum=0, default=DAY_SECONDS, maximum=DAY_SECONDS),
        )
        self.other = self._policy(
            "Other",
            f"{props.name}-other",
            "Everything else: as the origin says, a second at most",
            _Ttl(minimum=0, default=0, maximum=1),
        )

    def _policy(
        self,
        id_: str,
        name: str,
        comment: str,
        ttl: _Ttl,
        *,
        query_strings: tuple[str, ...] = (),
        compressed: bool = False,
    ) -> CloudfrontCachePolicy:
        strings = CloudfrontCachePolicyParametersInCacheKeyAndForwardedToOriginQueryStringsConfig(
            query_string_behavior="whitelist" if query_strings else "none",
            query_strings=CloudfrontCachePolicyParametersInCacheKeyAndForwardedToOriginQueryStringsConfigQueryStrings(
                items=list(query_strings)
            )
            if query_strings
            else None,
        )
        return CloudfrontCachePolicy(
            self,
            id_,
            name=name,
            comment=comment,
            min_ttl=ttl.minimum,
            default_ttl=ttl.default,
            max_ttl=ttl.maximum,
            parameters_in_cache_key_and_forwarded_to_origin=CloudfrontCachePolicyParametersInCacheKeyAndForwardedToOrigin(
                cookies_config=CloudfrontCachePolicyParametersInCacheKeyAndForwardedToOriginCookiesConfig(
                    cookie_behavior="none"
                ),
                headers_config=CloudfrontCachePolicyParametersInCacheKeyAndForwardedToOriginHeadersConfig(
                    header_behavior="none"
                ),
                query_strings_config=strings,
                enable_accept_encoding_gzip=compressed,
                enable_accept_encoding_brotli=compressed,
            ),
        )
