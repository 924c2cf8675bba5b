"""What `make` says before any work begins."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.shipped import ROOT


@pytest.mark.parametrize(
    "target",
    ["plan", "bootstrap", "deploy", "outputs", "destroy", "destroy-bootstrap", "broadcasts", "vulnerabilities"],
)
def test_fails_when_the_environment_does_not_exist(target: str) -> None:
    """At once: nothing is set up or synthesized for it."""
    run = subprocess.run(
        ["make", "--no-print-directory", target, "ENV=no-such"],
        cwd=ROOT,
        # As from a shell: the make that runs the tests speaks to its own children through these.
        env={name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 2
    assert run.stdout == ""
    known = " ".join(sorted(path.stem for path in (ROOT / "environments").glob("*.toml")))
    assert run.stderr.startswith(f"no environments/no-such.toml; ENV is one of: {known}\n")
