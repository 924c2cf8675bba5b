"""The CDKTF app: every environment's two stacks, statically listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cdktf import App

from stacks.bootstrap import BootstrapStack
from stacks.streaming import StreamingStack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from cdktf import TerraformStack

    from config.environment import EnvironmentConfig

# Addresses must not depend on the stack's name: it holds the environment's. The command line passes the context of
# cdktf.json and a plain run does not, so it stands here, for both.
CONTEXT = {"excludeStackIdFromLogicalIds": "true", "allowSepCharsInLogicalIds": "true"}


def _ignore(_stack_name: str) -> None:
    pass


def build_app(
    configs: Iterable[EnvironmentConfig], outdir: Path | None = None, progress: Callable[[str], None] = _ignore
) -> tuple[App, list[TerraformStack]]:
    """Define the stacks of all environments; `progress` hears each stack's name. Without `outdir`, CDKTF's own."""
    app = App(context=dict(CONTEXT), outdir=str(outdir) if outdir is not None else None)
    stacks: list[TerraformStack] = []
    for config in configs:
        progress(config.bootstrap_stack_name)
        stacks.append(BootstrapStack(app, config))
        progress(config.streaming_stack_name)
        stacks.append(StreamingStack(app, config))
    return app, stacks
