"""The commands: `bin/terraform`, `python -m offline_terraform`, and the processes that they leave (none)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from offline_terraform import samples
from offline_terraform.cache import REPOSITORY
from offline_terraform.engine import TERRAFORM, OfflineTerraform, Stack, clean_environment
from offline_terraform.hold import Hold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.slow


def _wait_until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"{what}: not within 120 s")
        time.sleep(0.02)


def _children(parent: int) -> set[int]:
    """Processes that `parent` started and that still run."""
    children = set()
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            # "pid (name) state ppid ...", where the name may hold anything.
            state, ppid = file.read_text().rpartition(")")[2].split()[:2]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(ppid) == parent and state != "Z":
            children.add(int(file.parent.name))
    return children


def _lives(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


@pytest.fixture
def hold(tmp_path: Path) -> Hold:
    return Hold(tmp_path / "hold")


@pytest.fixture
def held(hold: Hold) -> Iterator[OfflineTerraform]:
    """A stand-in that is told when to go on with its changes, started by Terraform itself."""
    with OfflineTerraform(way="mirror", hold=hold) as engine:
        hold.begin()
        yield engine
        hold.end()


def _applying(engine: OfflineTerraform) -> tuple[Stack, subprocess.Popen[str]]:
    """An apply of two log groups, the second after the first, at the moment in which the first is being made."""
    groups = samples.log_groups("one", "two")
    groups["aws_cloudwatch_log_group"]["two"]["depends_on"] = ["aws_cloudwatch_log_group.one"]
    stack = engine.stack(samples.stack(groups))
    stack.init()
    process = stack.start("apply", "-no-color", "-auto-approve")
    assert process.stdout
    for line in process.stdout:
        if "aws_cloudwatch_log_group.one: Creating..." in line:
            return stack, process
    pytest.fail(f"the apply never began: {process.communicate()}")


def test_terraform_is_the_core_of_the_wheel_from_any_folder(tmp_path: Path) -> None:
    """Also through a symbolic link, as a PATH of links has it."""
    link = tmp_path / "terraform"
    link.symlink_to(TERRAFORM)
    result = subprocess.run(
        [link, "version", "-json"], cwd=tmp_path, env=clean_environment({}), capture_output=True, text=True, check=True
    )
    assert json.loads(result.stdout)["terraform_version"] == "1.15.5"
    assert result.stderr == ""


def test_fails_when_terraform_fails(tmp_path: Path) -> None:
    """The exit status is Terraform's, and its errors go to standard error only."""
    (tmp_path / "main.tf.json").write_text('{"output": {"one": {"value": "${nothing.here}"}}}')
    environment = clean_environment({})
    result = subprocess.run(
        [TERRAFORM, "validate", "-no-color"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stdout) == (1, "")
    assert "Reference to undeclared resource" in result.stderr


def test_a_plan_with_changes_has_its_own_exit_status(engine: OfflineTerraform) -> None:
    stack = engine.stack(samples.stack(samples.log_groups("one")))
    stack.init()
    assert stack.plan("-detailed-exitcode", check=False).status == 2


def test_terraform_installs_the_stand_in_from_its_mirror() -> None:
    """`init` finds version 6.25.0 in the mirror, and every command starts it as a plugin of its own, over TLS."""
    with OfflineTerraform(way="mirror") as engine:
        stack = engine.stack(samples.stack(samples.load_balancer()))
        assert "Installing hashicorp/aws v6.25.0..." in stack.init().text
        # Which cdktf-cli does on its own before anything else.
        stack.run("providers", "lock", "-no-color")
        stack.validate()
        assert set(stack.changes().values()) == {"create"}


def test_fails_when_another_provider_is_wanted() -> None:
    """Nothing is downloaded: what the mirror lacks does not exist."""
    document = samples.stack(samples.log_groups("one"))
    document["terraform"]["required_providers"]["random"] = {"source": "hashicorp/random"}
    with OfflineTerraform(way="mirror") as engine:
        result = engine.stack(document).run("init", "-no-color", check=False)
    assert result.status == 1
    assert "provider registry.terraform.io/hashicorp/random was not found" in " ".join(result.text.split())


def test_a_killed_terraform_leaves_no_provider_behind(held: OfflineTerraform) -> None:
    _, terraform = _applying(held)
    providers = _children(terraform.pid)
    assert providers
    terraform.kill()
    terraform.communicate(timeout=120)
    _wait_until(lambda: not any(map(_lives, providers)), f"the end of {providers}")


def test_an_interrupted_apply_ends_well(held: OfflineTerraform, hold: Hold) -> None:
    """What is under way is finished and stands in the state; what has not begun is not; nothing keeps running."""
    stack, terraform = _applying(held)
    providers = _children(terraform.pid)
    # To all of them at once, as a terminal does it.
    for pid in (terraform.pid, *providers):
        os.kill(pid, signal.SIGINT)
    assert terraform.stdout
    assert any("Interrupt received." in line for line in terraform.stdout)
    hold.end()
    terraform.communicate(timeout=120)
    assert terraform.returncode == 1
    assert set(stack.attributes()) == {"aws_cloudwatch_log_group.one"}
    _wait_until(lambda: not any(map(_lives, providers)), f"the end of {providers}")


def test_fails_when_another_apply_holds_the_state(held: OfflineTerraform, hold: Hold) -> None:
    stack, terraform = _applying(held)
    second = stack.apply(check=False)
    assert second.status == 1
    assert "Error acquiring the state lock" in second.text
    hold.end()
    terraform.communicate(timeout=120)
    assert terraform.returncode == 0
    assert len(stack.attributes()) == 2


def test_a_killed_test_run_leaves_no_provider_behind(tmp_path: Path) -> None:
    """The long-lived stand-in ends with the process that started it."""
    script = (
        "import time; from offline_terraform.engine import OfflineTerraform\n"
        "with OfflineTerraform() as engine: print('ready', flush=True); time.sleep(600)"
    )
    # It cannot take its folder along; so that goes where pytest cleans up.
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    owner = subprocess.Popen(
        [sys.executable, "-c", script], cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout
    assert owner.stdout.readline() == "ready\n"
    providers = _children(owner.pid)
    assert len(providers) == 1
    owner.kill()
    owner.communicate()
    _wait_until(lambda: not any(map(_lives, providers)), f"the end of {providers}")


def test_an_engine_takes_its_processes_and_folders_along() -> None:
    """When a test fails inside it, too."""
    with pytest.raises(ZeroDivisionError), OfflineTerraform() as engine:  # noqa: PT012 the state before is the point
        before = _children(os.getpid())
        stack = engine.stack(samples.stack(samples.log_groups("one")))
        assert stack.folder.exists()
        raise ZeroDivisionError
    assert not stack.folder.exists()
    after = _children(os.getpid())
    assert len(after) == len(before) - 1


def test_the_callers_settings_do_not_reach_terraform(
    engine: OfflineTerraform, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither credentials nor Terraform's own switches nor somebody's CLI configuration."""
    (tmp_path / "terraform.rc").write_text("this is no configuration")
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("TF_CLI_ARGS_plan", "-destroy")
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(tmp_path / "terraform.rc"))
    monkeypatch.setenv("TF_WORKSPACE", "production")
    stack = engine.stack(samples.stack(samples.log_groups("one")))
    stack.init()
    assert stack.changes() == {"aws_cloudwatch_log_group.one": "create"}
    assert not [name for name in stack.environment if name.startswith("AWS_") and name != "AWS_EC2_METADATA_DISABLED"]


_S3 = {"s3": {"bucket": "state", "key": "live", "region": "ap-northeast-2"}}


@pytest.fixture
def synthesized(tmp_path: Path) -> Path:
    """A folder as `cdktf synth` leaves it: two stacks with remote state, the second of them with a mistake."""
    for name, resources in (
        ("Good", samples.load_balancer()),
        ("Bad", {"aws_vpc": {"main": {"cidr_blok": "10.0.0.0/16"}}}),
    ):
        folder = tmp_path / "stacks" / name
        folder.mkdir(parents=True)
        (folder / "cdk.tf.json").write_text(json.dumps(samples.stack(resources, backend=_S3)))
    return tmp_path / "stacks"


def _command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "offline_terraform", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )


def test_validate_names_each_stack_and_leaves_it_untouched(synthesized: Path) -> None:
    result = _command("validate", synthesized / "Good")
    assert (result.returncode, result.stdout, result.stderr) == (0, "Good  valid\n", "")
    assert sorted(path.name for path in synthesized.rglob("*")) == ["Bad", "Good", "cdk.tf.json", "cdk.tf.json"]


def test_fails_when_one_of_several_stacks_is_not_valid(synthesized: Path) -> None:
    """The others are validated all the same; the error is in Terraform's words."""
    result = _command("validate", synthesized / "Bad", synthesized / "Good")
    assert (result.returncode, result.stdout) == (1, "Bad   INVALID\nGood  valid\n")
    assert 'No argument or block type is named "cidr_blok"' in result.stderr


def test_fails_when_nothing_has_been_synthesized(tmp_path: Path) -> None:
    """The shell leaves a pattern as it is that nothing matches."""
    result = _command("validate", tmp_path / "stacks" / "*")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == f"no synthesized stack in {tmp_path}/stacks/* (no cdk.tf.json); run `make synth` first\n"


def test_plan_shows_what_would_be_made_from_nothing(synthesized: Path) -> None:
    result = _command("plan", synthesized / "Good")
    assert (result.returncode, result.stderr) == (0, "")
    assert "# aws_lb.ingest will be created" in result.stdout
    assert "Plan: 6 to add, 0 to change, 0 to destroy." in result.stdout
    assert "\x1b[" not in result.stdout


def test_fails_when_a_plan_has_errors(synthesized: Path) -> None:
    result = _command("plan", synthesized / "Bad")
    assert result.returncode == 1
    assert 'No argument or block type is named "cidr_blok"' in result.stderr


def test_an_interrupted_command_says_so_and_cleans_up(synthesized: Path, tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    many = [synthesized / "Good"] * 200
    process = subprocess.Popen(
        [sys.executable, "-m", "offline_terraform", "validate", *many],
        cwd=REPOSITORY,
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A group of its own, to be interrupted as a terminal would.
        start_new_session=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "Good  valid\n"
    providers = _children(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "interrupted"
    assert "Traceback" not in errors
    assert list(temporary.iterdir()) == []
    _wait_until(lambda: not any(map(_lives, providers)), f"the end of {providers}")
