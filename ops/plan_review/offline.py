"""Plans of an environment without AWS: from nothing, or from what another commit had left."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from offline_terraform.bindings import BindingsNotFoundError
from offline_terraform.engine import CONFIGURATION, OfflineTerraform, TerraformError
from ops.environment import ROOT, find_environment
from ops.errors import FailedError, NotReadyError
from ops.plan_review.reading import plan_in
from ops.processes import finish
from ops.terminal import say
from policy.findings_file import new_against, read_findings, report

if TYPE_CHECKING:
    from collections.abc import Iterator

    from offline_terraform.engine import Stack
    from ops.plan_review.plan import Plan
    from policy.findings_file import ReportedFinding

_DOTENV = ".env"


def offline_plans(
    environment: str, base: str | None, keep_in: Path | None = None
) -> tuple[list[Plan], tuple[ReportedFinding, ...]]:
    """The plans of an environment's stacks, as configured in the working tree; and what policy finds that is new.

    Without a base nothing is: what it finds, `make policy` says.

    Raises:
        NotReadyError: there is no such environment or commit, or it cannot be synthesized.
        FailedError: Terraform failed.
    """
    config = find_environment(environment).config
    names = (config.bootstrap_stack_name, config.streaming_stack_name)
    with tempfile.TemporaryDirectory(prefix="plan-review-") as folder:
        now = _synthesize(ROOT, Path(folder) / "now", "the working tree")
        before = _synthesize_base(base, Path(folder)) if base is not None else None
        try:
            with OfflineTerraform(account=config.aws.account) as engine:
                documents = {name: _planned(engine, now / name, before and before / name) for name in names}
        except (BindingsNotFoundError, TerraformError) as error:
            raise FailedError(str(error)) from None
        findings = _new_findings(before, now, environment) if before is not None else ()
    if keep_in is not None:
        _keep(keep_in, environment, documents, findings)
    plans = [plan_in(each, source=f"{name}, offline", environment=environment) for name, each in documents.items()]
    return plans, findings


def _keep(
    folder: Path, environment: str, documents: dict[str, dict[str, object]], findings: tuple[ReportedFinding, ...]
) -> None:
    """For somebody who reviews them elsewhere: `plan-review FOLDER/Live*.json --findings ...`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, document in documents.items():
            (folder / f"{name}.json").write_text(json.dumps(document), encoding="utf-8")
        report(folder / f"findings-{environment}.json", findings)
    except OSError as error:
        raise FailedError(f"{folder}: the plans cannot be kept there: {error.strerror}") from None


def _new_findings(before: Path, now: Path, environment: str) -> tuple[ReportedFinding, ...]:
    """By the working tree's rules and lists, on both."""
    say("checkov and our own policy, on both ...")
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "policy", str(stacks), "--json", str(stacks.with_name("findings.json"))],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        for stacks in (before, now)
    ]
    if any(finish(process) not in (0, 1) for process in running):
        raise FailedError("policy failed; what it says stands above")
    known, found = (read_findings(stacks.with_name("findings.json")) for stacks in (before, now))
    return tuple(finding for finding in new_against(known, found) if finding.environment == environment)


def _planned(engine: OfflineTerraform, now: Path, before: Path | None) -> dict[str, object]:
    if before is None:
        say(f"{now.name}: planned offline, against an empty account")
        stack = _initialized(engine, now)
    elif not (before / CONFIGURATION).is_file():
        say(f"{now.name}: the base has no such stack; planned offline, against an empty account")
        stack = _initialized(engine, now)
    else:
        say(f"{now.name}: planned offline, against what the base had left")
        stack = _initialized(engine, before)
        stack.apply()
        shutil.copy(now / CONFIGURATION, stack.folder / CONFIGURATION)
        # A base with another provider version has locked that one.
        stack.init("-upgrade")
    return stack.plan_json()


def _initialized(engine: OfflineTerraform, source: Path) -> Stack:
    stack = engine.stack(source)
    stack.init()
    return stack


def _synthesize_base(base: str, folder: Path) -> Path:
    commit = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{base}^{{commit}}")
    if commit is None:
        raise NotReadyError(f"BASE={base}: git knows no such branch, tag or commit (git fetch?)")
    with _checked_out(commit.strip(), folder / "base") as tree:
        return _synthesize(tree, folder / "before", f"{base} ({commit[:9]})")


@contextmanager
def _checked_out(commit: str, tree: Path) -> Iterator[Path]:
    """The commit's files, with this working tree's .env: the account and the backend are what they are."""
    if _git("worktree", "add", "--detach", "--quiet", str(tree), commit) is None:
        raise NotReadyError(f"git worktree add failed for {commit}")
    try:
        if (ROOT / _DOTENV).is_file():
            shutil.copy(ROOT / _DOTENV, tree / _DOTENV)
        yield tree
    finally:
        _git("worktree", "remove", "--force", str(tree))


def _git(*arguments: str) -> str | None:
    """What git says; None when it fails. No hooks: a checkout that is thrown away again is nobody's business."""
    run = subprocess.run(
        ["git", "-c", f"core.hooksPath={os.devnull}", *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    return None if run.returncode else run.stdout


def _synthesize(tree: Path, outdir: Path, what: str) -> Path:
    """The stacks of a tree, by its own code and this interpreter."""
    say(f"synthesizing {what} ...")
    log = outdir.with_suffix(".log")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "main.py"],
            cwd=tree,
            env={**os.environ, "CDKTF_OUTDIR": str(outdir)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        status = finish(process)
    if status:
        say(log.read_text(errors="replace").strip()[-4000:])
        raise NotReadyError(f"{what} cannot be synthesized; what it says stands above")
    return outdir / "stacks"
