"""Terraform runs on synthesized stacks, with the stand-in for AWS: in a copy, offline, and nothing stays behind."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from .cache import REPOSITORY
from .mirror import install_mirror, mirror_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from .hold import Hold

TERRAFORM = Path(__file__).parent / "bin" / "terraform"
CONFIGURATION = "cdk.tf.json"
DEFAULT_ACCOUNT = "123456789012"

Way = Literal["reattach", "mirror"]
"""How Terraform gets at the stand-in: one long-lived process for all runs (fast), or installed by `init`."""

_START_SECONDS = 120
_RUN_SECONDS = 300
_NOT_COPIED = shutil.ignore_patterns(".terraform*", "*.tfstate*", "*.tfplan", "plan")


class TerraformError(AssertionError):
    """Terraform ended with an error; the text is what it said."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """One finished Terraform command."""

    arguments: tuple[str, ...]
    status: int
    stdout: str
    stderr: str

    @property
    def text(self) -> str:
        return self.stdout + self.stderr


def clean_environment(additions: Mapping[str, str]) -> dict[str, str]:
    """For Terraform: nothing of the caller's AWS or Terraform settings, and no way to the network."""
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR", "LANG", "LC_ALL") if name in os.environ}
    return {
        **kept,
        "AWS_EC2_METADATA_DISABLED": "true",
        "CHECKPOINT_DISABLE": "1",
        # Nothing listens there: a request that wants to leave this machine fails at once.
        "HTTP_PROXY": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "127.0.0.1,localhost",
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
        **additions,
    }


def changes_in(plan: Mapping[str, Any]) -> dict[str, str]:
    """What a plan (as JSON) does, by address: "create", "update", "delete", "delete, create" or "create, delete"."""
    return {
        change["address"]: ", ".join(change["change"]["actions"])
        for change in plan.get("resource_changes", [])
        if change["mode"] == "managed" and change["change"]["actions"] != ["no-op"]
    }


