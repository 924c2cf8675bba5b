"""`python -m ops vulnerabilities`: ECR's scan, in moto as far as it goes; a scan that takes time is a stand-in's."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from ops.commands.accepted_vulnerabilities import Accepted, read_accepted
from ops.commands.vulnerabilities import Vulnerability, print_vulnerabilities, review, table, vulnerabilities
from ops.errors import FailedError, NotReadyError
from tests.ops.account import DEV, MANIFEST, digest_of, index_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.local_aws import LocalAws
    from tests.ops.account import Account
    from tests.ops.harness import Project

TODAY = datetime.now(UTC).date()
REASON = "only reached by who has the key already"
OPENSSL = Vulnerability(id="CVE-1", severity="CRITICAL", package="openssl", version="3.0.1", fixed_in="3.0.2")
ZLIB = Vulnerability(id="CVE-2", severity="HIGH", package="zlib1g", version="1.2.13", fixed_in="")
PERL = Vulnerability(id="CVE-3", severity="MEDIUM", package="perl-base", version="5.36", fixed_in="5.37")
OLD = Vulnerability(id="CVE-4", severity="HIGH", package="tar", version="1.34", fixed_in=None)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ops.commands.vulnerabilities._PAUSE_SECONDS", 0.01)


def push(aws: LocalAws) -> str:
    """An image in moto's repository; its digest."""
    ecr = aws.client("ecr")
    ecr.create_repository(repositoryName=DEV.repository_name)
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": {"digest": digest_of("c")}, "layers": []}
    image = ecr.put_image(repositoryName=DEV.repository_name, imageManifest=json.dumps(manifest), imageTag="one")
    return str(image["image"]["imageId"]["imageDigest"])


def scan(status: str, *, description: str = "", **findings: list[dict[str, Any]]) -> dict[str, Any]:
    return {"imageScanStatus": {"status": status, "description": description}, "imageScanFindings": findings}


def enhanced(id_: str, severity: str, *packages: dict[str, str]) -> dict[str, Any]:
    """As Inspector writes it."""
    details = {"vulnerabilityId": id_, "vulnerablePackages": list(packages)}
    return {"severity": severity, "packageVulnerabilityDetails": details}


def accepted(id_: str, *packages: str, until: date = TODAY) -> Accepted:
    return Accepted(id=id_, packages=packages, reason=REASON, until=until)


def test_an_image_that_was_not_scanned_yet_is(asking: Account, aws: LocalAws) -> None:
    """ECR passes over some in an index; moto's scanner finds one thing in any image, and knows no fixes."""
    found = vulnerabilities(DEV, push(aws), 1)

    expected = Vulnerability(id="CVE-9999-9999", severity="HIGH", package="moto_fake", version="9.9.9", fixed_in=None)
    assert found == [expected]
    assert asking.asked.count("StartImageScan") == 1


def test_waits_for_the_scan_with_a_word_for_each_change(asking: Account, capsys: pytest.CaptureFixture[str]) -> None:
    """Enhanced scanning says what is fixed where; the worst comes first."""
    openssl = {"name": "openssl", "version": "3.0.11", "release": "1~deb12u2", "fixedInVersion": "3.0.15"}
    zlib = {"name": "zlib1g", "version": "1.2.13", "fixedInVersion": "NotAvailable"}
    findings = [
        enhanced("CVE-2", "HIGH", zlib),
        enhanced("CVE-1", "CRITICAL", openssl),
        enhanced("CVE-1", "CRITICAL", openssl),
    ]
    asking.scans = [
        scan("PENDING"),
        scan("IN_PROGRESS"),
        scan("IN_PROGRESS"),
        scan("ACTIVE", enhancedFindings=findings),
    ]

    found = vulnerabilities(DEV, digest_of("a"), 1)

    assert [(each.id, each.version, each.fixed_in) for each in found] == [
        ("CVE-1", "3.0.11-1~deb12u2", "3.0.15"),
        ("CVE-2", "1.2.13", ""),
    ]
    said = capsys.readouterr().err
    assert (said.count("PENDING"), said.count("IN_PROGRESS")) == (1, 1)
    assert "StartImageScan" not in asking.asked


def test_an_old_scan_is_made_anew(asking: Account, aws: LocalAws) -> None:
    """What became known since it is what a weekly look is for; enhanced scanning goes on by itself."""
    digest = push(aws)
    old = scan("COMPLETE", findings=[{"name": "CVE-1", "severity": "HIGH"}])
    old["imageScanFindings"]["imageScanCompletedAt"] = 1_600_000_000
    asking.scans = [old, scan("IN_PROGRESS"), scan("COMPLETE", findings=[{"name": "CVE-2", "severity": "HIGH"}])]

    assert [each.id for each in vulnerabilities(DEV, digest, 1)] == ["CVE-2"]
    assert asking.asked.count("StartImageScan") == 1


def test_fails_when_the_scan_does_not_end_in_time(asking: Account) -> None:
    asking.scans = [scan("IN_PROGRESS")]

    with pytest.raises(FailedError, match=r"was not scanned within 0\.001 minutes: IN_PROGRESS"):
        vulnerabilities(DEV, digest_of("a"), 0.001)


