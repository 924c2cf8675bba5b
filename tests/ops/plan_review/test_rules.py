"""Each rule with a plan that it is about and one that almost is: real plans of changes that no setting makes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from ops.plan_review.effect import Broadcasts, Urls, Verdict
from ops.plan_review.judging import judge, verdict
from ops.plan_review.reading import plan_in
from tests.ops.plan_review.plans import (
    Change,
    Plans,
    added,
    container_edited,
    edited,
    renamed,
    statement_edited,
    without,
)

if TYPE_CHECKING:
    from ops.plan_review.judging import Judgement
    from stacks.document import Json


pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


class Case(NamedTuple):
    """A change, and a rule that speaks of it, or does not."""

    change: Change
    rule: str
    speaks: bool = True
    verdict: Verdict = Verdict.NEEDS_APPROVAL  # of the rule's worst effect
    broadcasts: Broadcasts = Broadcasts.NONE
    urls: frozenset[Urls] = frozenset()
    stack: str = "Streaming"
    before: tuple[Change, ...] = ()


def almost(change: Change, rule: str, **more: Any) -> Case:
    return Case(change, rule, speaks=False, **more)


def policy(edit: Any) -> Change:
    """Edit the parameters of the cache policy of playlists."""
    return edited("aws_cloudfront_cache_policy", "CachePolicies_Playlists", edit)


def query_strings(*names: str) -> Change:
    def edit(resource: Json) -> None:
        _parameters(resource)["query_strings_config"]["query_strings"]["items"] = list(names)

    return policy(edit)


def _parameters(resource: Json) -> Json:
    block = resource["parameters_in_cache_key_and_forwarded_to_origin"]
    found: Json = block[0] if isinstance(block, list) else block
    return found


def without_groups(resource: Json) -> None:
    del resource["security_groups"]


def read_time_out(seconds: int) -> Change:
    def edit(resource: Json) -> None:
        (origin,) = resource["origin"]
        origin["vpc_origin_config"]["origin_read_timeout"] = seconds

    return edited("aws_cloudfront_distribution", "", edit)


def alarm_deleted(document: Json) -> None:
    """With what shows it: the dashboard names each alarm."""
    (name,) = (id_ for id_ in document["resource"][ALARM[0]] if id_.startswith(ALARM[1]))
    del document["resource"][ALARM[0]][name]
    text = json.dumps(document).replace(
        f"${{{ALARM[0]}.{name}.arn}}", "arn:aws:cloudwatch:eu-west-3:210987654321:alarm:x"
    )
    document.clear()
    document.update(json.loads(text))


def certificate_dropped(resource: Json) -> None:
    resource["viewer_certificate"] = {"cloudfront_default_certificate": True}
    del resource["aliases"]


ALARM = ("aws_cloudwatch_metric_alarm", "Alarms_NoHealthyIngestTarget")
INGEST, PLAYBACK = ("aws_lb", "Ingest"), ("aws_lb", "Playback")
SERVICE = ("aws_ecs_service", "")
ALL, ONCE = Broadcasts.ALL_CUT, Broadcasts.CUT_ONCE
STREAMERS = frozenset({Urls.STREAMERS})
NO_NAME: Change = {
    "ingest": {"domain_name": None, "certificate_arn": None},
    "viewer": {"domain_name": None, "certificate_arn": None},
    "dns": None,
}


CASES = {
    # the ingest balancer
    "balancer's name": Case(edited(*INGEST, name="rtmp-nlb-new"), "ingest-load-balancer-goes", broadcasts=ALL),
    "balancer's name, in the address": Case(
        edited(*INGEST, name="rtmp-nlb-new"),
        "ingest-load-balancer-goes",
        broadcasts=ALL,
        urls=STREAMERS,
        before=(NO_NAME,),
    ),
    "playback balancer's name": almost(edited(*PLAYBACK, name="hls-alb-new"), "ingest-load-balancer-goes"),
    "balancer's scheme": Case(edited(*INGEST, internal=True), "ingest-load-balancer-goes", broadcasts=ALL),
    "first security groups": Case(
        edited(*INGEST, security_groups=["${aws_security_group.SecurityGroups_Ingest_F1E5E7C2.id}"]),
        "ingest-load-balancer-goes",
        broadcasts=ALL,
        before=(edited(*INGEST, without_groups),),
    ),
    "zones crossed": Case(
        edited(*INGEST, enable_cross_zone_load_balancing=False), "ingest-cross-zone-off", broadcasts=ONCE
    ),
    "balancer's tags": almost(edited(*INGEST, tags={"Owner": "us"}), "ingest-load-balancer-goes"),
    # listeners and target groups
    "listener's port": Case(
        edited("aws_lb_listener", "Ingest_RtmpListener", port=1936), "ingest-listener", broadcasts=ALL, urls=STREAMERS
    ),
    "listener's certificate": almost(
        {"ingest": {"certificate_arn": "arn:aws:acm:eu-west-3:210987654321:certificate/other"}}, "ingest-listener"
    ),
    "target group's port": Case(
        edited("aws_lb_target_group", "Ingest", port=1936),
        "ingest-target-group-goes",
        verdict=Verdict.WAIT,
        broadcasts=ONCE,
    ),
    "drain longer": almost(edited("aws_lb_target_group", "Ingest", deregistration_delay="3600"), "drain-shortened"),
    "drain shorter": Case(edited("aws_lb_target_group", "Ingest", deregistration_delay="30"), "drain-shortened"),
    # the service and its tasks
    "service's name": Case(edited(*SERVICE, name="other"), "service-goes", broadcasts=ALL),
    "image": almost(container_edited(image="example.com/rtmp:2"), "service-goes"),
    "image, safe": Case(container_edited(image="example.com/rtmp:2"), "new-task-definition", verdict=Verdict.SAFE_NOW),
    "stop shorter": Case(container_edited(stopTimeout=30), "stop-shortened"),
    "health check later": almost(edited(*SERVICE, health_check_grace_period_seconds=300), "deployment-shield"),
    "no rollback": Case(
        edited(*SERVICE, deployment_circuit_breaker={"enable": True, "rollback": False}), "deployment-shield"
    ),
    # security groups
    "a peer for tasks": Case(
        added(
            "aws_vpc_security_group_ingress_rule",
            "Extra",
            "SecurityGroups_TaskHls",
            cidr_ipv4="10.0.0.0/8",
            referenced_security_group_id=None,
        ),
        "security-group-widened",
    ),
    "a publisher more": Case(
        {"ingest": {"publisher_cidrs": ["203.0.113.0/24", "198.51.100.7/32", "192.0.2.0/24"]}},
        "security-group-widened",
        verdict=Verdict.SAFE_NOW,
    ),
    "a publisher less": almost(
        {"ingest": {"publisher_cidrs": ["203.0.113.0/24", "198.51.100.7/32", "192.0.2.0/24"]}},
        "security-group-rule-goes",
    ),
    # CloudFront
    "playlists kept longer": Case(
        edited("aws_cloudfront_cache_policy", "CachePolicies_Playlists", max_ttl=60), "playlist-ttl", broadcasts=ALL
    ),
    "playlists kept shorter": almost(
        edited("aws_cloudfront_cache_policy", "CachePolicies_Playlists", max_ttl=1), "playlist-ttl"
    ),
    "_HLS_part out of the key": Case(query_strings("_HLS_msn", "_HLS_skip"), "cache-key", broadcasts=ALL),
    "directives in another order": almost(query_strings("_HLS_skip", "_HLS_part", "_HLS_msn"), "cache-key"),
    "answers awaited for 4 s": Case(read_time_out(4), "origin-read-timeout"),
    "answers awaited for 20 s": almost(read_time_out(20), "origin-read-timeout"),
    "viewers' certificate gone": Case(
        edited("aws_cloudfront_distribution", "", certificate_dropped),
        "viewer-alias",
        urls=frozenset({Urls.VIEWERS}),
    ),
    "more edges": almost(
        {"viewer": {"price_class": "PriceClass_All"}},
        "price-class",
        before=({"viewer": {"price_class": "PriceClass_100"}},),
    ),
    "CORS for one more": almost({"viewer": {"cors_origins": ["*"]}}, "cors-removed"),
    # network
    "a subnet's zone": almost(edited("aws_subnet", "Network_PublicSubnetA", tags={"Name": "other"}), "subnet-goes"),
    "address of a NAT gateway": Case(edited("aws_eip", "Network_NatAddressA", domain="standard"), "way-out"),
    # storage
    "leases' name": Case(edited("aws_dynamodb_table", "Leases", name="other"), "leases-table", broadcasts=ONCE),
    "leases protected": almost({"protection": {"deletion_protection": True}}, "leases-table"),
    "leases unprotected": Case(
        {"protection": {"deletion_protection": False}},
        "protection-from-deletion",
        before=({"protection": {"deletion_protection": True}},),
    ),
    "tags of images move": Case(
        edited("aws_ecr_repository", "", image_tag_mutability="MUTABLE"), "images", stack="Bootstrap"
    ),
    "repository's name": Case(edited("aws_ecr_repository", "", name="other"), "images", stack="Bootstrap"),
    "images scanned": almost(
        edited("aws_ecr_repository", "", image_scanning_configuration={"scan_on_push": False}),
        "images",
        stack="Bootstrap",
    ),
    "logs kept longer": almost({"observability": {"log_retention_days": 3653}}, "logs"),
    # alarms
    "an alarm goes": Case(alarm_deleted, "alarms"),
    "an alarm is silent": Case(without(*ALARM, "alarm_actions"), "alarms"),
    "an alarm's words": almost(edited(*ALARM, alarm_description="other"), "alarms"),
    # permissions
    "any table": Case(statement_edited("Roles_TaskPolicyDocument", "Leases", resources=["*"]), "permissions"),
    "another statement id": almost(statement_edited("Roles_TaskPolicyDocument", "Leases", sid="Other"), "permissions"),
    # a construct under another name
    "table renamed in code": Case(renamed("aws_dynamodb_table", "Leases", "Store_12345678"), "renamed-construct"),
    "table replaced": almost(edited("aws_dynamodb_table", "Leases", name="other"), "renamed-construct"),
}


def judged(plans: Plans, case: Case) -> Judgement:
    return judge(plan_in(plans.of(case.change, before=case.before, stack=case.stack), source="plan"))


@pytest.mark.parametrize("name", CASES)
def test_a_rule_speaks_of_what_it_is_about_and_of_nothing_else(plans: Plans, name: str) -> None:
    case = CASES[name]

    judgement = judged(plans, case)

    said = [effect for effect in judgement.effects if effect.rule == case.rule]
    assert bool(said) is case.speaks, [effect.rule for effect in judgement.effects]
    assert judgement.not_judged == ()
    if case.speaks:
        assert max(effect.verdict for effect in said) is case.verdict
        assert max(effect.broadcasts for effect in said) is case.broadcasts
        assert frozenset().union(*(effect.urls for effect in said)) == case.urls


def test_the_line_that_moves_a_renamed_construct_is_ready_to_be_pasted(plans: Plans) -> None:
    (effect,) = (e for e in judged(plans, CASES["table renamed in code"]).effects if e.rule == "renamed-construct")

    assert effect.paste == f'.move_from_id("{effect.changes[1].address}")'
    assert effect.changes[0].address == "aws_dynamodb_table.Store_12345678"


@pytest.mark.parametrize("stack", ["Streaming", "Bootstrap"])
def test_a_new_environment_is_safe(plans: Plans, stack: str) -> None:
    """Where nothing is, there is nobody whom the plan could hurt."""
    judgement = judge(plan_in(plans.first(stack=stack), source="plan"))

    assert (judgement.effects, judgement.not_judged) == ((), ())
    assert verdict(judgement) is Verdict.SAFE_NOW


def test_what_no_rule_has_looked_at_needs_approval(plans: Plans) -> None:
    """A setting of the container, an attribute, a type: each by its name."""
    unknown = container_edited(environment={"NEW": "1"})

    judgement = judge(plan_in(plans.of(unknown), source="plan"))

    paths = [path for entry in judgement.not_judged for path in entry.paths]
    assert paths == [("container_definitions", "RTMPContainer", "environment", "NEW")]
    assert verdict(judgement) is Verdict.NEEDS_APPROVAL
