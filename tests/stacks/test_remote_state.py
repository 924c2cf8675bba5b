"""Remote state as the stacks configure it: real Terraform core and its S3 backend, against a local S3 and STS."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from offline_terraform.engine import OfflineTerraform, Stack
from offline_terraform.hold import Hold
from tests.local_aws import OTHER_ACCOUNT, LocalAws
from tests.shipped import shipped_configs

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

DEV, PROD = shipped_configs()
BOOTSTRAP = DEV.bootstrap_stack_name
STATE = DEV.state_key(BOOTSTRAP)
LOCK = f"{STATE}.tflock"


@pytest.fixture(scope="module")
def running_aws() -> Iterator[LocalAws]:
    """One server for all tests: to stop it takes half a second."""
    with LocalAws() as running:
        yield running


@pytest.fixture
def aws(running_aws: LocalAws) -> LocalAws:
    """Local S3 with the state buckets of dev and prod, empty."""
    running_aws.reset()
    running_aws.make_state_buckets()
    return running_aws


@pytest.fixture(scope="module")
def hold(tmp_path_factory: pytest.TempPathFactory) -> Hold:
    return Hold(tmp_path_factory.mktemp("hold") / "hold")


@pytest.fixture(scope="module")
def engine(hold: Hold) -> Iterator[OfflineTerraform]:
    """A stand-in that is told when to go on with its changes: an apply can be caught in the act."""
    with OfflineTerraform(hold=hold) as running:
        yield running


@pytest.fixture(scope="module")
def quick() -> Iterator[OfflineTerraform]:
    """A stand-in that holds nothing."""
    with OfflineTerraform() as running:
        yield running


def ready(engine: OfflineTerraform, aws: LocalAws, source: Path) -> Stack:
    """A working copy with its backend as synthesized, initialized."""
    stack = engine.stack(source, backend="as synthesized")
    stack = Stack(folder=stack.folder, environment={**stack.environment, **aws.environment})
    stack.init()
    return stack


def wait_until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"{what}: not within 120 s")
        time.sleep(0.02)


@pytest.fixture
def holder(engine: OfflineTerraform, hold: Hold, aws: LocalAws, synthesized: Path) -> Iterator[subprocess.Popen[str]]:
    """An apply of dev's bootstrap stack, caught while it holds the lock."""
    stack = ready(engine, aws, synthesized / BOOTSTRAP)
    hold.begin()
    process = stack.start("apply", "-no-color", "-auto-approve")
    try:
        wait_until(lambda: LOCK in aws.objects()[DEV.state_bucket_name], "the lock")
        yield process
    finally:
        process.kill()
        process.communicate()
        hold.end()


def lock_information(aws: LocalAws) -> dict[str, str]:
    body = aws.client("s3").get_object(Bucket=DEV.state_bucket_name, Key=LOCK)["Body"].read()
    information: dict[str, str] = json.loads(body)
    return information


def test_each_stack_has_a_key_of_its_own_in_its_environments_bucket(
    quick: OfflineTerraform, aws: LocalAws, synthesized: Path
) -> None:
    """Dev and prod share neither bucket nor key; each object is what its stack made, encrypted with its key."""
    for config in (DEV, PROD):
        for name in (config.bootstrap_stack_name, config.streaming_stack_name):
            ready(quick, aws, synthesized / name).apply()

    assert aws.objects() == {
        config.state_bucket_name: [
            f"{config.bootstrap_stack_name}/terraform.tfstate",
            f"{config.streaming_stack_name}/terraform.tfstate",
        ]
        for config in (DEV, PROD)
    }
    for config in (DEV, PROD):
        for key in aws.objects()[config.state_bucket_name]:
            stored = aws.client("s3").get_object(Bucket=config.state_bucket_name, Key=key)
            assert stored["ServerSideEncryption"] == "aws:kms"
            assert stored["SSEKMSKeyId"] == f"arn:aws:kms:ap-northeast-2:123456789012:{config.state_key_alias}"
            state = json.loads(stored["Body"].read())
            assert f"live-commerce-rtmp-{config.name}" in json.dumps(state["resources"])


def test_the_state_is_there_for_the_next_person(quick: OfflineTerraform, aws: LocalAws, synthesized: Path) -> None:
    """A second working copy, on another machine as it were, finds what the first one made."""
    first = ready(quick, aws, synthesized / BOOTSTRAP)
    first.apply()

    second = ready(quick, aws, synthesized / BOOTSTRAP)

    assert second.attributes() == first.attributes()
    assert second.changes() == {}


