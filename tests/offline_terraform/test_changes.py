"""Plans, applies and destroys: what changes in place, what is replaced, what stays."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from offline_terraform import samples
from offline_terraform.engine import changes_in
from offline_terraform.resources import RESOURCES

if TYPE_CHECKING:
    from collections.abc import Callable

    from offline_terraform.engine import Stack

    Initialized = Callable[[samples.Document], Stack]

pytestmark = pytest.mark.slow

_CONTAINERS = [{"name": "rtmp", "image": "rtmp:1", "essential": True}]


def _service(*, containers: Any = _CONTAINERS, cpu: str = "512", **arguments: Any) -> samples.Document:
    return {
        "aws_ecs_cluster": {"main": {"name": "live"}},
        "aws_ecs_task_definition": {
            "rtmp": {
                "family": "rtmp",
                "requires_compatibilities": ["FARGATE"],
                "network_mode": "awsvpc",
                "cpu": cpu,
                "memory": "1024",
                "container_definitions": json.dumps(containers),
            }
        },
        "aws_ecs_service": {
            "rtmp": {
                "name": "rtmp",
                "cluster": "${aws_ecs_cluster.main.id}",
                "task_definition": "${aws_ecs_task_definition.rtmp.arn}",
                "launch_type": "FARGATE",
                "desired_count": 2,
                "network_configuration": {"subnets": ["subnet-1"]},
                **arguments,
            }
        },
    }


def _replaced_by(plan: dict[str, Any], address: str) -> list[list[str | int]]:
    """The paths that force the resource's replacement, as the plan names them."""
    changes = {change["address"]: change["change"] for change in plan["resource_changes"]}
    paths: list[list[str | int]] = changes[address].get("replace_paths", [])
    return paths


def test_a_stack_goes_from_nothing_to_applied_to_nothing(initialized: Initialized) -> None:
    """Applied it plans nothing, nor does the same configuration written anew; destroyed it leaves an empty state."""
    document = samples.stack(samples.load_balancer(), outputs={"url": "rtmp://${aws_lb.ingest.dns_name}/live"})
    stack = initialized(document)
    created = stack.changes()
    assert set(created.values()) == {"create"}
    assert len(created) == 6
    stack.apply()
    assert stack.changes() == {}
    stack.configure(document)
    assert stack.changes() == {}
    assert stack.outputs()["url"].endswith(".elb.ap-northeast-2.amazonaws.com/live")
    stack.destroy()
    assert stack.attributes() == {}


def test_every_supported_type_can_be_made_and_then_stays_as_it_is(initialized: Initialized) -> None:
    """With little more than its required arguments: whatever AWS would choose is chosen once and for all."""
    resources = samples.every_type()
    assert set(resources) == set(RESOURCES)
    stack = initialized(samples.stack(resources))
    stack.apply()
    assert len(stack.attributes()) == len(RESOURCES)
    assert stack.changes() == {}
    stack.destroy()
    assert stack.attributes() == {}


def test_identifiers_have_the_shape_of_aws(initialized: Initialized) -> None:
    """Ids and ARNs carry the stand-in's account, the provider's region, and what they refer to."""
    stack = initialized(samples.stack(samples.load_balancer()))
    stack.apply()
    state = stack.attributes()
    arn = state["aws_lb.ingest"]["arn"]
    assert state["aws_vpc.main"]["id"].startswith("vpc-")
    assert state["aws_subnet.a"]["vpc_id"] == state["aws_vpc.main"]["id"]
    assert arn.startswith("arn:aws:elasticloadbalancing:ap-northeast-2:123456789012:loadbalancer/net/ingest/")
    assert state["aws_lb.ingest"]["id"] == arn
    assert arn.endswith(state["aws_lb.ingest"]["arn_suffix"])