def test_fails_when_the_image_cannot_be_scanned(asking: Account) -> None:
    """Nothing found is not the same as nothing looked at."""
    asking.scans = [scan("UNSUPPORTED_IMAGE", description="UnsupportedImageError: no such system")]

    with pytest.raises(FailedError, match=r"UNSUPPORTED_IMAGE \(UnsupportedImageError: no such system\)"):
        vulnerabilities(DEV, digest_of("a"), 1)


@pytest.mark.parametrize("code", ["AccessDeniedException", "ValidationException"])
def test_a_scan_that_may_not_be_started_is_waited_for(asking: Account, aws: LocalAws, code: str) -> None:
    """Enhanced scanning starts its own, and says so by refusing."""
    digest, asking.refused["StartImageScan"] = push(aws), code

    with pytest.raises(FailedError, match=r"was not scanned within .* no scan"):
        vulnerabilities(DEV, digest, 0.002)

    assert asking.asked.count("StartImageScan") == 1


@pytest.mark.parametrize(
    ("severity", "failing"),
    [("CRITICAL", ["CVE-1"]), ("HIGH", ["CVE-1", "CVE-4"]), ("LOW", ["CVE-1", "CVE-4", "CVE-3"])],
)
def test_what_has_no_fix_does_not_fail(severity: str, failing: list[str]) -> None:
    """What may have one does: basic scanning does not say."""
    assert [each.id for each in review([OPENSSL, ZLIB, OLD, PERL], [], severity).failing] == failing


def test_what_was_accepted_does_not_fail_until_its_day() -> None:
    """In the packages that the entry names; entries that nothing needs are told."""
    listed = [
        *(accepted("CVE-1"), accepted("CVE-4", "other")),
        *(accepted("CVE-3", "perl-base"), accepted("CVE-3", until=TODAY - timedelta(days=1))),
    ]

    judged = review([OPENSSL, OLD, PERL], listed, "LOW")

    assert judged.failing == [OLD]
    assert judged.accepted == [OPENSSL, PERL]
    assert judged.unused == [listed[1], listed[3]]
    assert review([PERL], listed[3:], "LOW").failing == [PERL]


def test_the_table_has_a_line_for_each() -> None:
    """With words for no fix and for not said."""
    assert table([OPENSSL, ZLIB, OLD]).splitlines() == [
        "SEVERITY  PACKAGE  VERSION  FIXED IN  ID",
        "CRITICAL  openssl  3.0.1    3.0.2     CVE-1",
        "HIGH      zlib1g   1.2.13   -         CVE-2",
        "HIGH      tar      1.34     not said  CVE-4",
    ]


def test_the_list_need_not_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the operator's own; none is shipped."""
    path = tmp_path / "accepted_vulnerabilities.toml"
    monkeypatch.setattr("ops.commands.accepted_vulnerabilities.ACCEPTED", path)

    assert read_accepted(path) == ()


@pytest.mark.parametrize(
    "text",
    [
        "[[accepted]",
        '[[accepted]]\nid = "CVE-1"\nreason = "no"\nuntil = 2030-01-01',
        "[[denied]]",
        '[[accepted]]\nid = "CVE-1"',
    ],
)
def test_fails_when_the_list_is_no_list(tmp_path: Path, text: str) -> None:
    """A word is no reason, and nothing is accepted for ever."""
    (tmp_path / "mine.toml").write_text(text)

    with pytest.raises(NotReadyError, match=r"^mine\.toml: is no list of"):
        read_accepted(tmp_path / "mine.toml")


def test_fails_when_a_list_that_was_named_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(NotReadyError, match="No such file"):
        read_accepted(tmp_path / "mine.toml")


@pytest.mark.slow
def test_the_command_fails_where_something_is_to_be_done(project: Project, aws: LocalAws, account: Account) -> None:
    """For CI: the table on standard output, status 1, and what to do; 0 once it is accepted."""
    account.image = index_of({"ARM64": "arm64", "X86_64": "amd64"}[DEV.task.architecture], image=push(aws))

    run = project.run("vulnerabilities", "dev", "--digest", digest_of("0"))

    assert run.returncode == 1, run.stderr
    assert run.stdout.splitlines()[1].split() == ["HIGH", "moto_fake", "9.9.9", "not", "said", "CVE-9999-9999"]
    assert "1 of HIGH or worse must be dealt with (0 are accepted)" in run.stderr
    assert "build-and-push-image.sh dev ap-northeast-2 --rebuild" in run.stderr

    entry = f'[[accepted]]\nid = "CVE-9999-9999"\nreason = "{REASON}"\nuntil = 2999-01-01\n'
    (project.folder / "mine.toml").write_text(entry)
    again = project.run("vulnerabilities", "dev", "--digest", digest_of("0"), "--accepted", "mine.toml")
    assert again.returncode == 0, again.stderr


def test_fails_when_aws_does_not_tell(asking: Account, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No answer is no clean bill."""
    monkeypatch.setattr("ops.commands.vulnerabilities.check_credentials", lambda _: None)
    monkeypatch.setattr("ops.commands.vulnerabilities.find_environment", lambda _: DEV)
    monkeypatch.setattr("ops.commands.vulnerabilities.with_account", lambda _: DEV)
    asking.refused["DescribeImageScanFindings"] = "AccessDeniedException"
    (tmp_path / "accepted.toml").touch()

    with pytest.raises(FailedError, match=r"the scan \(ecr:DescribeImageScanFindings\): AccessDeniedException"):
        print_vulnerabilities("dev", digest=digest_of("0"), severity="HIGH", accepted=tmp_path / "accepted.toml")
