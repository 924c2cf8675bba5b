"""The environment that a command is about, checked, and its stacks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from config.errors import ConfigurationError
from config.loader import LoadedEnvironment, load_environments
from config.variables import operator_variables
from ops.errors import NotReadyError
from ops.processes import finish

if TYPE_CHECKING:
    from config.environment import EnvironmentConfig

ROOT = Path(__file__).resolve().parent.parent
OUTDIR = ROOT / "cdktf.out"


def find_environment(name: str) -> LoadedEnvironment:
    """The environment of that name.

    Raises:
        NotReadyError: there is none, or a file has a mistake.
    """
    try:
        environments = load_environments(ROOT / "environments", operator_variables(ROOT))
    except ConfigurationError as error:
        raise NotReadyError(str(error)) from None
    by_name = {environment.config.name: environment for environment in environments}
    if name not in by_name:
        raise NotReadyError(f"no environments/{name}.toml; ENV is one of: {' '.join(by_name)}")
    return by_name[name]


def with_account(environment: LoadedEnvironment) -> EnvironmentConfig:
    """Its configuration, if somebody set account and region.

    Raises:
        NotReadyError: a placeholder stands there.
    """
    return _without(environment, [entry for entry in environment.placeholders if entry.startswith("CDK_DEFAULT_")])


def complete(environment: LoadedEnvironment) -> EnvironmentConfig:
    """Its configuration, if there are no placeholders in it.

    Raises:
        NotReadyError: there is one.
    """
    return _without(environment, list(environment.placeholders))


def _without(environment: LoadedEnvironment, placeholders: list[str]) -> EnvironmentConfig:
    if placeholders:
        names = ", ".join(entry.partition("=")[0] for entry in placeholders)
        raise NotReadyError(
            f"{environment.config.name}: {names} must be set in .env (or in environments/"
            f"{environment.config.name}.toml): a placeholder will do for synth, not for AWS"
        )
    return environment.config


def synthesize(stack_name: str) -> Path:
    """Write all stacks, as `make synth` does; the folder of this one.

    Raises:
        NotReadyError: synthesis failed; it has said why.
    """
    process = subprocess.Popen(
        [sys.executable, "main.py"],
        cwd=ROOT,
        env={**os.environ, "CDKTF_OUTDIR": str(OUTDIR)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    if finish(process):
        raise NotReadyError("synthesis failed; nothing was changed")
    return OUTDIR / "stacks" / stack_name
