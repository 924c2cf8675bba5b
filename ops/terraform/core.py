"""The operator's Terraform, run in a stack's folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ops.errors import FailedError, NotReadyError
from ops.processes import finish, nothing
from ops.terminal import say

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OLDEST = (1, 10)  # the first with a lock file in S3 (constructs_lib/terraform/remote_state.py)
PLAN_FILE = "ops.tfplan"
_CHANGES = 2  # exit status of plan -detailed-exitcode


def find_terraform() -> str:
    """The command: TERRAFORM_BINARY_NAME, as for cdktf, or the terraform on PATH.

    Raises:
        NotReadyError: there is none, or it is too old.
    """
    name = os.environ.get("TERRAFORM_BINARY_NAME") or "terraform"
    command = shutil.which(name)
    if command is None:
        raise NotReadyError(
            f"no {name} on PATH: install Terraform {_dotted(OLDEST)} or later "
            "(or name another command in TERRAFORM_BINARY_NAME)"
        )
    run = subprocess.run([command, "version", "-json"], capture_output=True, text=True, check=False)
    try:
        version = str(json.loads(run.stdout)["terraform_version"])
        numbers = tuple(int(part) for part in version.split("-", maxsplit=1)[0].split("."))
    except (ValueError, KeyError):
        raise NotReadyError(f"{command} version -json does not tell a version: {run.stdout + run.stderr}") from None
    if numbers < OLDEST:
        raise NotReadyError(f"{command} is Terraform {version}: {_dotted(OLDEST)} or later is needed, for the S3 lock")
    return command


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


@dataclass(frozen=True, kw_only=True, slots=True)
class Terraform:
    """Commands on one stack."""

    command: str
    folder: Path
    meanwhile: Callable[[], None] = nothing  # while a command runs: something to be done again and again

    def init(self, *arguments: str) -> None:
        """Its output is shown only when it fails.

        Raises:
            FailedError: it failed.
        """
        self._drop_torn_record()
        self._quietly(["init", "-input=false", *arguments])

    def _drop_torn_record(self) -> None:
        """Terraform notes the backend in use in a file of its data folder, and writes that in place.

        Killed in the act it leaves half a file, which every later init stumbles over, also one with -reconfigure. The
        note says nothing that the stack does not say as well.
        """
        record = self.folder / os.environ.get("TF_DATA_DIR", ".terraform") / "terraform.tfstate"
        try:
            json.loads(record.read_bytes())
        except FileNotFoundError:
            pass
        except ValueError:
            record.unlink()

    def plan(self, *arguments: str) -> bool:
        """Show and keep a plan; whether there is anything in it to apply.

        Raises:
            FailedError: it failed.
        """
        status = self._run(["plan", "-input=false", "-detailed-exitcode", f"-out={PLAN_FILE}", *arguments])
        if status not in (0, _CHANGES):
            raise FailedError(self._failed("plan"))
        return status == _CHANGES

    def planned(self) -> dict[str, Any]:
        """The kept plan, in Terraform's JSON.

        Raises:
            FailedError: it cannot be read.
        """
        with tempfile.TemporaryFile() as output:
            if self._run(["show", "-json", PLAN_FILE], output=output):
                raise FailedError(self._failed("show"))
            output.seek(0)
            # Terraform's warnings come on lines before the document.
            document: dict[str, Any] = json.loads(output.read().decode().splitlines()[-1])
            return document

    def apply_planned(self) -> None:
        """Do what was shown, and nothing else: Terraform refuses when the state has changed since.

        Raises:
            FailedError: it failed.
        """
        if self._run(["apply", "-input=false", PLAN_FILE]):
            raise FailedError(self._failed("apply"))

    def adopt(self, address: str, id_: str) -> None:
        """Take something that exists into the state (`terraform import`). Its output is shown only when it fails.

        Raises:
            FailedError: it failed.
        """
        self._quietly(["import", "-input=false", address, id_])

    def forget_plan(self) -> None:
        """A plan file holds values of the state."""
        (self.folder / PLAN_FILE).unlink(missing_ok=True)

    def _quietly(self, arguments: list[str]) -> None:
        with tempfile.TemporaryFile() as output:
            if self._run(arguments, output=output):
                output.seek(0)
                say(output.read().decode(errors="replace").strip())
                raise FailedError(self._failed(arguments[0]))

    def _run(self, arguments: list[str], output: Any = None) -> int:
        # Terraform colours whatever it writes to, terminal or not.
        colour = [] if output is None and sys.stdout.isatty() and "NO_COLOR" not in os.environ else ["-no-color"]
        process = subprocess.Popen(
            [self.command, arguments[0], *([] if arguments[0] == "show" else colour), *arguments[1:]],
            cwd=self.folder,
            env={**os.environ, "TF_IN_AUTOMATION": "1", "TF_INPUT": "0"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output is not None else None,
        )
        return finish(process, self.meanwhile)

    def _failed(self, what: str) -> str:
        return (
            f"terraform {what} failed; what it says stands above. If it is the state's lock and its holder is gone:\n"
            f"  terraform -chdir={os.path.relpath(self.folder)} force-unlock <ID>"
        )


def plan_ask_apply(terraform: Terraform, ask: Callable[[], None], *arguments: str) -> bool:
    """Show the plan, ask, do just that. False when there is nothing to do.

    Raises:
        FailedError: Terraform failed, or `ask` got a no.
    """
    try:
        if not terraform.plan(*arguments):
            return False
        ask()
        terraform.apply_planned()
    finally:
        terraform.forget_plan()
    return True
