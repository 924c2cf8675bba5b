"""The shipped environments as tests see them: no `.env`, placeholders throughout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from config.loader import load_environment, load_environments
from tests.template import Template

if TYPE_CHECKING:
    from config.environment import EnvironmentConfig

ROOT = Path(__file__).resolve().parent.parent
EVERYTHING = ROOT / "tests" / "environments" / "everything.toml"


def shipped_configs() -> list[EnvironmentConfig]:
    """Dev and prod, as anybody gets them who has no `.env`."""
    return [environment.config for environment in load_environments(ROOT / "environments", {})]


def everything_config() -> EnvironmentConfig:
    """An environment with every option on."""
    return load_environment(EVERYTHING, {}).config


def synthesize_to(outdir: Path, configs: list[EnvironmentConfig]) -> dict[str, Template]:
    """Synthesize and return stack name to template."""
    from stacks.app import build_app  # noqa: PLC0415 - starts jsii, which most tests do not need

    app, stacks = build_app(configs, outdir)
    app.synth()
    names = [str(stack.node.id) for stack in stacks]
    return {name: Template(json.loads((outdir / "stacks" / name / "cdk.tf.json").read_text())) for name in names}
