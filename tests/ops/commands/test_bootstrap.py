"""`python -m ops bootstrap`: from nothing to a state in the bucket that it describes, also when it is cut off."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from offline_terraform.engine import TERRAFORM, OfflineTerraform
from offline_terraform.hold import Hold
from tests.local_aws import REGION
from tests.ops.harness import Project, project_in
from tests.shipped import shipped_configs

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.local_aws import LocalAws
    from tests.template import Template

pytestmark = pytest.mark.slow

DEV = shipped_configs()[0]
BUCKET = DEV.state_bucket_name
KEY = DEV.state_key(DEV.bootstrap_stack_name)
STATE_KEY = "aws_kms_key.State_Key_CC9D02A8"


def stored(aws: LocalAws) -> dict[str, Any]:
    """The state in the bucket."""
    body = aws.client("s3").get_object(Bucket=BUCKET, Key=KEY)["Body"].read()
    state: dict[str, Any] = json.loads(body)
    return state


def identities(state: dict[str, Any]) -> dict[str, str]:
    """Address to the id in AWS."""
    return {
        f"{entry['type']}.{entry['name']}": entry["instances"][0]["attributes"]["id"]
        for entry in state["resources"]
        if entry["mode"] == "managed" and entry["instances"]
    }


def recorded_locally(project: Project) -> dict[str, str]:
    """What the state in the project's folder has of dev: nothing is lost, if all of it is in the bucket at the end."""
    path = project.bootstrap_folder / "terraform.tfstate"
    return identities(json.loads(path.read_text())) if path.exists() and path.read_text() else {}


def managed(template: Template) -> set[str]:
    return {address for address in template.addresses() if not address.startswith("data.")}


def assert_complete(project: Project, aws: LocalAws, templates: dict[str, Template]) -> None:
    """Everything is in the bucket's state, nothing is left to do, and no state is anywhere else."""
    assert identities(stored(aws)).keys() == managed(templates[DEV.bootstrap_stack_name])
    # Terraform's own backup of the state before the last, and the state that was moved, stay where they were.
    left = {path.name for path in project.bootstrap_folder.iterdir()} - {"terraform.tfstate.backup"}
    assert left == {"lock", "terraform.tfstate.moved-to-s3"}
    assert not (project.folder / "cdktf.out/stacks" / DEV.bootstrap_stack_name / "backend_override.tf.json").exists()
    assert aws.objects() == {BUCKET: [KEY]}


def test_it_makes_everything_and_moves_the_state_into_the_bucket(
    project: Project, aws: LocalAws, templates: dict[str, Template]
) -> None:
    """The plan is shown, a yes is asked for, and the operator hears what to do next."""
    run = project.run("bootstrap", "dev", answer="yes\n")

    assert run.returncode == 0, run.stderr
    assert "Plan: 11 to add, 0 to change, 0 to destroy." in run.stdout
    assert "bootstrap: apply this to dev? [yes/no]" in run.stderr
    assert "bootstrap: dev is ready. Next: push an image to" in run.stderr
    assert_complete(project, aws, templates)


def test_again_it_changes_nothing(project: Project, aws: LocalAws, templates: dict[str, Template]) -> None:
    """Nor does a colleague's run, in a copy that never saw the first state file."""
    assert project.run("bootstrap", "dev", "--yes").returncode == 0
    before = stored(aws)

    run = project.run("bootstrap", "dev")

    assert run.returncode == 0, run.stderr
    assert "bootstrap: nothing to change" in run.stderr
    assert stored(aws) == before
    assert_complete(project, aws, templates)


def test_what_was_added_to_the_stack_since_is_made(project: Project, aws: LocalAws) -> None:
    """With the state in the bucket from the start."""
    assert project.run("bootstrap", "dev", "--yes").returncode == 0
    before = identities(stored(aws))
    main = project.folder / "main.py"
    main.write_text(
        main.read_text()
        + "path = os.path.join(os.environ['CDKTF_OUTDIR'], 'stacks', 'LiveCommerceBootstrapStack-dev', 'cdk.tf.json')\n"
        "text = open(path).read().replace('\"deletion_window_in_days\": 30', '\"deletion_window_in_days\": 14')\n"
        "open(path, 'w').write(text)\n"
    )

    run = project.run("bootstrap", "dev", answer="y\n")

    assert run.returncode == 0, run.stderr
    assert "Plan: 0 to add, 1 to change, 0 to destroy." in run.stdout
    assert identities(stored(aws)) == before


@pytest.mark.parametrize("answer", ["no\n", "\n", ""])
def test_fails_when_the_answer_is_not_yes(project: Project, aws: LocalAws, answer: str) -> None:
    """No terminal to answer from counts as a no."""
    run = project.run("bootstrap", "dev", answer=answer)

    assert run.returncode == 1
    assert run.stderr.endswith(
        "bootstrap: not confirmed: nothing was changed (YES=1 or --yes goes on without asking)\n"
    )
    assert aws.objects() == {}


