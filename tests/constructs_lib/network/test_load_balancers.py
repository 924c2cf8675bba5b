"""The ingest and the playback load balancer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.template import Template


def test_the_rtmp_listener_forwards_tcp_1935_to_the_tasks(dev: Template) -> None:
    """One TCP listener, one target group by address."""
    listener = dev.one("aws_lb_listener", "Ingest_RtmpListener")
    group = dev.one("aws_lb_target_group", "Ingest")

    assert (listener["port"], listener["protocol"]) == (1935, "TCP")
    assert listener["default_action"][0]["target_group_arn"] == dev.reference("aws_lb_target_group", "Ingest", "arn")
    assert (group["port"], group["protocol"], group["target_type"]) == (1935, "TCP", "ip")


def test_the_ingest_balancer_is_public_and_has_its_security_group_from_day_one(dev: Template) -> None:
    """Adding the first group later would replace the balancer and change every streamer's URL."""
    balancer = dev.one("aws_lb", "Ingest")

    assert (balancer["name"], balancer["load_balancer_type"]) == ("rtmp-nlb-dev", "network")
    assert balancer["internal"] is False
    assert balancer["security_groups"] == [dev.reference("aws_security_group", "SecurityGroups_Ingest", "id")]
    assert balancer["enable_cross_zone_load_balancing"] is True
    assert all("PublicSubnet" in subnet for subnet in balancer["subnets"])


def test_nothing_at_the_ingest_balancer_cuts_a_live_connection(dev: Template) -> None:
    """Neither deregistration nor a failed health check resets publishers; the source address is the publisher's."""
    group = dev.one("aws_lb_target_group", "Ingest")

    assert group["connection_termination"] is False
    assert group["target_health_state"] == [
        {"enable_unhealthy_connection_termination": False, "unhealthy_draining_interval": 0}
    ]
    assert group["preserve_client_ip"] == "true"
    assert int(group["deregistration_delay"]) >= 120


def test_both_target_groups_check_health_over_http_on_8080(dev: Template) -> None:
    """The health of RTMP is the health of the whole task; six misses in a row before ECS may act on it."""
    for name in ("Ingest", "Playback"):
        check = dev.one("aws_lb_target_group", name)["health_check"]
        assert (check["protocol"], check["path"], check["matcher"]) == ("HTTP", "/health", "200")
        assert check["unhealthy_threshold"] == 6
    assert dev.one("aws_lb_target_group", "Ingest")["health_check"]["port"] == "8080"


def test_rtmps_is_a_tls_listener_in_front_of_the_same_targets(dev: Template, everything: Template) -> None:
    """Only with an ingest certificate."""
    assert list(dev.resources("aws_lb_listener")) == [
        "Ingest_RtmpListener_EBDEF9C4",
        "Playback_Listener_BE9F21E6",
    ]
    listener = everything.one("aws_lb_listener", "Ingest_RtmpsListener")
    assert (listener["port"], listener["protocol"]) == (443, "TLS")
    assert listener["certificate_arn"] == "arn:aws:acm:eu-west-3:210987654321:certificate/ingest"
    assert listener["ssl_policy"].startswith("ELBSecurityPolicy-TLS13-1-2")
    group = everything.reference("aws_lb_target_group", "Ingest", "arn")
    assert listener["default_action"][0]["target_group_arn"] == group


def test_the_playback_balancer_is_internal(dev: Template) -> None:
    """CloudFront's VPC origin is the only way in."""
    balancer = dev.one("aws_lb", "Playback")

    assert (balancer["name"], balancer["load_balancer_type"]) == ("hls-alb-dev", "application")
    assert balancer["internal"] is True
    assert balancer["drop_invalid_header_fields"] is True
    assert all("PrivateSubnet" in subnet for subnet in balancer["subnets"])


def test_the_playback_listener_forwards_hls_and_health_only(dev: Template) -> None:
    """Anything else is answered with 404 without asking a task."""
    listener = dev.one("aws_lb_listener", "Playback")
    rule = dev.one("aws_lb_listener_rule")

    assert (listener["port"], listener["protocol"]) == (8080, "HTTP")
    assert listener["default_action"][0]["fixed_response"]["status_code"] == "404"
    assert rule["condition"] == [{"path_pattern": {"values": ["/hls/*", "/health"]}}]
    assert rule["action"][0]["target_group_arn"] == dev.reference("aws_lb_target_group", "Playback", "arn")


def test_deletion_protection_follows_the_environment(dev: Template, prod: Template) -> None:
    """Dev is there to be torn down; prod is not."""
    for template, protected in ((dev, False), (prod, True)):
        states = {balancer["enable_deletion_protection"] for balancer in template.resources("aws_lb").values()}
        assert states == {protected}
        assert template.one("aws_dynamodb_table")["deletion_protection_enabled"] is protected


def test_access_logs_are_off_in_dev_and_go_to_the_log_bucket_elsewhere(
    dev: Template, prod: Template, everything: Template
) -> None:
    """A network load balancer logs TLS only, so prod's, without a certificate, logs nothing."""
    assert not any("access_logs" in balancer for balancer in dev.resources("aws_lb").values())
    assert "aws_s3_bucket" not in dev.document["resource"]

    bucket = prod.reference("aws_s3_bucket", "AccessLogs", "id")
    assert prod.one("aws_lb", "Playback")["access_logs"] == {"bucket": bucket, "enabled": True, "prefix": "playback"}
    assert "access_logs" not in prod.one("aws_lb", "Ingest")

    assert everything.one("aws_lb", "Ingest")["access_logs"]["prefix"] == "ingest"


def test_the_log_bucket_lets_aws_write_its_logs(prod: Template) -> None:
    """Load balancers and log delivery of this account may write, nobody may speak plain HTTP."""
    statements = prod.statements("AccessLogs_Bucket_PolicyDocument")

    assert statements.keys() == {"TlsOnly", "LoadBalancersWrite", "LogDeliveryWrites", "LogDeliveryChecks"}
    assert statements["TlsOnly"]["effect"] == "Deny"
    assert statements["LoadBalancersWrite"]["resources"] == [
        "arn:aws:s3:::live-commerce-logs-prod-123456789012-ap-northeast-2/*/AWSLogs/123456789012/*"
    ]
    for sid in ("LogDeliveryWrites", "LogDeliveryChecks"):
        assert statements[sid]["condition"] == [
            {"test": "StringEquals", "values": ["123456789012"], "variable": "aws:SourceAccount"}
        ]
