"""`python -m ops deploy`, `outputs` and `destroy`, from the first deploy to the last destroy."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from offline_terraform.engine import OfflineTerraform
from offline_terraform.hold import Hold
from ops.commands.destroy import protected_addresses
from tests.ops.account import Account, Moment
from tests.ops.commands.test_broadcasts import log, stream
from tests.ops.harness import Project, project_in
from tests.shipped import shipped_configs

if TYPE_CHECKING:
    from pathlib import Path

    from tests.local_aws import LocalAws

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

DEV, PROD = shipped_configs()
STATE = DEV.state_key(DEV.streaming_stack_name)
PROTECTION = "deletion_protection = true"


@pytest.fixture
def bootstrapped(project: Project, aws: LocalAws) -> Project:
    """With the state buckets that bootstrap would have made."""
    aws.make_state_buckets()
    return project


@pytest.fixture
def deployed(bootstrapped: Project) -> Project:
    """Dev, on the air."""
    run = bootstrapped.run("deploy", "dev", "--yes")
    assert run.returncode == 0, run.stderr
    return bootstrapped


def urls(stdout: str) -> tuple[str, str]:
    rtmp = re.search(
        r"^RTMPServerURL +(rtmp://rtmp-nlb-dev-\S+\.elb\.ap-northeast-2\.amazonaws\.com/live)$", stdout, re.MULTILINE
    )
    cdn = re.search(r"^CloudFrontURL +(https://\S+\.cloudfront\.net)$", stdout, re.MULTILINE)
    assert rtmp, stdout
    assert cdn, stdout
    return rtmp[1], cdn[1]


def test_it_shows_the_plan_asks_applies_and_prints_the_urls(bootstrapped: Project, aws: LocalAws) -> None:
    """What a streamer types into OBS, and what a viewer's player fetches, come last."""
    run = bootstrapped.run("deploy", "dev", answer="yes\n")

    assert run.returncode == 0, run.stderr
    assert "deploy: apply this to dev? [yes/no]" in run.stderr
    before, _, after = run.stdout.partition("Apply complete!")
    assert re.search(r"Plan: \d+ to add, 0 to change, 0 to destroy\.", before)
    rtmp, cdn = urls(after)
    assert after.endswith(
        f"\nStreamer, in OBS (Settings, Stream, Server):  {rtmp}\nViewers:  {cdn}/hls/<id>/master.m3u8\n"
    )
    assert aws.objects()[DEV.state_bucket_name] == [STATE]
    assert not list(bootstrapped.folder.rglob("*.tfplan")), "a plan holds values of the state"


def test_again_it_changes_nothing_and_prints_the_same(deployed: Project, aws: LocalAws) -> None:
    """Without a question: there is nothing to say yes to."""
    before = aws.everything_stored()[DEV.state_bucket_name]

    run = deployed.run("deploy", "dev")

    assert run.returncode == 0, run.stderr
    assert "deploy: nothing to change" in run.stderr
    urls(run.stdout)
    # The lock comes and goes; the state stays the version that it was.
    after = aws.everything_stored()[DEV.state_bucket_name]
    assert [entry for entry in after if entry[0] == STATE] == [entry for entry in before if entry[0] == STATE]


@pytest.mark.parametrize("answer", ["no\n", ""])
def test_fails_when_the_answer_is_not_yes(bootstrapped: Project, aws: LocalAws, answer: str) -> None:
    run = bootstrapped.run("deploy", "dev", answer=answer)

    assert run.returncode == 1
    assert run.stderr.endswith("deploy: not confirmed: nothing was changed (YES=1 or --yes goes on without asking)\n")
    assert aws.objects()[DEV.state_bucket_name] == []