def test_twins_are_two(initialized: Initialized) -> None:
    """Two resources with the same arguments do not share an identity."""
    stack = initialized(samples.stack({"aws_eip": {"one": {"domain": "vpc"}, "other": {"domain": "vpc"}}}))
    stack.apply()
    addresses = [eip["id"] for eip in stack.attributes().values()]
    assert len(set(addresses)) == 2


def test_a_changed_image_replaces_the_task_definition_and_updates_the_service(initialized: Initialized) -> None:
    stack = initialized(samples.stack(_service()))
    stack.apply()
    before = stack.attributes()
    stack.configure(samples.stack(_service(containers=[{**_CONTAINERS[0], "image": "rtmp:2"}])))
    plan = stack.plan_json()
    assert changes_in(plan) == {"aws_ecs_task_definition.rtmp": "delete, create", "aws_ecs_service.rtmp": "update"}
    assert _replaced_by(plan, "aws_ecs_task_definition.rtmp") == [["container_definitions"]]
    stack.apply()
    after = stack.attributes()
    assert stack.changes() == {}
    assert after["aws_ecs_service.rtmp"]["id"] == before["aws_ecs_service.rtmp"]["id"]
    assert after["aws_ecs_service.rtmp"]["task_definition"] == after["aws_ecs_task_definition.rtmp"]["arn"]
    assert after["aws_ecs_task_definition.rtmp"]["arn"] != before["aws_ecs_task_definition.rtmp"]["arn"]


def test_the_same_containers_in_other_words_change_nothing(initialized: Initialized) -> None:
    """JSON is compared by meaning."""
    document = samples.stack(_service())
    stack = initialized(document)
    stack.apply()
    reordered = [dict(reversed(_CONTAINERS[0].items()))]
    document["resource"]["aws_ecs_task_definition"]["rtmp"]["container_definitions"] = json.dumps(reordered, indent=2)
    stack.configure(document)
    assert stack.changes() == {}


@pytest.mark.parametrize(
    ("before", "after", "address", "action"),
    [
        pytest.param(
            _service(), _service(desired_count=3), "aws_ecs_service.rtmp", "update", id="service, desired count"
        ),
        pytest.param(
            _service(), _service(launch_type="EC2"), "aws_ecs_service.rtmp", "delete, create", id="service, launch type"
        ),
        pytest.param(
            _service(),
            _service(deployment_controller={"type": "ECS"}),
            "aws_ecs_service.rtmp",
            "update",
            id="service, controller spelt out",
        ),
        pytest.param(
            _service(),
            _service(deployment_controller={"type": "CODE_DEPLOY"}),
            "aws_ecs_service.rtmp",
            "delete, create",
            id="service, controller",
        ),
        pytest.param(
            samples.table(),
            samples.table(ttl={"attribute_name": "until", "enabled": True}),
            "aws_dynamodb_table.leases",
            "update",
            id="table, time to live",
        ),
        pytest.param(
            samples.table(),
            samples.table(hash_key="viewer", attribute=[{"name": "viewer", "type": "S"}]),
            "aws_dynamodb_table.leases",
            "delete, create",
            id="table, key",
        ),
        pytest.param(
            {"aws_ecr_repository": {"one": {"name": "one"}}},
            {"aws_ecr_repository": {"one": {"name": "one", "image_tag_mutability": "IMMUTABLE"}}},
            "aws_ecr_repository.one",
            "update",
            id="repository, mutability",
        ),
        pytest.param(
            {"aws_ecr_repository": {"one": {"name": "one"}}},
            {"aws_ecr_repository": {"one": {"name": "other"}}},
            "aws_ecr_repository.one",
            "delete, create",
            id="repository, name",
        ),
        pytest.param(
            samples.log_groups("one"),
            samples.log_groups("one", retention_in_days=30),
            "aws_cloudwatch_log_group.one",
            "update",
            id="log group, retention",
        ),
        pytest.param(
            samples.log_groups("one"),
            samples.log_groups("one", region="us-east-1"),
            "aws_cloudwatch_log_group.one",
            "delete, create",
            id="region",
        ),
    ],
)
def test_a_change_is_made_in_place_or_by_replacement(
    initialized: Initialized, before: samples.Document, after: samples.Document, address: str, action: str
) -> None:
    """One argument changed; nothing else in the plan."""
    stack = initialized(samples.stack(before))
    stack.apply()
    stack.configure(samples.stack(after))
    assert stack.changes() == {address: action}


