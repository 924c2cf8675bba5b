"""The provider's own configuration: account, default tags, aliases; and data sources."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from offline_terraform import samples
from offline_terraform.engine import OfflineTerraform, Way

if TYPE_CHECKING:
    from collections.abc import Callable

    from offline_terraform.engine import Stack

    Initialized = Callable[[samples.Document], Stack]

pytestmark = pytest.mark.slow

_BOTH: list[samples.Document] = [
    {**samples.PROVIDER, "default_tags": [{"tags": {"Environment": "dev", "Owner": "platform"}}]},
    {"alias": "global", "region": "us-east-1", "default_tags": [{"tags": {"Environment": "shared"}}]},
]


def _tagged(tags: dict[str, str]) -> samples.Document:
    return samples.stack(samples.log_groups("one", tags=tags), providers=_BOTH[:1])


def test_default_tags_reach_every_resource_and_yield_to_its_own(initialized: Initialized) -> None:
    stack = initialized(_tagged({"Owner": "live", "Name": "one"}))
    stack.apply()
    group = stack.attributes()["aws_cloudwatch_log_group.one"]
    assert group["tags"] == {"Owner": "live", "Name": "one"}
    assert group["tags_all"] == {"Environment": "dev", "Owner": "live", "Name": "one"}


def test_changed_default_tags_update_in_place(initialized: Initialized) -> None:
    document = _tagged({})
    stack = initialized(document)
    stack.apply()
    document["provider"]["aws"] = [{**samples.PROVIDER, "default_tags": [{"tags": {"Environment": "prod"}}]}]
    stack.configure(document)
    assert stack.changes() == {"aws_cloudwatch_log_group.one": "update"}


@pytest.mark.parametrize("way", ["reattach", "mirror"])
def test_aliases_keep_their_regions_and_tags_apart(way: Way) -> None:
    """Two configured providers in one run, also where one process of the stand-in serves both."""
    here = {name: {"name": name} for name in ("here1", "here2", "here3")}
    there = {name: {"name": name, "provider": "aws.global"} for name in ("there1", "there2", "there3")}
    document = samples.stack({"aws_cloudwatch_log_group": {**here, **there}}, providers=_BOTH)
    with OfflineTerraform(way=way) as engine:
        stack = engine.stack(document)
        stack.init()
        stack.apply()
        groups = stack.attributes()
    assert len(groups) == 6
    for address, group in groups.items():
        near = ".here" in address
        assert group["region"] == ("ap-northeast-2" if near else "us-east-1")
        assert group["arn"].split(":")[3] == group["region"]
        assert group["tags_all"]["Environment"] == ("dev" if near else "shared")


@pytest.mark.parametrize(
    "argument",
    [
        {"allowed_account_ids": ["210987654321"]},
        {"allowed_account_ids": None, "forbidden_account_ids": ["123456789012"]},
    ],
    ids=["not allowed", "forbidden"],
)
def test_fails_when_the_account_is_the_wrong_one(initialized: Initialized, argument: dict[str, Any]) -> None:
    """Before anything is planned, in the provider's own words."""
    provider = {**samples.PROVIDER, **argument}
    stack = initialized(samples.stack(samples.log_groups("one"), providers=[provider]))
    result = stack.apply(check=False)
    assert result.status == 1
    assert "Error: AWS account ID not allowed: 123456789012" in result.text
    assert "will be created" not in result.text
    assert stack.attributes() == {}


def test_the_account_is_the_one_asked_for() -> None:
    provider = {**samples.PROVIDER, "allowed_account_ids": ["210987654321"]}
    outputs = {"account": "${data.aws_caller_identity.me.account_id}"}
    document = samples.stack(data={"aws_caller_identity": {"me": {}}}, outputs=outputs, providers=[provider])
    with OfflineTerraform(account="210987654321") as engine:
        stack = engine.stack(document)
        stack.init()
        stack.apply()
        assert stack.outputs() == {"account": "210987654321"}


_STATEMENTS = [
    {"sid": "One", "actions": ["s3:GetObject"], "resources": ["arn:aws:s3:::media/&{aws:username}/*"]},
    {
        "sid": "Many",
        "effect": "Deny",
        "actions": ["s3:PutObject", "s3:DeleteObject"],
        "not_resources": ["*"],
        "principals": [
            {"type": "Service", "identifiers": ["ecs-tasks.amazonaws.com"]},
            {"type": "AWS", "identifiers": ["arn:aws:iam::1:root", "arn:aws:iam::2:root"]},
        ],
        "condition": [
            {"test": "StringEquals", "variable": "aws:SourceAccount", "values": ["1"]},
            {"test": "StringEquals", "variable": "aws:PrincipalTag/team", "values": ["live", "core"]},
            {"test": "Bool", "variable": "aws:SecureTransport", "values": ["false"]},
        ],
    },
    {"actions": ["sts:AssumeRole"], "not_principals": [{"type": "*", "identifiers": ["*"]}]},
]
_DOCUMENT = {
    "Version": "2012-10-17",
    "Id": "media",
    "Statement": [
        {
            "Sid": "One",
            "Effect": "Allow",
            "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::media/${aws:username}/*",
        },
        {
            "Sid": "Many",
            "Effect": "Deny",
            "Action": ["s3:PutObject", "s3:DeleteObject"],
            "NotResource": "*",
            "Principal": {
                "AWS": ["arn:aws:iam::2:root", "arn:aws:iam::1:root"],
                "Service": "ecs-tasks.amazonaws.com",
            },
            "Condition": {
                "Bool": {"aws:SecureTransport": "false"},
                "StringEquals": {"aws:PrincipalTag/team": ["live", "core"], "aws:SourceAccount": "1"},
            },
        },
        {"Effect": "Allow", "Action": "sts:AssumeRole", "NotPrincipal": "*"},
    ],
}


