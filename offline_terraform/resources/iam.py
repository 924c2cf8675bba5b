"""IAM. Source: the provider's documentation of each type, and its ForceNew flags."""

from __future__ import annotations

from .checks import arn, at_most_one_of, between, json_document, matches
from .model import Making, ResourceType, generated_name

# Any instant will do; a fixed one keeps states comparable.
_CREATED = "2026-01-01T00:00:00Z"


def _unique_id(prefix: str) -> str:
    """IAM's identifiers: four letters for the kind, then 17 characters."""
    return f"{prefix}{{hex17}}"


def _provider_arn(making: Making) -> str:
    return making.fill_in("arn:aws:iam::{account}:oidc-provider/") + str(making["url"]).removeprefix("https://")


def _name(longest: int) -> tuple[str, str, str]:
    return "name", rf"[\w+=,.@-]{{1,{longest}}}", f"1 to {longest} letters, digits and +=,.@-_"


RESOURCES = {
    "aws_iam_role": ResourceType(
        force_new=("name", "name_prefix", "path"),
        computed=("managed_policy_arns", "name", "name_prefix"),
        defaults={"force_detach_policies": False, "max_session_duration": 3600, "path": "/"},
        checks=(
            matches(*_name(64)),
            at_most_one_of("name", "name_prefix"),
            between("max_session_duration", 3600, 43_200),
            json_document("assume_role_policy"),
        ),
        json_documents=("assume_role_policy",),
        values={
            "name": generated_name(),
            "name_prefix": "",
            "id": "{name}",
            "arn": "arn:aws:iam::{account}:role{path}{name}",
            "create_date": _CREATED,
            "managed_policy_arns": [],
            "unique_id": _unique_id("AROA"),
        },
    ),
    "aws_iam_role_policy": ResourceType(
        force_new=("name", "name_prefix", "role"),
        computed=("name", "name_prefix"),
        checks=(matches(*_name(128)), at_most_one_of("name", "name_prefix"), json_document("policy")),
        json_documents=("policy",),
        values={"name": generated_name(), "name_prefix": "", "id": "{role}:{name}"},
    ),
    "aws_iam_role_policy_attachment": ResourceType(
        force_new=("policy_arn", "role"),
        checks=(arn("policy_arn"),),
        values={"id": "{role}/{policy_arn}"},
    ),
    "aws_iam_policy": ResourceType(
        force_new=("description", "name", "name_prefix", "path"),
        computed=("name", "name_prefix"),
        defaults={"path": "/"},
        checks=(matches(*_name(128)), at_most_one_of("name", "name_prefix"), json_document("policy")),
        json_documents=("policy",),
        values={
            "name": generated_name(),
            "name_prefix": "",
            "arn": "arn:aws:iam::{account}:policy{path}{name}",
            "id": "{arn}",
            "attachment_count": 0,
            "policy_id": _unique_id("ANPA"),
        },
    ),
    "aws_iam_openid_connect_provider": ResourceType(
        force_new=("url",),
        computed=("thumbprint_list",),
        checks=(matches("url", r"https://.{1,247}", "an https URL of at most 255 characters"),),
        values={"arn": _provider_arn, "id": "{arn}", "thumbprint_list": lambda making: [making.fill_in("{hex40}")]},
    ),
}