@pytest.mark.parametrize(
    ("peer", "action"),
    [({"cidr_ipv4": "10.1.0.0/16"}, "update"), ({"prefix_list_id": "pl-12345678"}, "delete, create")],
)
def test_a_rule_names_another_network_in_place_and_another_kind_of_peer_by_replacement(
    initialized: Initialized, peer: dict[str, str], action: str
) -> None:
    """A rule's source type cannot change (provider, `vpc_security_group_ingress_rule.go`)."""
    rule = {"security_group_id": "${aws_security_group.one.id}", "ip_protocol": "tcp", "from_port": 1, "to_port": 1}

    def document(**peer: str) -> samples.Document:
        return samples.stack(
            {
                "aws_security_group": {"one": {"name": "one", "vpc_id": "vpc-1"}},
                "aws_vpc_security_group_ingress_rule": {"one": {**rule, **peer}},
            }
        )

    stack = initialized(document(cidr_ipv4="10.0.0.0/16"))
    stack.apply()
    stack.configure(document(**peer))
    assert stack.changes() == {"aws_vpc_security_group_ingress_rule.one": action}


_BOTH_SUBNETS = ["${aws_subnet.a.id}", "${aws_subnet.b.id}"]


@pytest.mark.parametrize(
    ("before", "after", "replaced_by"),
    [
        pytest.param({}, {"subnets": _BOTH_SUBNETS}, None, id="one more subnet"),
        pytest.param({"subnets": _BOTH_SUBNETS}, {}, "subnets", id="one subnet less"),
        pytest.param({}, {"subnets": ["${aws_subnet.b.id}"]}, "subnets", id="another subnet"),
        pytest.param({}, {"security_groups": ["${aws_security_group.second.id}"]}, None, id="another security group"),
        pytest.param({"security_groups": []}, {}, "security_groups", id="first security group"),
        pytest.param({}, {"security_groups": []}, "security_groups", id="no security group"),
        pytest.param({}, {"internal": True}, "internal", id="scheme"),
        pytest.param({}, {"enable_cross_zone_load_balancing": True}, None, id="cross-zone"),
        pytest.param(
            {"load_balancer_type": "application", "subnets": _BOTH_SUBNETS},
            {"load_balancer_type": "application"},
            None,
            id="application load balancer, one subnet less",
        ),
    ],
)
def test_a_network_load_balancer_is_replaced_where_it_cannot_change(
    initialized: Initialized, before: dict[str, Any], after: dict[str, Any], replaced_by: str | None
) -> None:
    """More subnets and other security groups come in place; a replacement would give every streamer a new URL."""
    stack = initialized(samples.stack(samples.load_balancer(**before)))
    stack.apply()
    stack.configure(samples.stack(samples.load_balancer(**after)))
    expected = "delete, create" if replaced_by else "update"
    plan = stack.plan_json()
    assert changes_in(plan) == {"aws_lb.ingest": expected}
    assert _replaced_by(plan, "aws_lb.ingest") == ([[replaced_by]] if replaced_by else [])


