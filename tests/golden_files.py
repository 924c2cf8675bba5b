"""The golden files: what synthesis of dev and prod is meant to write. `make golden` rewrites them after a review."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from stacks.document import StackDocument
from tests.shipped import ROOT, shipped_configs, synthesize_to
from tests.template import Template

GOLDEN = ROOT / "tests" / "golden"


def golden_names() -> list[str]:
    """The stacks that have a golden file."""
    return [name for config in shipped_configs() for name in (config.bootstrap_stack_name, config.streaming_stack_name)]


def template_path(name: str) -> Path:
    """Where the golden Terraform JSON of a stack lies."""
    return GOLDEN / name / "cdk.tf.json"


def addresses_path(name: str) -> Path:
    """Where the golden list of Terraform addresses of a stack lies."""
    return GOLDEN / name / "addresses.txt"


def addresses_text(template: Template) -> str:
    """One address a line."""
    return "".join(f"{address}\n" for address in template.addresses())


def main() -> int:
    """Rewrite all golden files and say what changed."""
    with tempfile.TemporaryDirectory() as folder:
        outdir = Path(folder)
        synthesize_to(outdir, shipped_configs())
        for name in golden_names():
            text = (outdir / "stacks" / name / "cdk.tf.json").read_text()
            files = {
                template_path(name): text,
                addresses_path(name): addresses_text(Template(StackDocument(name=name, document=json.loads(text)))),
            }
            for path, content in files.items():
                path.parent.mkdir(parents=True, exist_ok=True)
                same = path.exists() and path.read_text() == content
                path.write_text(content)
                print(f"{'same   ' if same else 'written'} {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
