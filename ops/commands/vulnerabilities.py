"""What ECR's scanner knows of an image: waited for, shown, and a failure where something can and should be done.

ECR scans images, not the index round them that a push with attestations makes: asked for is each image in it, one for
each processor. Sources: ECR user guide, "Scan images for software vulnerabilities"; ECR API, DescribeImageScanFindings.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ops.aws.asking import UnansweredError, ask, client, error_code
from ops.aws.credentials import check_credentials
from ops.aws.image import image_digests
from ops.commands.accepted_vulnerabilities import read_accepted
from ops.environment import find_environment, with_account
from ops.errors import FailedError
from ops.terminal import result, say

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from config.environment import EnvironmentConfig
    from ops.commands.accepted_vulnerabilities import Accepted

SCAN_MINUTES = 10.0  # a scan on push is done after one or two
SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW")  # those that can be asked for, the worst first
_ORDER = (*SEVERITIES, "INFORMATIONAL")  # UNDEFINED, UNTRIAGED and the like come after
_DONE = {"COMPLETE", "ACTIVE"}  # basic and enhanced scanning's words for it
_GOES_ON = {"", "IN_PROGRESS", "PENDING"}
_OLD = timedelta(days=1)  # of a basic scan, which knows what was known then; a new one is allowed once a day
_NOT_STARTED = {"LimitExceededException", "ValidationException"}  # it was today, or enhanced scanning does it by itself
_NO_FIX = {"", "NotAvailable"}
_PAUSE_SECONDS = 5.0
_REMIND_SECONDS = 30.0
_MOST_PAGES = 50
_PAGE = 1000
_CELL_CHARACTERS = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Vulnerability:
    """One known vulnerability in one package."""

    id: str  # CVE-...
    severity: str
    package: str
    version: str
    fixed_in: str | None  # "" there is no fix; None: the scanner does not say


@dataclass(frozen=True, kw_only=True, slots=True)
class Review:
    """Sorted out: what must be dealt with, what was accepted, what of the list nothing needs any more."""

    failing: Sequence[Vulnerability]
    accepted: Sequence[Vulnerability]
    unused: Sequence[Accepted]


def print_vulnerabilities(
    name: str,
    *,
    digest: str | None,
    severity: str,
    accepted: Path,
    wait_minutes: float = SCAN_MINUTES,
) -> None:
    """Print what is known of the configured image, or of the one with that digest.

    Raises:
        FailedError: something as severe as that, or worse, has a fix and was not accepted; or there is no scan.
    """
    listed = read_accepted(accepted)
    config = with_account(find_environment(name))
    check_credentials(config)
    try:
        digests = image_digests(config, digest)
        found = sorted(
            {each for one in digests for each in vulnerabilities(config, one, wait_minutes)}, key=_worst_first
        )
    except UnansweredError as error:
        raise FailedError(f"AWS does not tell: {error}") from None
    judged = review(found, listed, severity)
    if found:
        result(table(found))
    counts = Counter(each.severity for each in found)
    say(f"vulnerabilities: {', '.join(f'{counts[each]} {each}' for each in sorted(counts, key=_rank)) or 'none known'}")
    if any(each.fixed_in is None for each in found):
        say("vulnerabilities: basic scanning does not say what has a fix, so all count (docs/security.md)")
    for entry in judged.unused:
        say(
            f"vulnerabilities: {accepted.name}: {entry.id} is not found any more, or {entry.until} is past: take it out"
        )
    if judged.failing:
        raise FailedError(
            f"{len(judged.failing)} of {severity} or worse must be dealt with ({len(judged.accepted)} are accepted): "
            f"scripts/build-and-push-image.sh {name} {config.aws.region} --rebuild takes Debian's fixes in; "
            f"what stays needs an entry in {accepted.name}"
        )


def vulnerabilities(config: EnvironmentConfig, digest: str, wait_minutes: float) -> list[Vulnerability]:
    """All that the scanner found in an image, the worst first; waits for the scan.

    Raises:
        FailedError: it was not scanned.
        UnansweredError: AWS did not tell.
    """
    _wait_for_scan(config, digest, wait_minutes * 60)
    ecr = client(config, "ecr")

    def read() -> list[Vulnerability]:
        pages = ecr.get_paginator("describe_image_scan_findings").paginate(
            **_image(config, digest), PaginationConfig={"PageSize": _PAGE}
        )
        found: set[Vulnerability] = set()
        for _, page in zip(range(_MOST_PAGES), pages, strict=False):
            findings = page.get("imageScanFindings", {})
            found.update(_basic(each) for each in findings.get("findings", []))
            for each in findings.get("enhancedFindings", []):
                found.update(_enhanced(each))
        return sorted(found, key=_worst_first)

    return ask(read, "the scan (ecr:DescribeImageScanFindings)")


def review(found: Sequence[Vulnerability], listed: Sequence[Accepted], severity: str) -> Review:
    """Match what was found with the list of what was accepted."""
    today = datetime.now(UTC).date()
    counting = [each for each in found if _rank(each.severity) <= _rank(severity) and each.fixed_in != ""]
    accepted = [each for each in counting if any(entry.covers(each.id, each.package, today) for entry in listed)]
    return Review(
        failing=[each for each in counting if each not in accepted],
        accepted=accepted,
        unused=[entry for entry in listed if not any(entry.covers(each.id, each.package, today) for each in found)],
    )


def table(found: Iterable[Vulnerability]) -> str:
    """One line each, for people."""
    rows = [("SEVERITY", "PACKAGE", "VERSION", "FIXED IN", "ID")]
    for each in found:
        fixed_in = "not said" if each.fixed_in is None else each.fixed_in or "-"
        rows.append((each.severity, each.package, each.version, fixed_in, each.id))
    rows = [tuple(" ".join(cell.split())[:_CELL_CHARACTERS] for cell in row) for row in rows]  # type: ignore[misc] # a tuple of cells stays one
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        "  ".join([*(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)), row[4]]) for row in rows
    )


def _worst_first(one: Vulnerability) -> tuple[int, str, str, str]:
    return _rank(one.severity), one.package, one.id, one.version


def _rank(severity: str) -> int:
    return _ORDER.index(severity) if severity in _ORDER else len(_ORDER)


def _image(config: EnvironmentConfig, digest: str) -> dict[str, Any]:
    return {
        "registryId": config.aws.account,
        "repositoryName": config.repository_name,
        "imageId": {"imageDigest": digest},
    }


def _wait_for_scan(config: EnvironmentConfig, digest: str, seconds: float) -> None:
    say(f"vulnerabilities: waiting for the scan of {digest} (at most {seconds / 60:g} minutes) ...")
    began = shown_at = time.monotonic()
    shown, asked_for = "", False
    while True:
        status, why, old = _status(config, digest)
        if status in _DONE and (asked_for or not old):
            return
        if status not in _DONE | _GOES_ON:
            raise FailedError(f"{digest} was not scanned: {status} ({why or 'ECR gives no reason'})")
        if not asked_for and (old or not status):
            asked_for = True
            _start(config, digest)
        now = time.monotonic()
        if now - began >= seconds:
            raise FailedError(f"{digest} was not scanned within {seconds / 60:g} minutes: {status or 'no scan'}")
        if status != shown or now - shown_at > _REMIND_SECONDS:
            say(f"vulnerabilities: {now - began:3.0f} s: {status or 'no scan so far'}")
            shown, shown_at = status, now
        time.sleep(min(_PAUSE_SECONDS, seconds - (now - began)))


def _status(config: EnvironmentConfig, digest: str) -> tuple[str, str, bool]:
    """The scan's status ("" when there is none), what ECR says of it, and whether it is an old one."""
    ecr = client(config, "ecr")

    def look() -> dict[str, Any]:
        try:
            answer: dict[str, Any] = ecr.describe_image_scan_findings(**_image(config, digest), maxResults=1)
        except ClientError as error:
            if error_code(error) == "ScanNotFoundException":
                return {}
            raise
        return answer

    answer = ask(look, "the scan (ecr:DescribeImageScanFindings)")
    status = answer.get("imageScanStatus", {})
    completed = answer.get("imageScanFindings", {}).get("imageScanCompletedAt")
    old = status.get("status") == "COMPLETE" and completed is not None and datetime.now(UTC) - completed > _OLD
    return status.get("status", ""), " ".join(status.get("description", "").split()), old


