"""The figures of a broadcast, measured on this machine: `make bench-broadcast`, or with ROWS="cost memory" only some.

Everything runs here, publisher, origin and viewer: what the machine does besides is printed with the table, and ratios
are taken within one run. All rows take about half an hour.
"""

import argparse
import os
import sys

from bench.broadcast.capacity import memory_row, real_time_row, viewers_row
from bench.broadcast.cost import cost_row
from bench.broadcast.figures import Row
from bench.broadcast.latency import OBS, ZERO_LATENCY, low_latency_row, ordinary_row
from bench.broadcast.recovery import crash_row, ghost_row, worker_row

ROWS: dict[str, tuple[float, Row]] = {
    "latency": (60, low_latency_row("zerolatency", ZERO_LATENCY, 1.5, 2.5)),
    "latency-obs": (60, low_latency_row("OBS's usual settings", OBS, 2.0, 3.0)),
    "latency-ordinary": (40, ordinary_row),
    "cost": (60, cost_row),
    "copied": (300, real_time_row(3, "copied", "-g", "60")),
    "encoded": (300, real_time_row(2, "encoded", "-g", "250")),
    "viewers": (300, viewers_row),
    "memory": (120, memory_row),
    "crash": (50, crash_row),
    "worker": (40, worker_row),
    "ghost": (15, ghost_row),
}


def load() -> str:
    one, five, _ = os.getloadavg()
    return f"{os.cpu_count()} cores, load {one:.1f} (1 min) {five:.1f} (5 min)"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(ROWS)}; all if none is named")
    parser.add_argument("--seconds", type=float, help="instead of each row's own duration")
    options = parser.parse_args()
    if unknown := set(options.rows) - set(ROWS):
        parser.error(f"unknown row {', '.join(unknown)}; there are {', '.join(ROWS)}")
    reached = True
    print("| what | measured | goal | reached | machine before |")
    print("|---|---|---|---|---|")
    for name in options.rows or ROWS:
        seconds, measure = ROWS[name]
        before = load()
        for figure in measure(options.seconds or seconds):
            reached &= figure.reached
            shown = "yes" if figure.reached else "NO"
            print(f"| {figure.what} | {figure.measured} | {figure.goal} | {shown} | {before} |", flush=True)
    return not reached


if __name__ == "__main__":
    sys.exit(main())
