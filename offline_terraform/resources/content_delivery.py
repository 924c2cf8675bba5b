"""CloudFront and Route 53. Source: the provider's documentation of each type, and its ForceNew flags."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from offline_terraform.values import collect, contains_unknown, find, is_unknown

from .checks import arn, between, exactly_one_of, matches
from .model import Check, Making, Problem, ResourceType, in_use

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_CREATED = "2026-01-01 00:00:00 +0000 UTC"
_CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_BEHAVIOURS = ("default_cache_behavior", "ordered_cache_behavior")
_POLICY_NAME = matches("name", r"[A-Za-z0-9_-]{1,128}", "1 to 128 letters, digits, hyphens and underscores")


def _identifier(making: Making) -> str:
    """E and 13 characters, as CloudFront's own."""
    del making
    return "E" + "".join(secrets.choice(_CAPITALS) for _ in range(13))


def _etag(making: Making) -> str:
    return _identifier(making)


def _targets(config: Mapping[str, Any]) -> Iterator[Problem]:
    """CloudFront refuses a behaviour whose target is no origin of the distribution (NoSuchOrigin)."""
    origins = {*collect(config, "origin.origin_id"), *collect(config, "origin_group.origin_id")}
    if any(is_unknown(origin) for origin in origins) or is_unknown(config.get("origin")):
        return
    for behaviour in _BEHAVIOURS:
        for path, target in find(config, f"{behaviour}.target_origin_id"):
            if target is not None and not is_unknown(target) and target not in origins:
                yield Problem(
                    summary=f"NoSuchOrigin: {target} is no origin of this distribution ({', '.join(sorted(origins))})",
                    path=path,
                )


def _viewer_certificate(config: Mapping[str, Any]) -> Iterator[Problem]:
    """Own names need an own certificate, and CloudFront takes certificates from us-east-1 only."""
    for path, certificate in find(config, "viewer_certificate.acm_certificate_arn"):
        if certificate and not is_unknown(certificate) and ":us-east-1:" not in certificate:
            yield Problem(
                summary=(
                    "InvalidViewerCertificate: The specified SSL certificate doesn't exist, isn't in us-east-1 region, "
                    "isn't valid, or doesn't include a valid certificate chain."
                ),
                path=path,
            )
    default = any(value is True for value in collect(config, "viewer_certificate.cloudfront_default_certificate"))
    if config.get("aliases") and default:
        yield Problem(
            summary="InvalidViewerCertificate: aliases need a certificate that covers them", path=("aliases",)
        )


def _ttls(config: Mapping[str, Any]) -> Iterator[Problem]:
    given = [config.get("min_ttl"), config.get("default_ttl"), config.get("max_ttl")]
    if contains_unknown(given):
        return
    ttls = [int(ttl) for ttl in given if ttl is not None]
    if ttls != sorted(ttls):
        yield Problem(summary="InvalidArgument: min_ttl <= default_ttl <= max_ttl does not hold", path=("default_ttl",))


def _record_values(config: Mapping[str, Any]) -> Iterator[Problem]:
    if config.get("records") is not None and config.get("ttl") is None:
        yield Problem(summary="Missing required argument", detail='"records": all of `records,ttl` must be specified')


def _record_name(making: Making) -> str:
    return str(making["name"]).removesuffix(".")


def _behaviour_defaults() -> dict[str, Any]:
    return {
        f"{behaviour}.{name}": value
        for behaviour in _BEHAVIOURS
        for name, value in {"compress": False, "min_ttl": 0, "grpc_config.enabled": False}.items()
    }


def _policy(kind: str, *checks: Check, **defaults: Any) -> ResourceType:
    """A named policy; CloudFront changes all of it in place, its name too."""
    return ResourceType(
        defaults=defaults,
        checks=(_POLICY_NAME, *checks),
        refused_while_used=in_use(
            f"deleting CloudFront {kind} ({{id}}): StatusCode: 409, {kind.title().replace('-', '')}InUse: it is "
            "attached to one or more distributions"
        ),
        values={"id": "{uuid}", "arn": f"arn:aws:cloudfront::{{account}}:{kind}/{{id}}", "etag": _etag},
    )


