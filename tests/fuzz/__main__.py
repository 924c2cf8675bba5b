"""`python -m tests.fuzz [--minutes M] [TARGET...]`: fuzz these targets, or all; `make fuzz MINUTES=…` does the same."""

import argparse
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.fuzz import runner, worker

MODULE = runner.HERE / "rtmp_module"  # the C of nginx-rtmp has fuzzers of its own
_ROW = "{:<16}{:>12}{:>9}{:>7}{:>14}{:>10}"


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def fuzz(paths: Iterable[Path], seconds: float) -> int:
    """A line for each target when it is done; 1 if any has a finding, 130 on Ctrl-C."""
    code = 0
    say(_ROW.format("target", "cases", "crashes", "hangs", "slowest case", "seconds"))
    try:
        for path in paths:
            outcome = runner.turn(path, seconds)
            slowest = f"{outcome.slowest_seconds * 1000:.1f} ms"
            row = (outcome.target, outcome.cases, outcome.crashes, outcome.hangs, slowest, round(outcome.seconds))
            say(_ROW.format(*row))
            if not outcome.well:
                code = 1
                say(outcome.said)
                for found in outcome.findings:
                    say(f"to see it again: python -m tests.fuzz --case {found.relative_to(runner.ROOT)} {path.stem}")
    except KeyboardInterrupt:
        say("stopped")
        return 130
    return code


def fuzz_module(minutes: float) -> int:
    """The fuzzers of the C module, where there are any."""
    if not (MODULE / "__main__.py").exists():
        return 0
    command = [sys.executable, "-m", "tests.fuzz.rtmp_module", "--minutes", str(minutes)]
    with subprocess.Popen(command, cwd=runner.ROOT) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:  # it got the Ctrl-C as well
            process.wait()
            return 130


def replay(case: Path, path: Path) -> int:
    """One case again, with its traceback."""
    sys.path.insert(0, str(runner.ROOT / "container"))
    took = worker.timed(worker.load(path).run, case.read_bytes())
    say(f"{case}: well, in {took * 1000:.1f} ms")
    return 0


def main(arguments: list[str]) -> int:
    known = runner.targets()
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz the parsers.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"one of: {', '.join(known)}")
    parser.add_argument("--minutes", type=float, default=1.0, help="for each target (1)")
    parser.add_argument("--case", type=Path, help="run this one case of one target, and show its traceback")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.targets if name not in known]
    if unknown:
        parser.error(f"no target {unknown[0]!r}; it is one of: {', '.join(known)}")
    if options.minutes <= 0:
        parser.error(f"--minutes must be above 0, got {options.minutes}")
    if options.case:
        if len(options.targets) != 1:
            parser.error("--case needs exactly one TARGET")
        return replay(options.case, known[options.targets[0]])
    code = fuzz([known[name] for name in options.targets or known], options.minutes * 60)
    if not options.targets and code != 130:
        code = fuzz_module(options.minutes) or code
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
