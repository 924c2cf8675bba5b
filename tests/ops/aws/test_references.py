"""What the configuration points at: certificates, a secret, a DNS zone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from config.environment import EnvironmentConfig
from ops.aws.references import look_at_references
from tests.ops.account import DEV, REGION

if TYPE_CHECKING:
    from tests.local_aws import LocalAws
    from tests.ops.account import Account

NOWHERE = f"arn:aws:acm:{REGION}:123456789012:certificate/00000000-0000-0000-0000-000000000000"


def dev_with(**sections: dict[str, Any]) -> EnvironmentConfig:
    document = DEV.model_dump()
    for section, keys in sections.items():
        document[section] = {**(document.get(section) or {}), **keys}
    return EnvironmentConfig.model_validate(document)


def problems(**sections: dict[str, Any]) -> list[str]:
    return look_at_references(dev_with(**sections)).problems


def test_an_environment_that_points_at_nothing_asks_nothing(asking: Account) -> None:
    findings = look_at_references(DEV)

    assert (findings.problems, findings.notes, asking.asked) == ([], [], [])


@pytest.mark.parametrize("name", ["ingest.example.com", "*.example.com"])
def test_an_issued_certificate_for_the_name_is_fine(asking: Account, name: str) -> None:
    asking.certificate = {"Status": "ISSUED", "DomainName": name}

    assert problems(ingest={"certificate_arn": NOWHERE, "domain_name": "ingest.example.com"}) == []
    assert asking.asked == ["DescribeCertificate"]


def test_fails_when_the_certificate_is_for_another_name(asking: Account) -> None:
    """A wildcard is for one level only."""
    asking.certificate = {"Status": "ISSUED", "DomainName": "*.example.com"}

    (problem,) = problems(ingest={"certificate_arn": NOWHERE, "domain_name": "a.b.example.com"})

    assert problem.endswith(": is for *.example.com, and not for ingest.domain_name = a.b.example.com")


def test_fails_when_there_is_no_such_certificate(asking: Account) -> None:
    assert problems(ingest={"certificate_arn": NOWHERE, "domain_name": "ingest.example.com"}) == [
        f"ingest.certificate_arn = {NOWHERE}: there is no such certificate in {REGION}"
    ]
    assert asking.asked


def test_fails_when_the_certificate_waits_for_validation(asking: Account) -> None:
    asking.certificate = {"Status": "PENDING_VALIDATION", "DomainName": "ingest.example.com"}

    (problem,) = problems(ingest={"certificate_arn": NOWHERE, "domain_name": "ingest.example.com"})

    assert "is PENDING_VALIDATION, must be ISSUED" in problem


def test_fails_when_the_token_is_gone(asking: Account, aws: LocalAws) -> None:
    """Never made, or deleted and waiting for its end: no task would start."""
    secrets = aws.client("secretsmanager")
    arn = secrets.create_secret(Name="token", SecretString="t")["ARN"]
    assert problems(backend={"token_secret_arn": arn}) == []

    secrets.delete_secret(SecretId=arn)
    assert problems(backend={"token_secret_arn": arn})[0].endswith("is scheduled for deletion, no task could start")

    missing = arn.replace("token", "tokem")
    assert problems(backend={"token_secret_arn": missing})[0].endswith("there is no such secret, no task could start")
    assert asking.asked == ["DescribeSecret"] * 3


def test_fails_when_the_zone_is_another_one(asking: Account) -> None:
    asking.hosted_zones = {"Z0123456789": "example.com"}
    dns = {"hosted_zone_id": "Z0123456789", "hosted_zone_name": "example.com"}
    ingest = {"domain_name": "ingest.example.com"}
    assert problems(dns=dns, ingest=ingest) == []

    other = {"domain_name": "ingest.shop.example"}
    assert problems(dns={**dns, "hosted_zone_name": "shop.example"}, ingest=other) == [
        "dns.hosted_zone_id = Z0123456789: is example.com, and not shop.example"
    ]
    assert problems(dns={**dns, "hosted_zone_id": "Z0000000000"}, ingest=ingest) == [
        "dns.hosted_zone_id = Z0000000000: there is no such zone in this account"
    ]


def test_what_may_not_be_looked_at_is_told(asking: Account) -> None:
    """And the next one is looked at."""
    asking.refused["DescribeCertificate"] = "AccessDeniedException"
    secret = f"arn:aws:secretsmanager:{REGION}:123456789012:secret:token-AbCdEf"

    findings = look_at_references(
        dev_with(
            ingest={"certificate_arn": NOWHERE, "domain_name": "ingest.example.com"},
            backend={"token_secret_arn": secret},
        )
    )

    assert findings.notes == ["not looked at: a certificate (acm:DescribeCertificate): AccessDeniedException"]
    assert len(findings.problems) == 1
