"""What `python -m ops` looks at before it begins: environment, Terraform, credentials, account. Nothing is touched."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.local_aws import LocalAws
    from tests.ops.harness import Project

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

COMMANDS = ("bootstrap", "broadcasts", "deploy", "destroy", "destroy-bootstrap", "outputs")
ALL = pytest.mark.parametrize("command", COMMANDS)
WITH_TERRAFORM = pytest.mark.parametrize("command", ["bootstrap", "deploy", "destroy", "destroy-bootstrap"])


def assert_not_begun(project: Project, aws: LocalAws) -> None:
    assert aws.objects() == {}
    assert not (project.folder / "cdktf.out").exists()


@ALL
def test_fails_when_there_is_no_such_environment(project: Project, aws: LocalAws, command: str) -> None:
    run = project.run(command, "qa")

    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr == f"{command}: no environments/qa.toml; ENV is one of: dev prod\n"
    assert_not_begun(project, aws)


def test_fails_when_an_environment_file_has_a_mistake(project: Project) -> None:
    path = project.folder / "environments" / "dev.toml"
    path.write_text(path.read_text().replace("desired_tasks = 1", "desired_tasks = 6"))

    run = project.run("deploy", "dev")

    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith("deploy: environments/dev.toml: scaling.desired_tasks = 6: must be")


@ALL
def test_fails_when_the_account_is_a_placeholder(project: Project, aws: LocalAws, command: str) -> None:
    """Even with credentials for an account of that number."""
    run = project.run(command, "dev", CDK_DEFAULT_ACCOUNT="")

    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith(f"{command}: dev: CDK_DEFAULT_ACCOUNT must be set in .env")
    assert_not_begun(project, aws)


def test_fails_when_the_backend_is_a_placeholder(project: Project, aws: LocalAws) -> None:
    """Nobody could publish; the bootstrap stack needs no backend."""
    run = project.run("deploy", "dev", BACKEND_URL="")

    assert run.returncode == 2
    assert run.stderr.startswith("deploy: dev: BACKEND_URL must be set in .env")
    assert_not_begun(project, aws)
    assert project.run("bootstrap", "dev", "--yes", BACKEND_URL="").returncode == 0


@WITH_TERRAFORM
def test_fails_when_there_is_no_terraform(project: Project, aws: LocalAws, command: str) -> None:
    run = project.run(command, "dev", TERRAFORM_BINARY_NAME="", PATH="/nowhere")

    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith(f"{command}: no terraform on PATH: install Terraform 1.10 or later")
    assert_not_begun(project, aws)


@pytest.mark.parametrize(
    ("says", "heard"),
    [
        ('{"terraform_version": "1.9.8"}', r"is Terraform 1\.9\.8: 1\.10 or later is needed"),
        ('{"terraform_version": "0.15.5-rc1"}', r"is Terraform 0\.15\.5-rc1: 1\.10 or later is needed"),
        ("Terraform, probably", r"does not tell a version: Terraform, probably"),
    ],
)
def test_fails_when_terraform_is_too_old(project: Project, aws: LocalAws, says: str, heard: str) -> None:
    (project.folder / "terraform").write_text(f"#!/bin/sh\necho '{says}'\n")
    (project.folder / "terraform").chmod(0o755)

    run = project.run("deploy", "dev", TERRAFORM_BINARY_NAME="", PATH=f"{project.folder}:{project.environment['PATH']}")

    assert run.returncode == 2
    assert re.search(heard, run.stderr), run.stderr
    assert_not_begun(project, aws)


def test_the_oldest_terraform_that_will_do_is_accepted(project: Project) -> None:
    """It gets past the check, and no further: there is no bucket."""
    (project.folder / "terraform").write_text('#!/bin/sh\necho \'{"terraform_version": "1.10.0"}\'\n')
    (project.folder / "terraform").chmod(0o755)

    run = project.run("deploy", "dev", TERRAFORM_BINARY_NAME=str(project.folder / "terraform"))

    assert run.returncode == 2
    assert "there is no state bucket" in run.stderr


@ALL
def test_fails_when_there_are_no_credentials(project: Project, aws: LocalAws, command: str) -> None:
    run = project.run(command, "dev", AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")

    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith(f"{command}: no AWS credentials that work: Unable to locate credentials\nSign in")
    assert_not_begun(project, aws)


def test_fails_when_the_profile_does_not_exist(project: Project, aws: LocalAws) -> None:
    run = project.run("deploy", "dev", AWS_PROFILE="nobody")

    assert run.returncode == 2
    assert "no AWS credentials that work: The config profile (nobody) could not be found" in run.stderr
    assert_not_begun(project, aws)


@ALL
def test_fails_when_the_credentials_are_of_another_account(project: Project, aws: LocalAws, command: str) -> None:
    """It names both accounts, and who we are."""
    run = project.run(command, "dev", **aws.environment_of_another_account())

    assert (run.returncode, run.stdout) == (2, "")
    assert "the AWS credentials are of account 999999999999 (arn:aws:sts::999999999999:" in run.stderr
    assert "but dev lives in account 123456789012 (CDK_DEFAULT_ACCOUNT in .env" in run.stderr
    assert_not_begun(project, aws)


@pytest.mark.parametrize("command", ["deploy", "destroy", "outputs"])
def test_fails_when_there_was_no_bootstrap(project: Project, aws: LocalAws, command: str) -> None:
    run = project.run(command, "dev")

    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.endswith(
        f"{command}: there is no state bucket live-commerce-tfstate-dev-123456789012-ap-northeast-2: "
        "run make bootstrap ENV=dev first\n"
    )
    assert_not_begun(project, aws)


def test_fails_when_synthesis_fails(project: Project, aws: LocalAws) -> None:
    (project.folder / "main.py").write_text("raise SystemExit('synth: no')\n")

    run = project.run("bootstrap", "dev", "--yes")

    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.endswith("synth: no\nbootstrap: synthesis failed; nothing was changed\n")
    assert_not_begun(project, aws)


def test_help_names_the_commands(project: Project) -> None:
    run = project.run("--help")

    assert run.returncode == 0
    for command in COMMANDS:
        assert f"\n    {command} " in run.stdout
