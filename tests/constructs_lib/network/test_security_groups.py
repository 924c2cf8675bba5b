"""Who may talk to whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from stacks.document import Json
    from tests.template import Template

INGRESS = "aws_vpc_security_group_ingress_rule"
EGRESS = "aws_vpc_security_group_egress_rule"


def rules(template: Template, type_: str, group: str) -> set[tuple[str, int]]:
    """(peer, port) of every rule of one group; a peer is a group's name, a network or "cloudfront"."""
    owner = template.reference("aws_security_group", f"SecurityGroups_{group}", "id")
    return {
        (peer(template, rule), rule["from_port"])
        for rule in template.resources(type_).values()
        if rule["security_group_id"] == owner
    }


def peer(template: Template, rule: Json) -> str:
    if "prefix_list_id" in rule:
        name = template.one_data("aws_ec2_managed_prefix_list")["name"]
        return "cloudfront" if name == "com.amazonaws.global.cloudfront.origin-facing" else str(name)
    if "cidr_ipv4" in rule:
        return str(rule["cidr_ipv4"])
    return str(rule["referenced_security_group_id"]).split("SecurityGroups_")[1].split("_")[0]


def test_streamers_reach_the_ingest_balancer_and_it_reaches_tasks(dev: Template) -> None:
    """RTMP in from the configured networks, RTMP and health checks out to tasks, nothing else."""
    assert rules(dev, INGRESS, "Ingest") == {("0.0.0.0/0", 1935)}
    assert rules(dev, EGRESS, "Ingest") == {("Task", 1935), ("Task", 8080)}


def test_rtmps_opens_its_port_for_every_publisher_network(everything: Template) -> None:
    """With an ingest certificate 443 is open beside 1935, to the same networks only."""
    assert rules(everything, INGRESS, "Ingest") == {
        (cidr, port) for cidr in ("203.0.113.0/24", "198.51.100.7/32") for port in (1935, 443)
    }


def test_only_cloudfront_reaches_the_playback_balancer(dev: Template) -> None:
    """Nobody goes round the CDN."""
    assert rules(dev, INGRESS, "Playback") == {("cloudfront", 8080)}
    assert rules(dev, EGRESS, "Playback") == {("Task", 8080)}


def test_tasks_are_reached_through_balancers_and_by_each_other(dev: Template) -> None:
    """No address reaches a task directly."""
    assert rules(dev, INGRESS, "Task") == {("Ingest", 1935), ("Ingest", 8080), ("Playback", 8080), ("Task", 8080)}


def test_tasks_reach_https_and_each_other(dev: Template) -> None:
    """AWS's APIs and an HTTPS backend are on 443; there is no rule for all ports."""
    assert rules(dev, EGRESS, "Task") == {("0.0.0.0/0", 443), ("Task", 8080)}


def test_tasks_reach_a_backend_on_another_port(everything: Template) -> None:
    """The backend of the everything environment listens on 3000."""
    assert rules(everything, EGRESS, "Task") == {("0.0.0.0/0", 443), ("0.0.0.0/0", 3000), ("Task", 8080)}


@pytest.mark.parametrize("type_", [INGRESS, EGRESS])
def test_every_rule_is_tcp_on_one_port_with_a_description(everything: Template, type_: str) -> None:
    """So that a plan can be read."""
    for id_, rule in everything.resources(type_).items():
        assert rule["ip_protocol"] == "tcp", id_
        assert rule["from_port"] == rule["to_port"], id_
        assert rule["description"], id_


def test_groups_have_no_inline_rules_and_can_be_replaced(dev: Template) -> None:
    """Inline rules and single ones would fight; a new generation must exist before the old one goes."""
    for group in dev.resources("aws_security_group").values():
        assert not {"ingress", "egress", "name"} & group.keys()
        assert group["lifecycle"] == {"create_before_destroy": True}
