"""`python -m ops destroy-bootstrap`: from a state in the bucket that goes to nothing, also when it is cut off."""

from __future__ import annotations

import json
import re
import signal
from typing import TYPE_CHECKING

import pytest

from tests.ops.account import MANIFEST
from tests.ops.commands.test_bootstrap import BUCKET, CUT, DEV, KEY, identities, stored
from tests.ops.harness import Project

if TYPE_CHECKING:
    from tests.local_aws import LocalAws
    from tests.ops.account import Account

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def bootstrapped(project: Project, aws: LocalAws) -> Project:
    """Dev's bootstrap as people leave it: a versioned bucket with history, a repository with an image."""
    run = project.run("bootstrap", "dev", "--yes")
    assert run.returncode == 0, run.stderr
    s3, ecr = aws.client("s3"), aws.client("ecr")
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket=BUCKET, Key="old", Body=b"1")
    s3.delete_object(Bucket=BUCKET, Key="old")
    ecr.create_repository(repositoryName=DEV.repository_name)
    manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "layers": []})
    ecr.put_image(repositoryName=DEV.repository_name, imageManifest=manifest, imageTag="1")
    return project


def assert_nothing_is_left(project: Project, aws: LocalAws) -> None:
    assert aws.objects() == {}
    assert aws.client("ecr").list_images(repositoryName=DEV.repository_name)["imageIds"] == []
    left = {path.name for path in project.bootstrap_folder.iterdir()}
    # Terraform's backup, and what the bootstrap had set aside, are history.
    assert left <= {"lock", "terraform.tfstate.backup", "terraform.tfstate.moved-to-s3"}


def test_it_says_what_goes_and_leaves_nothing(bootstrapped: Project, aws: LocalAws) -> None:
    """Then there is nothing to do, and a new bootstrap begins anew."""
    key = identities(stored(aws))["aws_kms_key.State_Key_CC9D02A8"]

    run = bootstrapped.run("destroy-bootstrap", "dev", answer="dev\n")

    assert run.returncode == 0, run.stderr
    # What was put there, and what locks of Terraform's left.
    assert re.search(rf"  s3://{BUCKET} and \d+ versions of states in it", run.stderr)
    assert f"  {DEV.repository_url} and 1 images in it" in run.stderr
    assert "Type the environment's name (dev) to go on:" in run.stderr
    assert f"aws kms cancel-key-deletion --region ap-northeast-2 --key-id {key}\n" in run.stderr
    assert_nothing_is_left(bootstrapped, aws)

    again = bootstrapped.run("destroy-bootstrap", "dev")
    assert again.returncode == 0, again.stderr
    assert "nothing that bootstrap made for dev is there" in again.stderr
    run = bootstrapped.run("bootstrap", "dev", "--yes")
    assert run.returncode == 0, run.stderr
    assert aws.objects() == {BUCKET: [KEY]}


def test_fails_when_another_name_is_typed(bootstrapped: Project, aws: LocalAws) -> None:
    """The state in the bucket is the true one, as before, and so is all that it tells of."""
    before = identities(stored(aws))

    run = bootstrapped.run("destroy-bootstrap", "dev", answer="yes\n")

    assert run.returncode == 1
    assert run.stderr.endswith("destroy-bootstrap: not confirmed: nothing was changed\n")
    assert identities(stored(aws)) == before
    assert aws.objects() == {BUCKET: [KEY]}
    run = bootstrapped.run("bootstrap", "dev")
    assert run.returncode == 0, run.stderr
    assert "bootstrap: nothing to change" in run.stderr


def test_fails_when_the_environment_is_deployed(bootstrapped: Project, aws: LocalAws, account: Account) -> None:
    """Its state would go too, and everything in it would be nobody's."""
    state = {"version": 4, "outputs": {}, "resources": [{"mode": "managed", "instances": []}]}
    aws.client("s3").put_object(
        Bucket=BUCKET, Key=DEV.state_key(DEV.streaming_stack_name), Body=json.dumps(state).encode()
    )

    run = bootstrapped.run("destroy-bootstrap", "dev", answer="dev\n")

    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.endswith(
        f"destroy-bootstrap: dev is deployed, and its state is in s3://{BUCKET}: make destroy ENV=dev first\n"
    )
    assert "ListImages" not in account.asked


def test_fails_when_it_is_protected(project: Project) -> None:
    run = project.run("destroy-bootstrap", "prod", answer="prod\n")

    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr == (
        "destroy-bootstrap: prod is protected from deletion; nothing was changed. "
        "Set protection.deletion_protection = false in environments/prod.toml first\n"
    )


# Before and after each of its Terraform commands.
POINTS = [
    f"{when} {command}"
    for command in ("init -no-color -input=false -reconfigure", "init -no-color -input=false -migrate", "plan", "apply")
    for when in ("before", "after")
]


def test_it_completes_after_being_cut_off_at_every_step(bootstrapped: Project, aws: LocalAws) -> None:
    """Once it was agreed to it does not ask again; until it is through, bootstrap and deploy say what to do."""
    script = bootstrapped.folder / "terraform"
    script.write_text(CUT)
    script.chmod(0o755)
    cuttable = Project(
        folder=bootstrapped.folder,
        environment={**bootstrapped.environment, "TERRAFORM_BINARY_NAME": str(script), "CUT": "never"},
    )
    for point in POINTS:
        run = cuttable.run("destroy-bootstrap", "dev", answer="dev\n", CUT=point)
        assert run.returncode == -signal.SIGKILL, f"{point}: not reached:\n{run.stderr}"
        if point == "before apply":
            for command in ("bootstrap", "deploy"):
                refused = cuttable.run(command, "dev", "--yes")
                assert refused.returncode == 2
                assert "a destroy-bootstrap was cut off: run make destroy-bootstrap ENV=dev again" in refused.stderr

    run = cuttable.run("destroy-bootstrap", "dev")

    assert run.returncode == 0, run.stderr
    assert "going on where an earlier run was cut off" in run.stderr
    assert_nothing_is_left(cuttable, aws)