def _start(config: EnvironmentConfig, digest: str) -> None:
    """ECR scans what is pushed; images in an index, and old ones, it may have passed over."""
    ecr = client(config, "ecr")

    def start() -> None:
        try:
            ecr.start_image_scan(**_image(config, digest))
        except ClientError as error:
            if error_code(error) not in _NOT_STARTED:
                raise

    try:
        ask(start, "a scan (ecr:StartImageScan)")
    except UnansweredError as error:
        if not error.denied:
            raise
        say(f"vulnerabilities: cannot start {error}; waiting for one all the same")


def _basic(finding: dict[str, Any]) -> Vulnerability:
    attributes = {each["key"]: each.get("value", "") for each in finding.get("attributes", [])}
    return Vulnerability(
        id=finding.get("name", "?"),
        severity=finding.get("severity", "UNDEFINED"),
        package=attributes.get("package_name", "?"),
        version=attributes.get("package_version", "?"),
        fixed_in=None,
    )


def _enhanced(finding: dict[str, Any]) -> list[Vulnerability]:
    details = finding.get("packageVulnerabilityDetails", {})
    found = []
    for package in details.get("vulnerablePackages", []):
        fixed_in = package.get("fixedInVersion", "")
        found.append(
            Vulnerability(
                id=details.get("vulnerabilityId", "?"),
                severity=finding.get("severity", "UNDEFINED"),
                package=package.get("name", "?"),
                version="-".join(part for part in (package.get("version", "?"), package.get("release")) if part),
                fixed_in="" if fixed_in in _NO_FIX else fixed_in,
            )
        )
    return found