RESOURCES = {
    "aws_cloudfront_distribution": ResourceType(
        force_new=("staging",),
        computed=(
            "continuous_deployment_policy_id",
            *(f"{behaviour}.{name}" for behaviour in _BEHAVIOURS for name in ("default_ttl", "max_ttl")),
            "default_cache_behavior.trusted_key_groups",
            "default_cache_behavior.trusted_signers",
            "restrictions.geo_restriction.locations",
        ),
        defaults={
            **_behaviour_defaults(),
            "http_version": "http2",
            "is_ipv6_enabled": False,
            "logging_config.include_cookies": False,
            "logging_config.prefix": "",
            "origin.connection_attempts": 3,
            "origin.connection_timeout": 10,
            "origin.origin_path": "",
            "origin.custom_origin_config.origin_keepalive_timeout": 5,
            "origin.custom_origin_config.origin_read_timeout": 30,
            "origin.vpc_origin_config.origin_keepalive_timeout": 5,
            "origin.vpc_origin_config.origin_read_timeout": 30,
            "price_class": "PriceClass_All",
            "retain_on_delete": False,
            "staging": False,
            "viewer_certificate.minimum_protocol_version": "TLSv1",
            "wait_for_deployment": True,
        },
        allowed={
            "http_version": ("http1.1", "http2", "http2and3", "http3"),
            "price_class": ("None", "PriceClass_100", "PriceClass_200", "PriceClass_All"),
            "origin.custom_origin_config.origin_protocol_policy": ("http-only", "https-only", "match-viewer"),
            "restrictions.geo_restriction.restriction_type": ("blacklist", "none", "whitelist"),
            "viewer_certificate.ssl_support_method": ("sni-only", "static-ip", "vip"),
            **{
                f"{behaviour}.viewer_protocol_policy": ("allow-all", "https-only", "redirect-to-https")
                for behaviour in _BEHAVIOURS
            },
        },
        checks=(
            _targets,
            _viewer_certificate,
            arn("viewer_certificate.acm_certificate_arn"),
            between("origin.connection_attempts", 1, 3),
            between("origin.connection_timeout", 1, 10),
        ),
        uses={
            "origin.vpc_origin_config.vpc_origin_id": "aws_cloudfront_vpc_origin",
            "web_acl_id": "aws_wafv2_web_acl",
            **{
                f"{behaviour}.{kind}_id": f"aws_cloudfront_{kind}"
                for behaviour in _BEHAVIOURS
                for kind in ("cache_policy", "origin_request_policy", "response_headers_policy")
            },
        },
        values={
            "id": _identifier,
            "arn": "arn:aws:cloudfront::{account}:distribution/{id}",
            **{f"{behaviour}.{name}": 0 for behaviour in _BEHAVIOURS for name in ("default_ttl", "max_ttl")},
            "default_cache_behavior.trusted_key_groups": [],
            "default_cache_behavior.trusted_signers": [],
            "restrictions.geo_restriction.locations": [],
            "caller_reference": "terraform-{hex26}",
            "continuous_deployment_policy_id": "",
            "domain_name": "d{hex13}.cloudfront.net",
            "etag": _etag,
            # The zone of every distribution (Route 53 documentation, AliasTarget).
            "hosted_zone_id": "Z2FDTNDATAQYW2",
            "in_progress_validation_batches": 0,
            "last_modified_time": _CREATED,
            "logging_v1_enabled": lambda making: bool(making["logging_config"]),
            "status": "Deployed",
            "trusted_key_groups": [],
            "trusted_signers": [],
        },
    ),
    "aws_cloudfront_vpc_origin": ResourceType(
        allowed={
            "vpc_origin_endpoint_config.origin_protocol_policy": ("http-only", "https-only", "match-viewer"),
        },
        checks=(
            arn("vpc_origin_endpoint_config.arn"),
            between("vpc_origin_endpoint_config.http_port", 1, 65_535),
            between("vpc_origin_endpoint_config.https_port", 1, 65_535),
        ),
        uses={"vpc_origin_endpoint_config.arn": "aws_lb"},
        refused_while_used=in_use(
            "CloudFront VPC Origin ({id}): StatusCode: 409, CannotUpdateEntityWhileInUse: The specified VPC origin is "
            "currently associated with one or more distributions. Please disassociate the VPC origin from all "
            "distributions before updating or deleting."
        ),
        changes_refused_while_used=True,
        values={"id": "vo_{hex22}", "arn": "arn:aws:cloudfront::{account}:vpcorigin/{id}", "etag": _etag},
    ),
    "aws_cloudfront_cache_policy": _policy("cache-policy", _ttls, default_ttl=86_400, max_ttl=31_536_000),
    "aws_cloudfront_origin_request_policy": _policy("origin-request-policy"),
    "aws_cloudfront_response_headers_policy": _policy("response-headers-policy"),
    "aws_route53_record": ResourceType(
        force_new=("name", "set_identifier", "zone_id"),
        computed=("allow_overwrite",),
        allowed={
            "type": (
                "A",
                "AAAA",
                "CAA",
                "CNAME",
                "DS",
                "HTTPS",
                "MX",
                "NAPTR",
                "NS",
                "PTR",
                "SOA",
                "SPF",
                "SRV",
                "SSHFP",
                "SVCB",
                "TLSA",
                "TXT",
            ),
        },
        checks=(exactly_one_of("alias", "records"), _record_values),
        values={
            "id": "{zone_id}_{name}_{type}",
            "fqdn": _record_name,
            "allow_overwrite": False,
        },
    ),
}
