"""The figures of broadcasts, side by side with an earlier commit's: `make bench-broadcast AGAINST=<git ref>`.

Both are measured in turn, row by row, in one run on one machine: what it does besides hits both alike.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.broadcast.__main__ import ROWS

REPOSITORY = Path(__file__).resolve().parents[1]
_BUILT = (".venv", "node_modules", "container/player/dist", "container/player/node_modules")
_USUAL = ("latency", "cost", "viewers", "memory")


def measure(tree: Path, row: str, seconds: float | None) -> list[list[str]]:
    """The cells of each line that the bench in this tree prints for a row."""
    command = [sys.executable, "-m", "bench.broadcast", row]
    command += [] if seconds is None else ["--seconds", str(seconds)]
    environment = os.environ | {"PYTHONPATH": str(tree / "container")}
    done = subprocess.run(command, cwd=tree, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    lines = [line.strip("|").split("|") for line in done.stdout.splitlines()[2:] if line.startswith("|")]
    if not lines:
        sys.exit(f"bench: {row} measured nothing in {tree}")
    return [[cell.strip() for cell in line] for line in lines]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ref", help="a commit, a branch or a tag")
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(ROWS)}; {', '.join(_USUAL)} if none")
    parser.add_argument("--seconds", type=float, help="instead of each row's own duration")
    options = parser.parse_args()
    if unknown := set(options.rows) - set(ROWS):
        parser.error(f"unknown row {', '.join(unknown)}; there are {', '.join(ROWS)}")
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        before = Path(temporary) / "before"
        subprocess.run(
            ["git", "worktree", "add", "--quiet", "--detach", str(before), options.ref], cwd=REPOSITORY, check=True
        )
        try:
            for name in _BUILT:
                if (REPOSITORY / name).exists() and not (before / name).exists():
                    (before / name).symlink_to(REPOSITORY / name)
            print(f"| what | {options.ref} | now | goal | machine |\n|---|---|---|---|---|")
            for row in options.rows or _USUAL:
                then = measure(before, row, options.seconds)
                now = measure(REPOSITORY, row, options.seconds)
                for old, new in zip(then, now, strict=True):
                    print(f"| {new[0]} | {old[1]} | {new[1]} | {new[2]} | {old[4]}; {new[4]} |", flush=True)
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(before)], cwd=REPOSITORY, check=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
