"""Write the stacks as Terraform JSON, and say what was written."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stacks.app import build_app
from stacks.document import CONFIGURATION, StackDocument
from stacks.sources import recorded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from config.environment import EnvironmentConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class WrittenStack:
    """One stack on disk."""

    name: str
    path: Path  # of its cdk.tf.json
    resources: int
    data_sources: int


def synthesize(configs: Iterable[EnvironmentConfig], progress: Callable[[str], None]) -> list[WrittenStack]:
    """Write every stack below `CDKTF_OUTDIR` (`cdktf.out`), and remove those of environments that are gone."""
    with recorded() as sources:
        app, stacks = build_app(configs, progress=progress)
    app.synth()
    sources.write(Path(app.outdir))
    stacks_folder = Path(app.outdir) / "stacks"
    names = [str(stack.node.id) for stack in stacks]
    for stale in sorted(stacks_folder.iterdir()):
        if stale.name not in names:
            shutil.rmtree(stale)
    return [_written(name, stacks_folder / name / CONFIGURATION) for name in names]


def _written(name: str, path: Path) -> WrittenStack:
    addresses = StackDocument.read(path.parent).addresses
    data_sources = sum(address.startswith("data.") for address in addresses)
    return WrittenStack(name=name, path=path, resources=len(addresses) - data_sources, data_sources=data_sources)


def table(written: Iterable[WrittenStack]) -> str:
    """Return the stacks as a table for people: name, resources, where the file is."""
    rows = [("Stack", "Resources", "File")]
    rows += [(stack.name, str(stack.resources), os.path.relpath(stack.path)) for stack in written]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    return "\n".join(f"{name:<{widths[0]}}  {count:>{widths[1]}}  {path}" for name, count, path in rows)
