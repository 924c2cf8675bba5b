"""`python -m tests.fuzz.rtmp_module --minutes M`: each fuzzer of the RTMP module for so long, one after the other."""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.fuzz.rtmp_module import coverage, programs, sessions

NETWORK = "network"


def fuzzers(built: Path, folder: Path) -> dict[str, Callable[[float], str]]:
    """What runs one for so many seconds, and says what was tried."""
    seed = time.time_ns() % 1_000_000
    found: dict[str, Callable[[float], str]] = {NETWORK: lambda s: sessions.run(built / "nginx", folder, s, seed)}
    return found | {target: partial(coverage.run, built, target, folder) for target in programs.TARGETS}


def fuzz(seconds: float, folder: Path, only: list[str]) -> int:
    """1 if anything was found; it is said where the input is."""
    code = 0
    for name, run in fuzzers(programs.build(), folder).items():
        if only and name not in only:
            continue
        try:
            sys.stdout.write(f"{name}: {run(seconds)}, nothing found in {seconds:.0f} s\n")
        except (coverage.FoundError, sessions.FoundError) as error:
            sys.stdout.write(f"{name}: FOUND (input and logs in {folder})\n{error}\n")
            code = 1
        sys.stdout.flush()
    return code


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.rtmp_module", description="Fuzz the RTMP module.")
    parser.add_argument("fuzzers", nargs="*", metavar="FUZZER", help=", ".join([NETWORK, *programs.TARGETS]))
    parser.add_argument("--minutes", type=float, default=1.0, help="for each fuzzer (1)")
    parser.add_argument("--folder", type=Path, help="for logs, corpora and findings (a temporary one)")
    parser.add_argument("--minimise", action="store_true", help="then keep the smallest corpora in the repository")
    options = parser.parse_args(arguments)
    folder = options.folder or Path(tempfile.mkdtemp(prefix="fuzz-rtmp-module-"))
    folder.mkdir(parents=True, exist_ok=True)
    code = fuzz(options.minutes * 60, folder, options.fuzzers)
    if options.minimise and not code:
        for target in programs.TARGETS:
            coverage.minimise(programs.build(), target, folder)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