def _policies(**documents: Any) -> samples.Document:
    outputs = {name: f"${{data.aws_iam_policy_document.{name}.json}}" for name in documents}
    return samples.stack(data={"aws_iam_policy_document": documents}, outputs=outputs)


def test_policy_documents_are_rendered_as_the_provider_renders_them(initialized: Initialized) -> None:
    """One is a string, several are a list from the last letter to the first, `&{` is `${`; keys keep their order."""
    stack = initialized(_policies(media={"policy_id": "media", "statement": _STATEMENTS}))
    stack.apply()
    # The text, not the parsed document: its order and indentation are what a diff shows.
    assert stack.outputs()["media"] == json.dumps(_DOCUMENT, indent=2)


def test_policy_documents_merge_by_statement_id(initialized: Initialized) -> None:
    def allow(sid: str, action: str) -> list[dict[str, Any]]:
        return [{"sid": sid, "actions": [action], "resources": ["*"]}]

    stack = initialized(
        _policies(
            base={"statement": [*allow("A", "s3:Get*"), *allow("B", "s3:Put*")]},
            override={"statement": allow("C", "s3:List*")},
            merged={
                "source_policy_documents": ["${data.aws_iam_policy_document.base.json}"],
                "override_policy_documents": ["${data.aws_iam_policy_document.override.json}"],
                "statement": [*allow("B", "ecs:Stop*"), *allow("C", "ecs:List*")],
            },
        )
    )
    stack.apply()
    statements = json.loads(stack.outputs()["merged"])["Statement"]
    assert [(each["Sid"], each["Action"]) for each in statements] == [
        ("A", "s3:Get*"),
        ("B", "ecs:Stop*"),
        ("C", "s3:List*"),
    ]


def test_fails_when_two_statements_share_an_id(initialized: Initialized) -> None:
    statement = {"sid": "Same", "actions": ["s3:*"], "resources": ["*"]}
    result = initialized(_policies(one={"statement": [statement, {**statement, "actions": ["ec2:*"]}]})).plan(
        check=False
    )
    assert result.status == 1
    assert "duplicate Sid (Same)" in result.text


def test_data_sources_answer_the_same_each_time(initialized: Initialized) -> None:
    """A plan right after an apply reads them anew and finds nothing to change."""
    data = {
        "aws_availability_zones": {"here": {"state": "available"}},
        "aws_caller_identity": {"me": {}},
        "aws_ec2_managed_prefix_list": {"cloudfront": {"name": "com.amazonaws.global.cloudfront.origin-facing"}},
        "aws_ecr_image": {"rtmp": {"repository_name": "rtmp", "image_tag": "1.0"}},
        "aws_partition": {"here": {}},
        "aws_region": {"here": {}},
        "aws_route53_zone": {"live": {"name": "live.example.com"}},
    }
    outputs = {
        "zones": "${slice(data.aws_availability_zones.here.names, 0, 2)}",
        "region": "${data.aws_region.here.region}",
        "image": "${data.aws_ecr_image.rtmp.image_uri}",
        "prefix_list": "${data.aws_ec2_managed_prefix_list.cloudfront.id}",
        "zone": "${data.aws_route53_zone.live.zone_id}",
    }
    stack = initialized(samples.stack(data=data, outputs=outputs))
    stack.apply()
    first = stack.outputs()
    assert first["zones"] == ["ap-northeast-2a", "ap-northeast-2b"]
    assert first["region"] == "ap-northeast-2"
    assert first["image"].startswith("123456789012.dkr.ecr.ap-northeast-2.amazonaws.com/rtmp@sha256:")
    assert first["prefix_list"].startswith("pl-")
    stack.apply()
    assert stack.outputs() == first


def test_fails_when_aws_has_no_such_prefix_list(initialized: Initialized) -> None:
    document = samples.stack(data={"aws_ec2_managed_prefix_list": {"one": {"name": "com.amazonaws.global.nothing"}}})
    result = initialized(document).plan(check=False)
    assert result.status == 1
    assert "no matching EC2 Managed Prefix List found" in result.text
