"""The stand-in as an installable provider: a filesystem mirror, and the Terraform CLI configuration that names it."""

from __future__ import annotations

import json
import platform
import shlex
import sys
from typing import TYPE_CHECKING

from .bindings import find_bindings
from .cache import CACHE_ROOT, REPOSITORY, write_atomically
from .server import ADDRESS, VERSION

if TYPE_CHECKING:
    from pathlib import Path

_GO_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def install_mirror(cache_root: Path = CACHE_ROOT) -> Path:
    """Write the mirror, and return the CLI configuration file (the value of TF_CLI_CONFIG_FILE).

    That configuration allows no other source: a provider that the mirror lacks is an error, not a download.
    """
    root = mirror_folder(cache_root)
    target = f"{platform.system().lower()}_{_GO_ARCHITECTURES[platform.machine()]}"
    executable = root / ADDRESS / VERSION / target / f"terraform-provider-aws_v{VERSION}"
    python, repository = shlex.quote(sys.executable), shlex.quote(str(REPOSITORY))
    write_atomically(
        executable,
        # An interrupt reaches the whole process group; Terraform itself tells its plugins when it is time to end.
        f"#!/bin/sh\ntrap '' INT\nPYTHONPATH={repository} exec {python} -P -m offline_terraform.server\n",
        mode=0o755,
    )
    configuration = root.parent / "terraform.rc"
    write_atomically(
        configuration,
        "disable_checkpoint = true\n"
        f"provider_installation {{\n  filesystem_mirror {{\n    path = {json.dumps(str(root))}\n  }}\n}}\n",
    )
    return configuration


def mirror_folder(cache_root: Path = CACHE_ROOT) -> Path:
    return cache_root / find_bindings().version / "mirror"
