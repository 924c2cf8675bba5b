"""The CDKTF app: environments in, stacks out. Run by `make synth` and by the cdktf command line alike."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from config.errors import ConfigurationError
from config.loader import load_environments
from config.notes import notes
from config.variables import operator_variables, unknown_names

ROOT = Path(__file__).resolve().parent


def main() -> int:
    """Synthesize every environment. Returns 2, and writes nothing, when the configuration has a mistake."""
    try:
        environments = load_environments(ROOT / "environments", operator_variables(ROOT))
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 2
    for environment in environments:
        if environment.placeholders:
            print(
                f"synth: {environment.config.name}: placeholders in use, set them in .env: "
                + ", ".join(environment.placeholders),
                file=sys.stderr,
            )
    configs = [environment.config for environment in environments]
    for note in (*unknown_names(ROOT, [config.name for config in configs]), *notes(configs)):
        print(f"synth: note: {note}", file=sys.stderr)
    print("synth: loading the AWS bindings (a few seconds) ...", file=sys.stderr, flush=True)
    # Imported late: a mistake in an environment file should not wait for the bindings.
    from stacks.synthesis import synthesize, table  # noqa: PLC0415 - see above

    written = synthesize(
        configs,
        progress=lambda stack: print(f"synth: {stack} ...", file=sys.stderr, flush=True),
    )
    print(f"\n{table(written)}\n\nNext: make check; then docs/deploy.md takes you from here to a running environment.")
    return 0


def _end_at_once(_signal: int, _frame: object) -> None:
    """End on Ctrl-C without unwinding: jsii's objects would complain, at length, that their Node is gone already."""
    os.write(sys.stderr.fileno(), b"synth: interrupted\n")
    os._exit(130)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, _end_at_once)
    sys.exit(main())