@pytest.mark.parametrize(
    ("protected", "unprotected", "complaint"),
    [
        pytest.param(
            samples.load_balancer(enable_deletion_protection=True),
            samples.load_balancer(),
            "cannot be deleted because deletion protection is enabled",
            id="load balancer",
        ),
        pytest.param(
            samples.table(deletion_protection_enabled=True),
            samples.table(),
            "currently protected against deletion",
            id="table",
        ),
    ],
)
def test_fails_when_destroying_what_is_protected(
    initialized: Initialized, protected: samples.Document, unprotected: samples.Document, complaint: str
) -> None:
    """The protected resource stays in the state; without its protection it goes."""
    stack = initialized(samples.stack(protected))
    stack.apply()
    refused = stack.destroy(check=False)
    assert refused.status == 1
    assert complaint in " ".join(refused.text.split())
    kept = set(stack.attributes())
    assert kept & {"aws_lb.ingest", "aws_dynamodb_table.leases"}
    stack.configure(samples.stack(unprotected))
    stack.apply()
    stack.destroy()
    assert stack.attributes() == {}


def _delivery(**origin: Any) -> samples.Document:
    """A distribution in front of a balancer, by way of a VPC origin, and all that these stand in."""
    types = samples.every_type()
    kept = ("aws_cloudfront_distribution", "aws_cloudfront_vpc_origin", "aws_cloudfront_cache_policy")
    parts = ("aws_lb", "aws_subnet", "aws_vpc")
    document = {name: types[name] for name in (*kept, *parts)}
    document["aws_cloudfront_vpc_origin"]["one"]["vpc_origin_endpoint_config"][0].update(origin)
    return document


def test_fails_when_a_vpc_origin_is_changed_while_a_distribution_uses_it(initialized: Initialized) -> None:
    """As AWS refuses it, with 409; without the distribution the change is made."""
    document = _delivery()
    stack = initialized(samples.stack(document))
    stack.apply()
    document = _delivery(http_port=8081)
    stack.configure(samples.stack(document))

    refused = stack.apply(check=False)

    assert refused.status == 1
    assert "CannotUpdateEntityWhileInUse" in " ".join(refused.text.split())
    del document["aws_cloudfront_distribution"]
    stack.configure(samples.stack(document))
    stack.apply()
    assert stack.changes() == {}


def test_fails_when_a_vpc_origin_is_deleted_while_a_distribution_uses_it(initialized: Initialized) -> None:
    """The distribution still names it, as after a deletion out of order."""
    stack = initialized(samples.stack(_delivery()))
    stack.apply()
    document = _delivery()
    endpoint = stack.attributes()["aws_cloudfront_vpc_origin.one"]["id"]
    del document["aws_cloudfront_vpc_origin"]
    document["aws_cloudfront_distribution"]["one"]["origin"][0]["vpc_origin_config"] = {"vpc_origin_id": endpoint}
    stack.configure(samples.stack(document))

    refused = stack.apply(check=False)

    assert refused.status == 1
    assert "currently associated with one or more distributions" in " ".join(refused.text.split())


def test_fails_when_a_target_group_is_to_serve_two_balancers(initialized: Initialized) -> None:
    """AWS takes one; two listeners of the same balancer are fine."""
    types = samples.every_type()
    kept = ("aws_lb", "aws_lb_listener", "aws_lb_target_group", "aws_subnet", "aws_vpc")
    document: samples.Document = {name: types[name] for name in kept}
    listeners = document["aws_lb_listener"]
    listeners["second"] = {**listeners["one"], "port": 8081}
    stack = initialized(samples.stack(document))
    stack.apply()
    document["aws_lb"]["other"] = document["aws_lb"]["one"]
    listeners["second"] = {**listeners["second"], "load_balancer_arn": "${aws_lb.other.arn}"}
    stack.configure(samples.stack(document))

    refused = stack.apply(check=False)

    assert refused.status == 1
    assert "TargetGroupAssociationLimit" in refused.text


def test_terraform_cannot_import(initialized: Initialized) -> None:
    """There is nothing to import from, and the stand-in says so."""
    stack = initialized(samples.stack(samples.log_groups("one")))
    result = stack.run("import", "-no-color", "aws_cloudwatch_log_group.one", "one", check=False)
    assert result.status == 1
    assert "The offline stand-in cannot import" in result.text
