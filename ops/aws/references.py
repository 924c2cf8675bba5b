"""Is there what the configuration points at: certificates, the backend's token, the DNS zone?

Terraform takes their names on trust, and AWS refuses half-way through an apply, or the tasks do not start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ops.aws.asking import Findings, UnansweredError, ask, client, error_code

if TYPE_CHECKING:
    from collections.abc import Callable

    from config.environment import EnvironmentConfig

_NOT_FOUND = {"NoSuchHostedZone", "ResourceNotFoundException"}


def look_at_references(config: EnvironmentConfig) -> Findings:
    """Look at each that is configured; one that AWS does not show is a note.

    Raises:
        SignedOutError: the credentials ended.
    """
    findings = Findings()
    looks: list[tuple[bool, Callable[[EnvironmentConfig], list[str]]]] = [
        (config.viewer.certificate_arn is not None, _viewer_certificate),
        (config.ingest.certificate_arn is not None, _ingest_certificate),
        (config.backend.token_secret_arn is not None, _token),
        (config.dns is not None, _hosted_zone),
    ]
    for configured, look in looks:
        try:
            if configured:
                findings.problems += look(config)
        except UnansweredError as error:
            findings.notes.append(f"not looked at: {error}")
    return findings


def _viewer_certificate(config: EnvironmentConfig) -> list[str]:
    # CloudFront takes certificates from there.
    return _certificate(config, "viewer", config.viewer.certificate_arn, config.viewer.domain_name, "us-east-1")


def _ingest_certificate(config: EnvironmentConfig) -> list[str]:
    return _certificate(config, "ingest", config.ingest.certificate_arn, config.ingest.domain_name, config.aws.region)


def _certificate(
    config: EnvironmentConfig, section: str, arn: str | None, domain: str | None, region: str
) -> list[str]:
    acm = client(config, "acm", region)
    answer = _found(lambda: acm.describe_certificate(CertificateArn=arn), "a certificate (acm:DescribeCertificate)")
    key = f"{section}.certificate_arn = {arn}"
    if answer is None:
        return [f"{key}: there is no such certificate in {region}"]
    certificate = answer["Certificate"]
    if certificate["Status"] != "ISSUED":
        return [f"{key}: is {certificate['Status']}, must be ISSUED (its validation record must be in the DNS zone)"]
    names = {certificate["DomainName"], *certificate.get("SubjectAlternativeNames", [])}
    if domain is not None and not names & {domain, "*." + domain.partition(".")[2]}:
        return [f"{key}: is for {', '.join(sorted(names))}, and not for {section}.domain_name = {domain}"]
    return []


def _token(config: EnvironmentConfig) -> list[str]:
    secrets, arn = client(config, "secretsmanager"), config.backend.token_secret_arn
    answer = _found(lambda: secrets.describe_secret(SecretId=arn), "the secret (secretsmanager:DescribeSecret)")
    if answer is None:
        return [f"backend.token_secret_arn = {arn}: there is no such secret, no task could start"]
    if "DeletedDate" in answer:
        return [f"backend.token_secret_arn = {arn}: is scheduled for deletion, no task could start"]
    return []


def _hosted_zone(config: EnvironmentConfig) -> list[str]:
    assert config.dns is not None
    route53, dns = client(config, "route53"), config.dns
    answer = _found(lambda: route53.get_hosted_zone(Id=dns.hosted_zone_id), "the DNS zone (route53:GetHostedZone)")
    if answer is None:
        return [f"dns.hosted_zone_id = {dns.hosted_zone_id}: there is no such zone in this account"]
    name = str(answer["HostedZone"]["Name"]).rstrip(".")
    if name != dns.hosted_zone_name:
        return [f"dns.hosted_zone_id = {dns.hosted_zone_id}: is {name}, and not {dns.hosted_zone_name}"]
    return []


def _found(question: Callable[[], Any], what: str) -> Any:
    """The answer, or None when there is no such thing."""

    def asked() -> Any:
        try:
            return question()
        except ClientError as error:
            if error_code(error) in _NOT_FOUND:
                return None
            raise

    return ask(asked, what)