def test_an_interrupted_apply_saves_what_it_made(
    tmp_path: Path, aws: LocalAws, account: Account, synthesized: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Ctrl-C: no lock is left, the state has what there is, and the next deploy goes on from it."""
    aws.make_state_buckets()
    hold = Hold(tmp_path_factory.mktemp("hold") / "hold")
    hold.begin("aws_vpc")  # some things need none
    with OfflineTerraform(s3_endpoint=aws.endpoint, hold=hold) as engine:
        project = project_in(tmp_path, engine, {**aws.environment, **account.environment}, synthesized)
        with project.start("deploy", "dev", "--yes") as process:
            assert process.stdout is not None
            for text in ("Creation complete", "Interrupt received."):
                seen = ""
                while text not in seen:
                    line = process.stdout.readline()
                    assert line, f"ended before {text!r}: {seen}"
                    seen += line
                if text == "Creation complete":
                    os.killpg(process.pid, signal.SIGINT)
            hold.end()
            _, stderr = process.communicate(timeout=300)

    assert process.returncode == 130
    assert "Traceback" not in stderr
    assert aws.objects()[DEV.state_bucket_name] == [STATE]


def test_fails_when_somebody_else_holds_the_lock(deployed: Project, aws: LocalAws) -> None:
    """Terraform names the holder; we name the command to free a lock that nobody holds any more."""
    lock = '{"ID":"11111111-2222-3333-4444-555555555555","Operation":"OperationTypeApply","Who":"kim@desk",'
    lock += '"Version":"1.15.5","Created":"2026-01-01T00:00:00Z","Info":"","Path":""}'
    aws.client("s3").put_object(Bucket=DEV.state_bucket_name, Key=f"{STATE}.tflock", Body=lock.encode())

    run = deployed.run("deploy", "dev", "--yes")

    assert run.returncode == 1
    assert "Who:       kim@desk" in run.stderr
    assert "terraform -chdir=cdktf.out/stacks/LiveCommerceStreamingStack-dev force-unlock <ID>" in run.stderr


def test_outputs_are_the_two_lines_for_the_backend(deployed: Project) -> None:
    """Through make, as `make outputs >> .env` would have it: nothing else is on standard output."""
    run = subprocess.run(
        # -o: the test must not set anything up.
        ["make", "--no-print-directory", "-o", ".venv/.all-ready", "outputs", "ENV=dev"],
        cwd=deployed.folder,
        env=deployed.environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stderr
    assert re.fullmatch(
        r"RTMP_SERVER_URL=rtmp://rtmp-nlb-dev-\S+\.elb\.ap-northeast-2\.amazonaws\.com/live\n"
        r"HLS_SERVER_URL=https://\S+\.cloudfront\.net\n",
        run.stdout,
    )


@pytest.mark.parametrize("command", ["bootstrap", "broadcasts", "deploy", "destroy", "destroy-bootstrap", "outputs"])
def test_make_runs_each_command(project: Project, command: str) -> None:
    """With the environment asked for; it hears that there is nothing to work with."""
    run = subprocess.run(
        ["make", "--no-print-directory", "-o", ".venv/.all-ready", command, "ENV=dev", "YES=1"],
        cwd=project.folder,
        env={**project.environment, "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 2
    assert run.stderr.startswith(f"{command}: no AWS credentials that work")


def test_fails_when_nothing_is_deployed(bootstrapped: Project) -> None:
    run = bootstrapped.run("outputs", "dev")

    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.endswith("outputs: nothing of dev is deployed: make deploy ENV=dev\n")


def test_fails_when_the_bootstrap_was_cut_off(bootstrapped: Project) -> None:
    """Its state is still in a file."""
    bootstrapped.bootstrap_folder.mkdir(parents=True)
    (bootstrapped.bootstrap_folder / "terraform.tfstate").write_text(
        '{"version": 4, "outputs": {}, "resources": [{"mode": "managed", "instances": []}]}'
    )

    run = bootstrapped.run("deploy", "dev", "--yes")

    assert run.returncode == 2
    assert run.stderr.endswith("deploy: bootstrap was cut off: run make bootstrap ENV=dev first\n")


def test_what_is_in_the_way_is_told_before_the_question(bootstrapped: Project, aws: LocalAws, account: Account) -> None:
    """Quotas and room for a deployment, of the plan as it is; what may not be looked at is told, and stops nothing."""
    account.quotas["L-3032A538"], account.refused["DescribeVpcs"] = 1, "UnauthorizedOperation"

    run = bootstrapped.run("deploy", "dev", answer="yes\n")

    assert run.returncode == 2
    assert "deploy: note: not looked at: what is in use (ec2:DescribeVpcs): UnauthorizedOperation" in run.stderr
    assert "deploy: AWS would refuse this plan; nothing was changed:\n- Fargate On-Demand vCPU" in run.stderr
    assert "apply this to dev?" not in run.stderr
    assert aws.objects()[DEV.state_bucket_name] == []


def test_destroy_tells_what_is_live_before_it_asks(deployed: Project, aws: LocalAws, account: Account) -> None:
    """And what would hold it up, with the command for that."""
    log(aws, 1, (5, [stream("show")]))
    account.show(Moment(protected=(1,)))

    run = deployed.run("destroy", "dev", answer="no\n")

    assert run.returncode == 1
    before, _, _ = run.stderr.partition("Type the environment's name (dev) to go on:")
    assert "destroy: 1 live now, and cut off by this:\nTASK " in before
    assert re.search(r"^0+1  show ", before, re.MULTILINE)
    assert "destroy: 1 tasks with broadcasts are protected: ECS lets them end first" in before
    assert f"--cluster {DEV.cluster_name} --no-protection-enabled --tasks {1:032x}\n" in before


def test_destroy_asks_for_the_name_and_leaves_nothing(deployed: Project, aws: LocalAws) -> None:
    run = deployed.run("destroy", "dev", answer="dev\n")

    assert run.returncode == 0, run.stderr
    assert re.search(r"Plan: 0 to add, 0 to change, \d+ to destroy\.", run.stdout)
    assert "Type the environment's name (dev) to go on:" in run.stderr
    assert deployed.run("outputs", "dev").returncode == 1
    again = deployed.run("destroy", "dev")
    assert again.returncode == 0
    assert "destroy: nothing of dev is there" in again.stderr
    assert aws.objects()[DEV.state_bucket_name] == [STATE]


@pytest.mark.parametrize("answer", ["yes\n", "prod\n", ""])
def test_fails_when_another_name_is_typed(deployed: Project, answer: str) -> None:
    run = deployed.run("destroy", "dev", answer=answer)

    assert run.returncode == 1
    assert run.stderr.endswith("destroy: not confirmed: nothing was changed\n")
    assert deployed.run("outputs", "dev").returncode == 0


def test_prod_is_destroyed_only_after_protection_was_turned_off_and_deployed(
    tmp_path: Path, engine: OfflineTerraform, aws: LocalAws, account: Account
) -> None:
    """Refused by the file, then by what is deployed, each time with the way on, and each time untouched.

    With real synthesis, because the operator edits the environment file.
    """
    aws.make_state_buckets()
    project = project_in(tmp_path, engine, {**aws.environment, **account.environment}, synthesized=None)
    run = project.run("deploy", "prod", "--yes")
    assert run.returncode == 0, run.stderr
    state = PROD.state_key(PROD.streaming_stack_name)
    before = aws.client("s3").get_object(Bucket=PROD.state_bucket_name, Key=state)["Body"].read()

    run = project.run("destroy", "prod", answer="prod\n")
    assert run.returncode == 2
    assert run.stderr == (
        "destroy: prod is protected from deletion (environments/prod.toml); nothing was changed.\n"
        "To destroy it: set protection.deletion_protection = false there, make deploy ENV=prod, "
        "then make destroy ENV=prod\n"
    )

    path = project.folder / "environments" / "prod.toml"
    assert PROTECTION in path.read_text()
    path.write_text(path.read_text().replace(PROTECTION, "deletion_protection = false"))
    run = project.run("destroy", "prod", answer="prod\n")
    assert run.returncode == 2
    assert "destroy: protected: aws_dynamodb_table.Leases_EBFF46EF, aws_lb.Ingest_4069586C, aws_lb.Play" in run.stderr
    assert "To destroy it: the file says so, but it was not deployed yet: make deploy ENV=prod" in run.stderr
    assert aws.client("s3").get_object(Bucket=PROD.state_bucket_name, Key=state)["Body"].read() == before

    assert project.run("deploy", "prod", "--yes").returncode == 0
    run = project.run("destroy", "prod", answer="prod\n")
    assert run.returncode == 0, run.stderr
    logs = PROD.access_log_bucket_name
    assert f"destroy: {logs} goes with all the logs in it." in run.stderr, "the balancers' test objects are enough"
    assert logs not in aws.objects()
    assert "destroy: prod is gone." in run.stderr


def test_only_what_goes_and_is_protected_stops_a_destroy() -> None:
    """Something new has no state before; something kept is no matter."""
    plan = {
        "resource_changes": [
            {"address": "a", "change": {"actions": ["delete"], "before": {"enable_deletion_protection": True}}},
            {"address": "b", "change": {"actions": ["delete"], "before": {"enable_deletion_protection": False}}},
            {"address": "c", "change": {"actions": ["no-op"], "before": {"enable_deletion_protection": True}}},
            {"address": "d", "change": {"actions": ["create"], "before": None}},
            {
                "address": "e",
                "change": {"actions": ["delete", "create"], "before": {"deletion_protection_enabled": True}},
            },
        ]
    }

    assert protected_addresses(plan) == ["a", "e"]
