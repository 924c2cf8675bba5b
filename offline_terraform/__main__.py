"""`python -m offline_terraform validate STACK...` and `... plan STACK`: Terraform on stacks, offline."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path

from .bindings import BindingsNotFoundError
from .engine import CONFIGURATION, TERRAFORM, OfflineTerraform, TerraformError

_USAGE_ERROR = 2


def _validate(engine: OfflineTerraform, stacks: list[Path]) -> int:
    width = max(len(stack.name) for stack in stacks)
    failed = False
    for source in stacks:
        stack = engine.stack(source, backend="as synthesized")
        result = stack.run("init", "-no-color", "-backend=false", check=False)
        if not result.status:
            result = stack.validate(check=False)
        print(f"{source.name:<{width}}  {'INVALID' if result.status else 'valid'}", flush=True)
        if result.status:
            failed = True
            print(result.text.strip(), file=sys.stderr, flush=True)
    return int(failed)


def _plan(engine: OfflineTerraform, source: Path) -> int:
    stack = engine.stack(source)
    result = stack.run("init", "-no-color", check=False)
    if result.status:
        print(result.text.strip(), file=sys.stderr)
        return 1
    print(f"{source.name}, planned offline against an empty state (a stand-in for AWS; nothing is applied)", flush=True)
    # Terraform colours whatever it writes to, terminal or not.
    colour = () if sys.stdout.isatty() and "NO_COLOR" not in os.environ else ("-no-color",)
    return subprocess.run([TERRAFORM, "plan", *colour], cwd=stack.folder, env=stack.environment, check=False).returncode


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m offline_terraform",
        description="Real Terraform core on synthesized stacks, with an offline stand-in for AWS.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    validate = commands.add_parser("validate", help="init -backend=false and validate, for each stack")
    validate.add_argument("stacks", nargs="+", type=Path, metavar="STACK", help="a folder with a cdk.tf.json")
    plan = commands.add_parser("plan", help="the plan of a stack against an empty state")
    plan.add_argument("stack", type=Path, metavar="STACK", help="a folder with a cdk.tf.json")
    return parser.parse_args()


def main() -> int:
    """0: fine. 1: Terraform found errors. 2: there is nothing to look at. 130: interrupted."""
    arguments = _arguments()
    stacks: list[Path] = arguments.stacks if arguments.command == "validate" else [arguments.stack]
    missing = [stack for stack in stacks if not (stack / CONFIGURATION).is_file()]
    if missing:
        print(f"no synthesized stack in {missing[0]} (no {CONFIGURATION}); run `make synth` first", file=sys.stderr)
        return _USAGE_ERROR
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    try:
        with OfflineTerraform() as engine:
            if arguments.command == "validate":
                return _validate(engine, stacks)
            return _plan(engine, stacks[0])
    except (BindingsNotFoundError, TerraformError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main())
