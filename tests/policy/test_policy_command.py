"""`python -m policy` with the real checkov."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from policy.__main__ import main
from policy.checkov_scan import scan
from policy.findings import PolicyError, read_stacks
from tests.golden_files import golden_names

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow  # checkov takes seconds a run; make check runs it once, as make policy


@pytest.fixture
def stacks(synthesized: Path, tmp_path: Path) -> Path:
    """A copy of dev's and prod's stacks, to be changed."""
    for name in golden_names():
        shutil.copytree(synthesized / name, tmp_path / name)
    return tmp_path


def edit(stacks: Path, stack: str, type_: str, id_start: str, **arguments: Any) -> None:
    path = stacks / stack / "cdk.tf.json"
    document = json.loads(path.read_text())
    (resource,) = [one for id_, one in document["resource"][type_].items() if id_.startswith(id_start)]
    resource.update(arguments)
    path.write_text(json.dumps(document))


NOBODYS = os.devnull  # nothing accepted but by design


def test_the_shipped_stacks_have_no_unexplained_finding(stacks: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And what is accepted by design has no entry left over."""
    code = main([str(stacks), "--strict", "--accepted", NOBODYS])

    output = capsys.readouterr().out
    assert code == 0, output
    assert "0 unexplained, 0 entries unused" in output


def test_a_copy_under_another_name_passes(synthesized: Path, tmp_path: Path) -> None:
    """A third environment is a third file and nothing else, also one that costs little."""
    for name in golden_names():
        shutil.copytree(synthesized / name, tmp_path / name.replace("-prod", "-live").replace("-dev", "-staging"))

    assert main([str(tmp_path), "--accepted", NOBODYS]) == 0


def test_fails_when_checkov_finds_something_new(stacks: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Checkov's own rule, the stack and the address are named."""
    edit(stacks, "LiveCommerceStreamingStack-prod", "aws_ecs_service", "Service", platform_version="1.3.0")

    code = main([str(stacks), "--accepted", NOBODYS])

    output = capsys.readouterr().out
    assert code == 1
    assert "FINDING   LiveCommerceStreamingStack-prod  aws_ecs_service.Service_DBC79909  CKV_AWS_332" in output


def test_what_is_said_to_add_accepts_the_finding(
    stacks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A protected environment whose logs go after a month: its owner's choice, and its owner's reason."""
    edit(stacks, "LiveCommerceStreamingStack-prod", "aws_cloudwatch_log_group", "Logs_", retention_in_days=30)
    yours = tmp_path / "accepted.toml"
    arguments = [str(stacks), "--strict", "--accepted", str(yours)]

    assert main(arguments) == 1
    added = capsys.readouterr().out.partition("with your reason:\n")[2].partition("policy: ")[0]
    yours.write_text(added.replace('reason = ""', 'reason = "our auditors want no more than that"'))

    assert main(arguments) == 0


def test_entries_that_match_nothing_are_a_note_and_strictly_an_error(
    stacks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever turns an option on in one environment need not edit a list at once."""
    yours = tmp_path / "accepted.toml"
    yours.write_text('[[accepted]]\ncheck = "CKV_1"\naddresses = ["a.b"]\nreason = "was looked at last year"\n')
    arguments = [str(stacks), "--accepted", str(yours)]

    assert main(arguments) == 0
    assert "note      accepted.toml: CKV_1 a.b *: matches no finding" in capsys.readouterr().out

    edit(stacks, "LiveCommerceStreamingStack-dev", "aws_lb", "Ingest", enable_deletion_protection=True)
    assert main([*arguments, "--strict"]) == 1
    assert "UNUSED    policy/accepted_by_design.toml: CKV_AWS_150 aws_lb.Ingest_4069586C" in capsys.readouterr().out


def test_reasons_are_told_on_request(stacks: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For the security engineer: every exception with its reason."""
    main([str(stacks), "--explain", "--accepted", NOBODYS])

    accepted = [line for line in capsys.readouterr().out.splitlines() if line.startswith("accepted")]
    assert len(accepted) > 50
    assert all(len(line.partition(": ")[2]) >= 20 for line in accepted)


def test_fails_when_a_stack_cannot_be_parsed(stacks: Path) -> None:
    """Checkov itself would report nothing and exit with 0."""
    path = stacks / "LiveCommerceStreamingStack-dev" / "cdk.tf.json"
    document = json.loads(path.read_text())
    document["terraform"]["required_version"] = ">= 1.10"  # checkov 3.3 cannot read it
    path.write_text(json.dumps(document))

    with pytest.raises(PolicyError, match="checkov could not parse 1 of 4 stacks"):
        scan(stacks, read_stacks(stacks))


def test_fails_when_nothing_was_synthesized(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2 and the way out, no traceback."""
    assert main([str(tmp_path)]) == 2
    assert "run make synth first" in capsys.readouterr().err


def test_the_roles_of_workflows_are_all_that_the_optional_parts_add(synthesized: Path) -> None:
    """With every option on, checkov's only new objection is to the breadth of what may deploy and what may plan."""
    findings = scan(synthesized, read_stacks(synthesized)).findings

    shipped = {(one.check, one.address) for one in findings if one.environment != "everything"}
    new = {(one.check, one.address) for one in findings if one.environment == "everything"} - shipped
    document = "data.aws_iam_policy_document"
    assert {address for _, address in new} == {f"{document}.Deploy_Policy_5CC44D98", f"{document}.Plan_Policy_E7BA2315"}
