"""CloudFront: origin, behaviours, cache policies, headers, firewall, names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from stacks.document import Json
    from tests.template import Template


def behaviors(template: Template) -> dict[str, Json]:
    """Path pattern to behaviour, the default one under "*"."""
    distribution = template.one("aws_cloudfront_distribution")
    ordered = {behavior["path_pattern"]: behavior for behavior in distribution["ordered_cache_behavior"]}
    return {**ordered, "*": distribution["default_cache_behavior"]}


def test_the_only_origin_is_the_internal_balancer_through_a_vpc_origin(dev: Template) -> None:
    """With Origin Shield in the environment's region."""
    (origin,) = dev.one("aws_cloudfront_distribution")["origin"]
    endpoint = dev.one("aws_cloudfront_vpc_origin")["vpc_origin_endpoint_config"][0]

    assert origin["domain_name"] == dev.reference("aws_lb", "Playback", "dns_name")
    assert origin["vpc_origin_config"]["vpc_origin_id"] == dev.reference("aws_cloudfront_vpc_origin", "", "id")
    assert origin["origin_shield"] == {"enabled": True, "origin_shield_region": "ap-northeast-2"}
    assert (endpoint["arn"], endpoint["http_port"]) == (dev.reference("aws_lb", "Playback", "arn"), 8080)
    assert endpoint["origin_protocol_policy"] == "http-only"


def test_a_vpc_origin_is_replaced_and_never_changed(dev: Template) -> None:
    """AWS refuses changes while it is in use: a new one, under a new name, comes first; it may take 40 minutes."""
    origin = dev.one("aws_cloudfront_vpc_origin")
    generation = dev.one("terraform_data")
    name = origin["vpc_origin_endpoint_config"][0]["name"]

    assert origin["lifecycle"] == {
        "create_before_destroy": True,
        "replace_triggered_by": [dev.reference("terraform_data", "", "id")[2:-4]],
    }
    assert origin["timeouts"] == {"create": "40m", "update": "40m", "delete": "40m"}
    assert generation["input"] == {"name": name}
    assert dev.reference("aws_lb", "Playback", "arn_suffix")[2:-1] in name  # another balancer, another name


def test_the_name_of_the_vpc_origin_follows_its_tags(dev: Template, prod: Template) -> None:
    """They cannot be changed in place either; dev and prod differ in one."""
    names = [
        template.one("aws_cloudfront_vpc_origin")["vpc_origin_endpoint_config"][0]["name"].rpartition("-")[2]
        for template in (dev, prod)
    ]

    assert names[0] != names[1]
    assert all(re.fullmatch("[0-9a-f]{8}", name) for name in names)


def test_what_the_old_origin_leads_to_stays_until_the_distribution_has_left_it(dev: Template) -> None:
    """The rule that forwards to tasks goes after the origin, and each balancer has a target group of its own."""
    rule = dev.reference("aws_lb_listener_rule", "Playback_HlsRule", "id")[2:-4]
    balancer = dev.reference("aws_lb", "Playback", "arn")[2:-1]

    assert rule in dev.one("aws_cloudfront_vpc_origin")["depends_on"]
    assert dev.one("aws_lb_target_group", "Playback")["lifecycle"] == {
        "create_before_destroy": True,
        "replace_triggered_by": [balancer],
    }
    assert dev.one("aws_cloudfront_distribution")["wait_for_deployment"] is True


def test_a_region_without_origin_shield_uses_the_nearest(everything: Template) -> None:
    """Paris uses London."""
    (origin,) = everything.one("aws_cloudfront_distribution")["origin"]

    assert origin["origin_shield"]["origin_shield_region"] == "eu-west-2"


def test_the_origin_has_longer_to_answer_than_a_blocking_request_lasts(dev: Template) -> None:
    """Three target durations of two seconds, and the balancer must not hang up earlier either."""
    (origin,) = dev.one("aws_cloudfront_distribution")["origin"]

    assert origin["vpc_origin_config"]["origin_read_timeout"] >= 3 * 2
    assert dev.one("aws_lb", "Playback")["idle_timeout"] > origin["vpc_origin_config"]["origin_read_timeout"]
    assert dev.one("aws_lb", "Playback")["idle_timeout"] > origin["vpc_origin_config"]["origin_keepalive_timeout"]


@pytest.mark.parametrize(
    ("pattern", "policy", "compress"),
    [
        ("/hls/*.m3u8", "Playlists", True),
        ("/hls/*.m4s", "Media", False),
        ("/hls/*.mp4", "Media", False),
        ("*", "Other", False),
    ],
)
def test_each_kind_of_file_has_its_cache_policy(dev: Template, pattern: str, policy: str, *, compress: bool) -> None:
    """Playlists are compressed; media is compressed already."""
    behavior = behaviors(dev)[pattern]

    expected = dev.reference("aws_cloudfront_cache_policy", f"CachePolicies_{policy}", "id")
    assert behavior["cache_policy_id"] == expected
    assert behavior["compress"] is compress


def test_every_behavior_has_cors_and_redirects_to_https(dev: Template) -> None:
    """The original had CORS on one behaviour only, and players were blocked."""
    headers = dev.reference("aws_cloudfront_response_headers_policy", "", "id")

    for pattern, behavior in behaviors(dev).items():
        assert behavior["response_headers_policy_id"] == headers, pattern
        assert behavior["viewer_protocol_policy"] == "redirect-to-https", pattern
        assert behavior["allowed_methods"] == ["GET", "HEAD", "OPTIONS"], pattern


