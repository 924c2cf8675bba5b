"""`python -m cdk_terrain`: synthesize every environment with CDKTF and with CDK Terrain, and compare.

Exit code 0 when the stacks are the same but for the version fields, 1 when they differ, 2 when one of them fails.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from cdk_terrain.compare import VERSION_FIELDS, differences

ROOT = Path(__file__).resolve().parent.parent
SUCCESSOR = Path(__file__).resolve().parent / ".venv" / "bin" / "python"


def main() -> int:
    if not SUCCESSOR.exists():
        print("cdk_terrain/.venv is missing: run make synth-cdktn, which sets it up", file=sys.stderr)
        return 2
    print("synth-cdktn: synthesizing with cdktf and with cdktn ...", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(prefix="synth-cdktn-") as folder:
        outdirs = {"cdktf": Path(folder, "cdktf"), "cdktn": Path(folder, "cdktn")}
        running = {
            "cdktf": _synthesis(sys.executable, outdirs["cdktf"]),
            "cdktn": _synthesis(str(SUCCESSOR), outdirs["cdktn"]),
        }
        outputs = {name: process.communicate()[0] for name, process in running.items()}
        for name, process in running.items():
            if process.returncode != 0:
                print(f"{outputs[name]}\nsynth-cdktn: {name} failed (its output is above)", file=sys.stderr)
                return 2
        stacks = sorted(path.name for path in (outdirs["cdktn"] / "stacks").iterdir())
        different = differences(outdirs["cdktf"] / "stacks", outdirs["cdktn"] / "stacks")
    for diff in different.values():
        print(diff)
    for name in stacks:
        print(f"{name}  {'differs (above)' if name in different else 'the same'}")
    fields = ", ".join(".".join(path) for path in VERSION_FIELDS)
    print(f"synth-cdktn: {len(stacks) - len(different)} of {len(stacks)} stacks are the same but for {fields}")
    return 1 if different else 0


def _synthesis(python: str, outdir: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [python, "main.py"],
        cwd=ROOT,
        env={**os.environ, "CDKTF_OUTDIR": str(outdir)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)  # the syntheses got the same signal and say so
