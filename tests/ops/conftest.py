"""What the tests of `ops` share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from offline_terraform.engine import OfflineTerraform
from tests.local_aws import LocalAws
from tests.ops.account import Account
from tests.ops.harness import Project, project_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def running_aws() -> Iterator[LocalAws]:
    """One server for all tests: to stop it takes half a second."""
    with LocalAws() as running:
        yield running


@pytest.fixture
def aws(running_aws: LocalAws) -> LocalAws:
    """Local S3 and STS, empty."""
    running_aws.reset()
    return running_aws


@pytest.fixture(scope="session")
def running_account(running_aws: LocalAws) -> Iterator[Account]:
    with Account(moto=running_aws.endpoint) as running:
        yield running


@pytest.fixture
def account(running_account: Account) -> Account:
    """What moto cannot tell of the local AWS: an account in which a deploy goes well."""
    running_account.reset()
    return running_account


@pytest.fixture
def asking(account: Account, aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> Account:
    """The account, for code that asks it from within the test's own process."""
    for name, value in {**aws.environment, **account.environment, "AWS_EC2_METADATA_DISABLED": "true"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return account


@pytest.fixture(scope="session")
def engine(running_aws: LocalAws) -> Iterator[OfflineTerraform]:
    """The stand-in, which remembers nothing; its buckets are made in the local S3 too."""
    with OfflineTerraform(s3_endpoint=running_aws.endpoint) as running:
        yield running


@pytest.fixture
def project(tmp_path: Path, engine: OfflineTerraform, aws: LocalAws, account: Account, synthesized: Path) -> Project:
    """A copy of the repository whose synthesis is a copy of the session's."""
    return project_in(tmp_path, engine, {**aws.environment, **account.environment}, synthesized)
