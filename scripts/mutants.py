"""Small faults put into the most dangerous code, one at a time: which of them do its quick tests not find?

`python scripts/mutants.py` tries some of each module's, chosen by a seed; `--all` all of them (hours); names of modules
choose. The score is how many were found. A mutant that survives is code that no quick test depends on, or a change
that changes nothing: docs/mutants.md says which is which.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import random
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cosmic_ray.commands.init import init
from cosmic_ray.mutating import mutate_and_test
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import TestOutcome, WorkerOutcome

if TYPE_CHECKING:
    import queue
    from collections.abc import Sequence

    from cosmic_ray.work_item import WorkItem, WorkResult

REPOSITORY = Path(__file__).resolve().parents[1]
_SLOWER = 5  # than without a mutant: then it hangs, which counts as found
_LEAST_SECONDS = 60.0
# `int | None` in an annotation is no code; every change of it fails at once and says nothing.
_NO_CODE = "ReplaceBinaryOperator_BitOr"
# Nor is what stands in these lines: a data class frozen or not, a parameter by name or by position.
_NO_CODE_IN = ("@dataclass(", "def ", "async def ", "if TYPE_CHECKING:")
_IN_THE_WAY = ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER")


@dataclass(frozen=True, kw_only=True)
class Target:
    """A module, and what has to find its faults: all of it quick, without nginx, FFmpeg or AWS."""

    module: str
    tests: tuple[str, ...]


TARGETS = {
    "leases": Target(
        module="container/origin/cluster/leases.py",
        tests=("tests/container/cluster/test_leases.py", "tests/container/cluster/test_lookups.py"),
    ),
    "routing": Target(module="container/origin/delivery/routing.py", tests=("tests/container/delivery",)),
    "timeline": Target(module="container/origin/packaging/timeline.py", tests=("tests/container/packaging",)),
    "segmenter": Target(module="container/origin/packaging/segmenter.py", tests=("tests/container/packaging",)),
    "window": Target(module="container/origin/packaging/window.py", tests=("tests/container/packaging",)),
    "decision": Target(
        module="container/origin/broadcast/decision.py", tests=("tests/container/broadcast/test_decision.py",)
    ),
    "rules": Target(module="policy/rules.py", tests=("tests/policy/test_rules.py",)),
}


def command(target: Target) -> str:
    tests = ["-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-m", "not slow", *target.tests]
    return shlex.join([sys.executable, *tests])


def copy_to(folder: Path) -> None:
    """What git knows, as it is in the working tree, and the tools beside it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        source, copy = REPOSITORY / name, folder / name
        if source.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(source.read_bytes())
            copy.chmod(source.stat().st_mode)
    for name in (".venv", "node_modules"):
        if (REPOSITORY / name).exists():
            (folder / name).symlink_to(REPOSITORY / name)


def baseline(target: Target, folder: Path) -> float:
    """How long its tests take without a fault, in seconds; they must pass."""
    began = time.monotonic()
    done = subprocess.run(shlex.split(command(target)), cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"mutants: without any fault, {command(target)} fails:\n{(done.stdout + done.stderr)[-3000:]}")
    return time.monotonic() - began


def work_items(target: Target, folder: Path) -> list[WorkItem]:
    with contextlib.chdir(folder), use_db(folder / "mutants.sqlite", mode=WorkDB.Mode.create) as database:
        init([Path(target.module)], database, {})
        lines = Path(target.module).read_text().splitlines()
        return [
            item
            for item in database.pending_work_items
            if not any(
                _NO_CODE in mutation.operator_name or lines[mutation.start_pos[0] - 1].lstrip().startswith(_NO_CODE_IN)
                for mutation in item.mutations
            )
        ]


def try_one(work: tuple[WorkItem, str, float, queue.Queue[str]]) -> WorkResult:
    """In a copy of its own: nobody else's fault is in there."""
    item, test_command, seconds, folders = work
    folder = folders.get()
    try:
        os.chdir(folder)
        return mutate_and_test(item.mutations, test_command, seconds)
    finally:
        folders.put(folder)


def run(name: str, target: Target, sample: int | None, seed: int, jobs: int) -> tuple[int, int]:
    """Try them, print what survives; how many were found, of how many."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as temporary:
        copies = [Path(temporary) / str(number) for number in range(jobs)]
        for copy in copies:
            copy_to(copy)
        seconds = max(_LEAST_SECONDS, _SLOWER * baseline(target, copies[0]))
        items = work_items(target, copies[0])
        known = len(items)
        if sample is not None and sample < known:
            items = random.Random(f"{seed}/{name}").sample(items, sample)
        with multiprocessing.Manager() as manager:
            folders = manager.Queue()
            for copy in copies:
                folders.put(str(copy))
            context = multiprocessing.get_context("spawn")
            with context.Pool(jobs) as pool:
                work = [(item, command(target), seconds, folders) for item in items]
                results = []
                for number, result in enumerate(pool.imap(try_one, work), 1):
                    results.append(result)
                    print(f"\r{name}: {number} of {len(items)}", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
    tried = [result for result in results if result.worker_outcome is WorkerOutcome.NORMAL]
    survived = [result for result in tried if result.test_outcome is TestOutcome.SURVIVED]
    print(f"{name}: {len(tried) - len(survived)} of {len(tried)} found ({known} are known, seed {seed})", flush=True)
    for result in survived:
        print("\n".join(f"    {line}" for line in (result.diff or "").splitlines()[2:]), flush=True)
    return len(tried) - len(survived), len(tried)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("module", nargs="*", metavar="MODULE", help=f"of {', '.join(TARGETS)}; without any, all")
    parser.add_argument("--sample", type=int, default=30, help="how many of each module's (%(default)s)")
    parser.add_argument("--all", action="store_true", help="all of them")
    parser.add_argument("--seed", type=int, default=1, help="another one chooses others (%(default)s)")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), help="at once (%(default)s)")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.module if name not in TARGETS]:
        parser.error(f"no such module: {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    for name in _IN_THE_WAY:
        os.environ.pop(name, None)
    found = tried = 0
    for name in options.module or TARGETS:
        of_these = run(name, TARGETS[name], None if options.all else options.sample, options.seed, options.jobs)
        found, tried = found + of_these[0], tried + of_these[1]
    print(f"score: {found} of {tried}, {100 * found / max(tried, 1):.0f} %")
    return 0


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main(sys.argv[1:]))
    sys.exit(130)