@pytest.mark.parametrize(
    ("policy", "ttl"), [("Playlists", (0, 1, 2)), ("Media", (0, 86400, 86400)), ("Other", (0, 0, 1))]
)
def test_cache_times(dev: Template, policy: str, ttl: tuple[int, int, int]) -> None:
    """Minimum, default and maximum in seconds; the minimum never overrides the origin's word."""
    arguments = dev.one("aws_cloudfront_cache_policy", f"CachePolicies_{policy}")

    assert (arguments["min_ttl"], arguments["default_ttl"], arguments["max_ttl"]) == ttl


def test_only_delivery_directives_tell_two_playlist_requests_apart(dev: Template) -> None:
    """No header, no cookie, no other query: one viewer's request fills the cache for all."""
    for id_, policy in dev.resources("aws_cloudfront_cache_policy").items():
        key = policy["parameters_in_cache_key_and_forwarded_to_origin"]
        assert key["headers_config"] == {"header_behavior": "none"}, id_
        assert key["cookies_config"] == {"cookie_behavior": "none"}, id_
        expected: Json = {"query_string_behavior": "none"}
        if "Playlists" in id_:
            items = ["_HLS_msn", "_HLS_part", "_HLS_skip"]
            expected = {"query_string_behavior": "whitelist", "query_strings": {"items": items}}
            assert key["enable_accept_encoding_gzip"] is True
        assert key["query_strings_config"] == expected, id_


def test_no_error_is_remembered_for_longer_than_a_second(dev: Template) -> None:
    """At the start of a broadcast "not found" is true for a moment only; a bad request is that of one viewer."""
    responses = dev.one("aws_cloudfront_distribution")["custom_error_response"]
    seconds = {response["error_code"]: response["error_caching_min_ttl"] for response in responses}

    assert seconds.pop(400) == 0
    assert seconds.keys() >= {403, 404, 405, 414, 500, 501, 502, 503, 504}
    assert set(seconds.values()) == {1}


def test_cors_origins_come_from_the_environment(dev: Template, everything: Template) -> None:
    """Any origin in dev, the shops' origins elsewhere; the edge answers, whatever the origin says."""
    for template, origins in ((dev, ["*"]), (everything, ["https://shop.example.com", "https://*.example.org"])):
        cors = template.one("aws_cloudfront_response_headers_policy")["cors_config"]
        assert cors["access_control_allow_origins"]["items"] == origins
        assert cors["origin_override"] is True


def test_security_headers_are_on(dev: Template) -> None:
    """HSTS for a year, no sniffing, no framing."""
    headers = dev.one("aws_cloudfront_response_headers_policy")["security_headers_config"]

    assert headers["strict_transport_security"]["access_control_max_age_sec"] == 31_536_000
    assert headers["content_type_options"] == {"override": True}
    assert headers["frame_options"]["frame_option"] == "DENY"


def test_without_a_domain_cloudfronts_own_certificate_is_used(dev: Template) -> None:
    """No alias, no certificate to make first."""
    distribution = dev.one("aws_cloudfront_distribution")

    assert distribution["viewer_certificate"] == {"cloudfront_default_certificate": True}
    assert "aliases" not in distribution


def test_a_domain_brings_alias_certificate_and_records(everything: Template) -> None:
    """Viewers and streamers each get their name."""
    distribution = everything.one("aws_cloudfront_distribution")
    assert distribution["aliases"] == ["live.example.com"]
    assert distribution["viewer_certificate"]["minimum_protocol_version"] == "TLSv1.2_2021"

    records = {
        (record["name"], record["type"]): record["alias"]["name"]
        for record in everything.resources("aws_route53_record").values()
    }
    viewers = everything.reference("aws_cloudfront_distribution", "", "domain_name")
    assert records == {
        ("live.example.com", "A"): viewers,
        ("live.example.com", "AAAA"): viewers,
        ("ingest.live.example.com", "A"): everything.reference("aws_lb", "Ingest", "dns_name"),
    }


def test_the_firewall_is_optional(dev: Template, everything: Template) -> None:
    """On: reputation, bad inputs and a limit for each address, in us-east-1, logging what it blocked."""
    assert "web_acl_id" not in dev.one("aws_cloudfront_distribution")

    acl = everything.one("aws_wafv2_web_acl")
    assert everything.one("aws_cloudfront_distribution")["web_acl_id"] == everything.reference(
        "aws_wafv2_web_acl", "", "arn"
    )
    assert (acl["scope"], acl["region"]) == ("CLOUDFRONT", "us-east-1")
    statements = [rule["statement"] for rule in acl["rule"]]
    assert [statement.get("managed_rule_group_statement", {}).get("name") for statement in statements] == [
        "AWSManagedRulesAmazonIpReputationList",
        "AWSManagedRulesKnownBadInputsRuleSet",
        None,
    ]
    assert statements[2]["rate_based_statement"]["limit"] == 50_000
    log_group = everything.one("aws_cloudwatch_log_group", "WebAcl")
    assert (log_group["name"][:14], log_group["region"]) == ("aws-waf-logs-l", "us-east-1")


def test_cloudfront_logs_go_to_the_log_bucket_when_access_logs_are_on(dev: Template, prod: Template) -> None:
    """By log delivery, which is configured in us-east-1."""
    assert "aws_cloudwatch_log_delivery" not in dev.document["resource"]

    source = prod.one("aws_cloudwatch_log_delivery_source")
    assert (source["log_type"], source["region"]) == ("ACCESS_LOGS", "us-east-1")
    assert source["resource_arn"] == prod.reference("aws_cloudfront_distribution", "", "arn")
    destination = prod.one("aws_cloudwatch_log_delivery_destination")["delivery_destination_configuration"][0]
    bucket = prod.reference("aws_s3_bucket", "AccessLogs", "arn")
    assert destination["destination_resource_arn"] == f"{bucket}/viewers"
