"""One target in a process of its own: `python -m tests.fuzz.worker ENGINE TARGET FOUND CORPUS... SECONDS`.

The engine is guided by coverage where atheris is installed (it has no wheel for ARM64); elsewhere it is blind. Either
prints `slowest CPU_SECONDS BYTES` at each new slowest case and `cases N` at the end, leaves the input of a finding in
FOUND, and then ends with an exit code that is not 0.
"""

import hashlib
import importlib.util
import os
import random
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType, ModuleType

ENGINE = "guided" if importlib.util.find_spec("atheris") else "blind"
OURS = ["origin", "config", "ops"]  # what is watched for coverage
HANG_SECONDS = 10  # by the wall clock
MEMORY_BYTES = 2 << 30
MAX_BYTES = 1 << 16
HANG_EXIT_CODE = 70  # libFuzzer's
_BASE_SECONDS, _SECONDS_PER_BYTE = 0.3, 20e-6  # of processor time; instrumented code takes thrice as long
_TRIES = 3


class TooSlowError(Exception):
    """A case took more processor time than one of its size may."""


def say(text: str) -> None:
    """A line for the runner."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def load(path: Path) -> ModuleType:
    """The target in this file."""
    spec = importlib.util.spec_from_file_location(f"tests.fuzz.targets.{path.stem}", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def timed(run: Callable[[bytes], None], data: bytes) -> float:
    """Run one case; its processor time. TooSlowError if that is not linear in its size, at the best of a few tries."""
    allowed = _BASE_SECONDS + len(data) * _SECONDS_PER_BYTE
    best = float("inf")
    for _ in range(_TRIES):
        began = time.process_time()
        run(data)
        best = min(best, time.process_time() - began)
        if best <= allowed:
            return best
    raise TooSlowError(f"{best:.2f} s for {len(data)} bytes, allowed are {allowed:.2f} s")


def watched(run: Callable[[bytes], None]) -> Callable[[bytes], None]:
    """The target's function, with its slowest case told."""
    slowest = 0.0

    def case(data: bytes) -> None:
        nonlocal slowest
        took = timed(run, data)
        if took > slowest:
            slowest = took
            say(f"slowest {took:.6f} {len(data)}")

    return case


def guided(path: Path, found: Path, corpora: list[Path], seconds: float) -> None:
    """By libFuzzer; does not return."""
    import atheris  # noqa: PLC0415 # not on every machine

    with atheris.instrument_imports(include=OURS):
        target = load(path)
    sow(target, corpora[0])
    options = ["-print_final_stats=1", "-verbosity=0", f"-timeout={HANG_SECONDS}", f"-max_len={MAX_BYTES}"]
    options += ["-rss_limit_mb=1024", f"-max_total_time={max(1, round(seconds))}", f"-artifact_prefix={found}/"]
    atheris.Setup([sys.argv[0], *options, *map(str, corpora)], watched(target.run))
    atheris.Fuzz()


def blind(path: Path, found: Path, corpora: list[Path], seconds: float) -> None:
    """Seeds and corpora, mutated without looking at coverage."""
    target = load(path)
    sow(target, corpora[0])
    known = [path.read_bytes() for folder in corpora for path in sorted(folder.iterdir())] or [b""]
    case, rng, data = watched(target.run), random.Random(1), b""

    def keep(kind: str) -> None:
        (found / f"{kind}-{hashlib.sha1(data, usedforsecurity=False).hexdigest()}").write_bytes(data)

    def hang(_signal: int, _frame: FrameType | None) -> None:
        keep("timeout")
        os._exit(HANG_EXIT_CODE)

    signal.signal(signal.SIGALRM, hang)
    deadline, cases = time.monotonic() + seconds, 0
    while cases < len(known) or time.monotonic() < deadline:
        data = known[cases] if cases < len(known) else mutated(rng.choice(known), rng)
        signal.alarm(HANG_SECONDS)
        try:
            case(data)
        except BaseException:
            keep("crash")
            raise
        cases += 1
    say(f"cases {cases}")


def mutated(data: bytes, rng: random.Random) -> bytes:
    """A few changes of the kinds that break parsers: bits, lengths, cuts, repetitions."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 5)):
        start = rng.randint(0, len(changed))
        end = min(len(changed), start + rng.choice((1, 2, 4, 16, 256)))
        match rng.randrange(5):
            case 0 if changed:
                changed[start % len(changed)] ^= 1 << rng.randrange(8)
            case 1:
                changed[start:end] = rng.choice((b"\x00", b"\xff", b"\x7f", b"\x80")) * (end - start)
            case 2:
                del changed[start:end]
            case 3:
                changed[start:start] = bytes(changed[start:end]) * rng.choice((1, 2, 64))
            case _:
                changed[start:start] = rng.randbytes(rng.randint(1, 8))
    return bytes(changed[:MAX_BYTES])


def sow(target: ModuleType, collected: Path) -> None:
    """Put the seeds where new inputs go as well."""
    for number, seed in enumerate(target.SEEDS):
        (collected / f"seed-{number}").write_bytes(seed)


def main(arguments: list[str]) -> None:
    engine, path, found, *corpora, seconds = arguments
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    fuzz = guided if engine == "guided" else blind
    fuzz(Path(path), Path(found), [Path(corpus) for corpus in corpora], float(seconds))


if __name__ == "__main__":
    main(sys.argv[1:])