def test_fails_at_once_when_another_apply_holds_the_lock(
    quick: OfflineTerraform, aws: LocalAws, synthesized: Path, holder: subprocess.Popen[str], hold: Hold
) -> None:
    """And names the holder. The first apply is not disturbed."""
    information = lock_information(aws)

    second = ready(quick, aws, synthesized / BOOTSTRAP).apply(check=False)

    assert holder.poll() is None, "the first apply had ended already: this proves nothing"
    assert second.status == 1
    assert "Error acquiring the state lock" in second.text
    assert f"Who:       {information['Who']}" in second.text
    assert f"ID:        {information['ID']}" in second.text
    assert "Operation: OperationTypeApply" in second.text
    hold.end()
    output, errors = holder.communicate()
    assert holder.returncode == 0, errors
    assert "Apply complete! Resources: 11 added" in output
    assert aws.objects()[DEV.state_bucket_name] == [STATE]


def test_a_second_apply_waits_when_told_to(
    quick: OfflineTerraform, aws: LocalAws, synthesized: Path, holder: subprocess.Popen[str], hold: Hold
) -> None:
    """It then finds the work done."""
    second = ready(quick, aws, synthesized / BOOTSTRAP).start(
        "apply", "-no-color", "-auto-approve", "-lock-timeout=120s"
    )
    try:
        assert second.stdout is not None
        first_line = second.stdout.readline()
        assert "Acquiring state lock" in first_line
        assert holder.poll() is None, "the first apply had ended already: this proves nothing"
        hold.end()
        _, errors = holder.communicate()
        assert holder.returncode == 0, errors
        output, errors = second.communicate(timeout=120)
    finally:
        second.kill()
        second.communicate()

    assert second.returncode == 0, errors
    assert "Apply complete! Resources: 0 added, 0 changed, 0 destroyed." in output


def test_the_lock_of_a_killed_apply_is_reported_and_can_be_freed(
    quick: OfflineTerraform, aws: LocalAws, synthesized: Path, holder: subprocess.Popen[str]
) -> None:
    """Nobody goes on before somebody looked; then the next apply completes the work."""
    holder.kill()
    holder.communicate()
    lock = lock_information(aws)["ID"]
    stack = ready(quick, aws, synthesized / BOOTSTRAP)

    refused = stack.apply(check=False)
    assert refused.status == 1
    assert f"ID:        {lock}" in refused.text

    stack.run("force-unlock", "-force", lock)
    stack.apply()
    assert stack.changes() == {}
    assert aws.objects()[DEV.state_bucket_name] == [STATE]


def test_state_survives_a_killed_apply(
    engine: OfflineTerraform, hold: Hold, quick: OfflineTerraform, aws: LocalAws, synthesized: Path
) -> None:
    """What was recorded before stands in the bucket as it was: nothing is half written."""
    stack = ready(quick, aws, synthesized / BOOTSTRAP)
    stack.apply()
    before = aws.client("s3").get_object(Bucket=DEV.state_bucket_name, Key=STATE)["Body"].read()
    again = ready(engine, aws, synthesized / BOOTSTRAP)
    hold.begin()
    process = again.start("destroy", "-no-color", "-auto-approve")
    assert process.stdout is not None
    try:
        seen = ""
        while "Destroying..." not in seen:
            line = process.stdout.readline()
            assert line, f"the destroy never began: {seen}"
            seen += line
    finally:
        process.kill()
        process.communicate()
        hold.end()

    stack.run("force-unlock", "-force", lock_information(aws)["ID"])

    assert aws.client("s3").get_object(Bucket=DEV.state_bucket_name, Key=STATE)["Body"].read() == before
    assert stack.changes() == {}


@pytest.mark.parametrize("command", [("init",), ("plan",), ("apply", "-auto-approve")])
def test_fails_when_the_credentials_are_of_another_account(
    quick: OfflineTerraform, aws: LocalAws, synthesized: Path, command: tuple[str, ...]
) -> None:
    """The backend asks STS who this is before it reads, locks or writes anything."""
    stack = ready(quick, aws, synthesized / BOOTSTRAP)
    before = aws.everything_stored()

    refused = stack.run(*command, "-no-color", check=False, environment=aws.environment_of_another_account())

    assert refused.status == 1
    assert "AWS account ID not allowed" in refused.text
    assert OTHER_ACCOUNT in refused.text
    assert aws.everything_stored() == before


def test_fails_when_the_provider_is_in_another_account(aws: LocalAws, synthesized: Path) -> None:
    """The second lock on the same door: state of the right account, resources of a wrong one."""
    with OfflineTerraform(account=OTHER_ACCOUNT) as elsewhere:
        stack = ready(elsewhere, aws, synthesized / BOOTSTRAP)

        refused = stack.apply(check=False)

    assert refused.status == 1
    assert f"AWS account ID not allowed: {OTHER_ACCOUNT}" in refused.text
    assert "Creating..." not in refused.text
    assert STATE not in aws.objects()[DEV.state_bucket_name]