# In the order of a bootstrap: before and after each of its Terraform commands, which is between and around its steps.
POINTS = [
    f"{when} {command}"
    for command in ("init -no-color -input=false -reconfigure", "plan", "apply", "init -no-color -input=false -migrate")
    for when in ("before", "after")
]
# Terraform, with a power cut: at the point named in CUT, everything of this run dies at once.
CUT = f"""#!/bin/sh
cut() {{ case "$1 $2" in "$CUT"*) kill -9 0 ;; esac; }}
cut before "$*"
{TERRAFORM} "$@"
status=$?
cut after "$*"
exit $status
"""


@pytest.fixture
def cuttable(project: Project) -> Project:
    """The project, with a Terraform that can be cut off."""
    script = project.folder / "terraform"
    # Options come after the command's name; their order is that of ops/terraform/core.py.
    script.write_text(CUT)
    script.chmod(0o755)
    return Project(
        folder=project.folder, environment={**project.environment, "TERRAFORM_BINARY_NAME": str(script), "CUT": "never"}
    )


def test_it_completes_after_being_cut_off_at_every_step(
    cuttable: Project, aws: LocalAws, templates: dict[str, Template]
) -> None:
    """Killed at one point after the other, in one and the same project; what was recorded once is there at the end."""
    recorded: dict[str, str] = {}
    for point in POINTS:
        run = cuttable.run("bootstrap", "dev", "--yes", CUT=point)
        assert run.returncode == -signal.SIGKILL, f"{point}: not reached:\n{run.stderr}"
        now = recorded_locally(cuttable)
        assert recorded.items() <= now.items(), f"{point}: lost"
        recorded = now
    assert recorded.keys() == managed(templates[DEV.bootstrap_stack_name])

    run = cuttable.run("bootstrap", "dev", "--yes")

    assert run.returncode == 0, run.stderr
    assert "cut off after it had moved the state" in run.stderr
    assert identities(stored(aws)) == recorded
    assert_complete(cuttable, aws, templates)


@pytest.fixture
def hold(tmp_path_factory: pytest.TempPathFactory) -> Hold:
    return Hold(tmp_path_factory.mktemp("hold") / "hold")


@pytest.fixture
def held(tmp_path: Path, aws: LocalAws, synthesized: Path, hold: Hold) -> Iterator[Project]:
    """A project in which changes can be held: an apply can be caught in the act."""
    with OfflineTerraform(s3_endpoint=aws.endpoint, hold=hold) as engine:
        yield project_in(tmp_path, engine, aws.environment, synthesized)
        hold.end()


def read_until(process: subprocess.Popen[str], text: str) -> None:
    """Read standard output up to a line with `text`."""
    assert process.stdout is not None
    seen = ""
    while text not in seen:
        line = process.stdout.readline()
        assert line, f"ended before {text!r}: {seen}{process.communicate()[1]}"
        seen += line


def wait_until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within 120 s"


@contextlib.contextmanager
def killed_in_the_end(process: subprocess.Popen[str]) -> Any:
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_it_completes_after_being_killed_inside_the_apply(
    held: Project, hold: Hold, aws: LocalAws, templates: dict[str, Template]
) -> None:
    """What had been made and recorded is kept: the bucket is there, and the rest is added to it."""
    hold.begin("aws_s3_bucket_versioning")
    kept = held.bootstrap_folder / "terraform.tfstate.last-whole"
    with killed_in_the_end(held.start("bootstrap", "dev", "--yes")) as process:
        read_until(process, "aws_s3_bucket.State_Bucket_77825682: Creation complete")
        wait_until(lambda: kept.exists() and BUCKET in identities(json.loads(kept.read_text())).values(), str(kept))
    hold.end()
    recorded = identities(json.loads(kept.read_text()))
    assert recorded.keys() < managed(templates[DEV.bootstrap_stack_name])
    # The worst moment, which lasts some milliseconds: Terraform has emptied its file, and not filled it yet.
    (held.bootstrap_folder / "terraform.tfstate").write_text("")

    run = held.run("bootstrap", "dev", "--yes")

    assert run.returncode == 0, run.stderr
    assert "terraform.tfstate was cut off while being written" in run.stderr
    assert "going on from .bootstrap/" in run.stderr
    assert recorded.items() <= identities(stored(aws)).items()
    assert_complete(held, aws, templates)


def test_it_completes_after_being_killed_inside_the_move(
    project: Project, aws: LocalAws, templates: dict[str, Template]
) -> None:
    """At the moment at which the state is seen in the bucket, whatever Terraform has still to do then."""
    with killed_in_the_end(project.start("bootstrap", "dev", "--yes")):
        wait_until(lambda: aws.objects().get(BUCKET) == [KEY], "a state in the bucket")
    recorded = identities(stored(aws))

    run = project.run("bootstrap", "dev", "--yes")

    assert run.returncode == 0, run.stderr
    assert identities(stored(aws)) == recorded
    assert_complete(project, aws, templates)


