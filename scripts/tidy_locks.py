"""Take every registry address out of the lock files, so that they name packages and hashes and nothing else."""

from __future__ import annotations

import json
import sys
from pathlib import Path


def tidy_pipfile_lock(path: Path) -> None:
    lock = json.loads(path.read_text())
    lock["_meta"]["sources"] = []
    for group, packages in lock.items():
        if group != "_meta":
            for package in packages.values():
                package.pop("index", None)
    path.write_text(json.dumps(lock, indent=4, sort_keys=True) + "\n")


def tidy_package_lock(path: Path) -> None:
    lock = json.loads(path.read_text())
    for package in lock["packages"].values():
        package.pop("resolved", None)
    path.write_text(json.dumps(lock, indent=2) + "\n")


def main(names: list[str]) -> None:
    for path in map(Path, names):
        (tidy_package_lock if path.name == "package-lock.json" else tidy_pipfile_lock)(path)


if __name__ == "__main__":
    main(sys.argv[1:])
