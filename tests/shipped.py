"""Environments of the tests' own, without `.env`: dev and prod as they are shipped, and one with every option on.

Those in `environments/` belong to whoever deploys them, and may say anything that is valid.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from config.loader import load_environment
from tests.template import Template

if TYPE_CHECKING:
    from config.environment import EnvironmentConfig

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENTS = ROOT / "tests" / "environments"
EVERYTHING = ENVIRONMENTS / "everything.toml"
NAMES = ("dev", "prod")


def shipped_configs() -> list[EnvironmentConfig]:
    """Dev and prod, as anybody gets them who has no `.env`."""
    return [load_environment(ENVIRONMENTS / f"{name}.toml", {}).config for name in NAMES]


def copy_environments(folder: Path) -> None:
    """Make `folder/environments` with the files of dev and prod, to write into."""
    (folder / "environments").mkdir()
    for name in NAMES:
        shutil.copy(ENVIRONMENTS / f"{name}.toml", folder / "environments")


def everything_config() -> EnvironmentConfig:
    """An environment with every option on."""
    return load_environment(EVERYTHING, {}).config


def synthesize_to(outdir: Path, configs: list[EnvironmentConfig]) -> dict[str, Template]:
    """Synthesize and return stack name to template."""
    from stacks.app import build_app  # noqa: PLC0415 - starts jsii, which most tests do not need
    from stacks.document import StackDocument  # noqa: PLC0415 - likewise

    app, stacks = build_app(configs, outdir)
    app.synth()
    names = [str(stack.node.id) for stack in stacks]
    return {name: Template(StackDocument.read(outdir / "stacks" / name)) for name in names}