def test_it_completes_when_the_record_of_the_backend_is_torn(
    project: Project, aws: LocalAws, templates: dict[str, Template]
) -> None:
    """Killed while Terraform wrote down which backend it uses: half a file, or an empty one."""
    assert project.run("bootstrap", "dev", "--yes").returncode == 0
    recorded = identities(stored(aws))
    record = project.folder / "cdktf.out/stacks" / DEV.bootstrap_stack_name / ".terraform/terraform.tfstate"
    whole = record.read_bytes()
    for torn in (b"", whole[: len(whole) // 2]):
        record.write_bytes(torn)

        run = project.run("bootstrap", "dev", "--yes")

        assert run.returncode == 0, run.stderr
        assert identities(stored(aws)) == recorded
    assert_complete(project, aws, templates)


def test_it_adopts_the_bucket_that_it_made_and_did_not_live_to_record(
    cuttable: Project, aws: LocalAws, templates: dict[str, Template]
) -> None:
    """AWS had made it, Terraform had not written it down: nobody but the next run can know whose it is."""
    assert cuttable.run("bootstrap", "dev", "--yes", CUT="before apply").returncode == -signal.SIGKILL
    aws.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})

    run = cuttable.run("bootstrap", "dev", "--yes")

    assert run.returncode == 0, run.stderr
    assert f"cut off when it had just made {BUCKET}; adopting it" in run.stderr
    assert_complete(cuttable, aws, templates)
    assert not (cuttable.bootstrap_folder / "began-without-bucket").exists()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_ends_it_in_order(held: Project, hold: Hold, aws: LocalAws, number: int, status: int) -> None:
    """Ctrl-C goes to all, SIGTERM to us alone. Terraform saves what it has made, and a second run goes on."""
    hold.begin()
    with killed_in_the_end(held.start("bootstrap", "dev", "--yes")) as process:
        read_until(process, "Creating...")
        if number == signal.SIGINT:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        read_until(process, "Interrupt received.")
        hold.end()
        _, stderr = process.communicate(timeout=120)

    assert process.returncode == status
    assert stderr.endswith("; run it again to go on\n")
    assert "Traceback" not in stderr
    assert recorded_locally(held)
    run = held.run("bootstrap", "dev", "--yes")
    assert run.returncode == 0, run.stderr
    assert aws.objects() == {BUCKET: [KEY]}


def test_an_interrupt_at_the_question_changes_nothing(project: Project, aws: LocalAws) -> None:
    with project.start("bootstrap", "dev") as process:
        assert process.stderr is not None
        seen = ""
        while "[yes/no]" not in seen:
            character = process.stderr.read(1)
            assert character, f"ended before it asked: {seen}"
            seen += character
        os.killpg(process.pid, signal.SIGINT)
        _, rest = process.communicate(timeout=120)

    assert process.returncode == 130
    assert rest == "\nbootstrap: interrupted; run it again to go on\n"
    assert aws.objects() == {}


def test_fails_when_another_bootstrap_is_running(held: Project, hold: Hold) -> None:
    hold.begin()
    with killed_in_the_end(held.start("bootstrap", "dev", "--yes")) as process:
        read_until(process, "Creating...")
        second = held.run("bootstrap", "dev", "--yes")

    assert second.returncode == 2
    assert second.stderr.endswith("bootstrap: another bootstrap of dev is running on this machine\n")


def test_fails_when_the_bucket_is_there_and_no_state_knows_it(project: Project, aws: LocalAws) -> None:
    """Made by a run elsewhere, or by hand: the operator decides, with the command at hand."""
    aws.make_state_buckets()

    run = project.run("bootstrap", "dev", "--yes")

    assert run.returncode == 1
    assert (
        "terraform -chdir=cdktf.out/stacks/LiveCommerceBootstrapStack-dev import "
        f"aws_s3_bucket.State_Bucket_77825682 {BUCKET}\n"
    ) in run.stderr
    assert aws.objects()[BUCKET] == []


def test_fails_when_there_are_two_states(project: Project, aws: LocalAws) -> None:
    """A file here and an object there, each with a key of its own: nothing is overwritten."""
    assert project.run("bootstrap", "dev", "--yes").returncode == 0
    before = aws.everything_stored()
    other = json.loads(json.dumps(stored(aws)).replace(identities(stored(aws))[STATE_KEY], "another-key"))
    (project.bootstrap_folder / "terraform.tfstate").write_text(json.dumps(other))

    run = project.run("bootstrap", "dev", "--yes")

    assert run.returncode == 2
    assert "two states of LiveCommerceBootstrapStack-dev, each about things of its own" in run.stderr
    assert aws.everything_stored() == before
    assert json.loads((project.bootstrap_folder / "terraform.tfstate").read_text()) == other