class OfflineTerraform:
    """Terraform without AWS, for any number of stacks.

    Use it in a `with` statement: it owns a provider process and a temporary folder, and leaves neither behind.
    """

    def __init__(
        self,
        *,
        account: str = DEFAULT_ACCOUNT,
        hold: Hold | None = None,
        s3_endpoint: str = "",
        way: Way = "reattach",
    ) -> None:
        self._settings = {
            "OFFLINE_AWS_S3_ENDPOINT": s3_endpoint,
            "OFFLINE_AWS_ACCOUNT": account,
            "OFFLINE_AWS_HOLD": str(hold.file) if hold else "",
        }
        self._way = way
        self._server: subprocess.Popen[bytes] | None = None
        self._access: dict[str, str] = {}
        self._folder = Path()

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="offline-terraform-"))
        try:
            self._access = self._start_server() if self._way == "reattach" else self._use_mirror()
        except BaseException:
            self._clean_up()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._clean_up()

    def _clean_up(self) -> None:
        if self._server:
            self._server.terminate()
            try:
                self._server.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _use_mirror(self) -> dict[str, str]:
        return {
            "TF_CLI_CONFIG_FILE": str(install_mirror()),
            # cdktf-cli runs `terraform providers lock`, which looks at no CLI configuration.
            "TF_CLI_ARGS_providers_lock": f"-fs-mirror={mirror_folder()}",
        }

    def _start_server(self) -> dict[str, str]:
        reattach = self._folder / "reattach.json"
        log = self._folder / "provider.log"
        with log.open("wb") as output:
            self._server = subprocess.Popen(
                [
                    *(sys.executable, "-P", "-m", "offline_terraform.server"),
                    *("--reattach", str(reattach), "--parent", str(os.getpid())),
                ],
                env=clean_environment({"PYTHONPATH": str(REPOSITORY), **self._settings}),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # Out of the terminal's reach: an interrupt is for the Terraform run, which still needs it to end well.
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_SECONDS
        while not reattach.exists():
            if self._server.poll() is not None or time.monotonic() > deadline:
                raise TerraformError(f"the offline provider did not start:\n{log.read_text(errors='replace')}")
            time.sleep(0.01)
        # An empty CLI configuration, so that nobody's ~/.terraformrc is read.
        configuration = self._folder / "terraform.rc"
        configuration.touch()
        return {"TF_REATTACH_PROVIDERS": reattach.read_text(encoding="utf-8"), "TF_CLI_CONFIG_FILE": str(configuration)}

    @property
    def environment(self) -> dict[str, str]:
        """For other programs that run Terraform (cdktf-cli): the command's name, and all it needs."""
        return clean_environment(
            {
                "HOME": str(self._folder),
                "TERRAFORM_BINARY_NAME": str(TERRAFORM),
                **self._settings,
                **self._access,
            }
        )

    def stack(
        self, source: Path | Mapping[str, Any], *, backend: Literal["local", "as synthesized"] = "local"
    ) -> Stack:
        """A working copy of a synthesized stack: a folder with a `cdk.tf.json`, or such a document itself.

        With the local backend the copy's state lives in the copy, whatever backend the stack names.
        """
        folder = Path(tempfile.mkdtemp(prefix="stack-", dir=self._folder))
        if isinstance(source, Path):
            if not (source / CONFIGURATION).is_file():
                raise FileNotFoundError(
                    f"no synthesized stack in {source} (no {CONFIGURATION}); run `make synth` first"
                )
            shutil.copytree(source, folder, ignore=_NOT_COPIED, dirs_exist_ok=True)
        else:
            (folder / CONFIGURATION).write_text(json.dumps(source, indent=2), encoding="utf-8")
        if backend == "local":
            override = {"terraform": {"backend": {"local": {"path": "terraform.tfstate"}}}}
            (folder / "backend_override.tf.json").write_text(json.dumps(override), encoding="utf-8")
        return Stack(folder=folder, environment=self.environment)


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A working copy of one stack, and the Terraform commands on it."""

    folder: Path
    environment: Mapping[str, str]

    def configure(self, document: Mapping[str, Any]) -> None:
        """Replace the stack's configuration, as another synthesis would."""
        (self.folder / CONFIGURATION).write_text(json.dumps(document, indent=2), encoding="utf-8")

    def start(self, *arguments: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """A Terraform command in a process of its own, to be watched, interrupted or killed by the caller."""
        return subprocess.Popen(
            [str(TERRAFORM), *arguments],
            cwd=self.folder,
            env={**self.environment, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, check: bool = True, environment: Mapping[str, str] | None = None) -> Result:
        """A Terraform command, finished.

        Raises:
            TerraformError: It failed, and `check` was not turned off.
        """
        with self.start(*arguments, environment=environment) as process:
            try:
                stdout, stderr = process.communicate(timeout=_RUN_SECONDS)
            except BaseException:
                process.kill()
                raise
        result = Result(arguments=arguments, status=process.returncode, stdout=stdout, stderr=stderr)
        if check and result.status:
            raise TerraformError(f"terraform {' '.join(arguments)} ended with {result.status}:\n{result.text}")
        return result

    def init(self, *arguments: str) -> Result:
        return self.run("init", "-no-color", *arguments)

    def validate(self, *, check: bool = True) -> Result:
        return self.run("validate", "-no-color", check=check)

    def plan(self, *arguments: str, check: bool = True) -> Result:
        return self.run("plan", "-no-color", *arguments, check=check)

    def plan_json(self, *arguments: str) -> dict[str, Any]:
        """The plan as `terraform show -json` gives it; the plan file is `plan`."""
        self.run("plan", "-no-color", "-out=plan", *arguments)
        document: dict[str, Any] = json.loads(self.run("show", "-json", "plan").stdout)
        return document

    def changes(self, *arguments: str) -> dict[str, str]:
        """What a plan would do; see `changes_in`."""
        return changes_in(self.plan_json(*arguments))

    def apply(self, *arguments: str, check: bool = True) -> Result:
        return self.run("apply", "-no-color", "-auto-approve", *arguments, check=check)

    def destroy(self, *, check: bool = True) -> Result:
        return self.run("destroy", "-no-color", "-auto-approve", check=check)

    def outputs(self) -> dict[str, Any]:
        document = json.loads(self.run("output", "-json").stdout)
        return {name: output["value"] for name, output in document.items()}

    def attributes(self) -> dict[str, dict[str, Any]]:
        """The values in the state, by resource address."""
        document = json.loads(self.run("show", "-json").stdout)
        resources = document.get("values", {}).get("root_module", {}).get("resources", [])
        return {resource["address"]: resource["values"] for resource in resources}
