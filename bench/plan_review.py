"""How long `python -m ops plan-review` takes for 1,000 resources in each of 4 environments, and its memory.

The resources are those of a real plan, again and again: the streaming stack with every option on, applied by real
Terraform and planned again with a new image, a new certificate and shorter log retention.
"""

from __future__ import annotations

import copy
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from offline_terraform.engine import OfflineTerraform
from tests.shipped import everything_config, synthesize_to

RESOURCES, ENVIRONMENTS = 1000, 4
MOST_SECONDS, MOST_MB = 2.0, 300.0
_RUNS = 3


def _real_plan(folder: Path) -> dict[str, Any]:
    config = everything_config()
    document = synthesize_to(folder, [config])[config.streaming_stack_name].document
    with OfflineTerraform(account=config.aws.account) as engine:
        stack = engine.stack(document)
        stack.init()
        stack.apply()
        for task in document["resource"]["aws_ecs_task_definition"].values():
            task["container_definitions"] = task["container_definitions"].replace('"INFO"', '"DEBUG"')
        for logs in document["resource"]["aws_cloudwatch_log_group"].values():
            logs["retention_in_days"] = 1
        for alarm in document["resource"]["aws_cloudwatch_metric_alarm"].values():
            alarm["evaluation_periods"] = 9
        stack.configure(document)
        return stack.plan_json()


def _many(plan: dict[str, Any], environment: str) -> dict[str, Any]:
    real = plan["resource_changes"]
    changes = [copy.deepcopy(real[index % len(real)]) for index in range(RESOURCES)]
    for index, change in enumerate(changes):
        change["name"] += f"_{index}"
        change["address"] = f"{change['type']}.{change['name']}"
    aws = copy.deepcopy(plan["configuration"])
    aws["provider_config"]["aws"]["expressions"]["default_tags"][0]["tags"]["constant_value"]["Environment"] = (
        environment
    )
    return {**plan, "resource_changes": changes, "configuration": aws}


def _measured(files: list[Path]) -> tuple[float, int]:
    """Seconds, and what the command said: 2, since much changes."""
    started = time.monotonic()
    run = subprocess.run(
        [sys.executable, "-m", "ops", "plan-review", "--format", "markdown", *map(str, files)],
        stdout=subprocess.PIPE,
        check=False,
    )
    assert run.returncode == 2, run.returncode
    return time.monotonic() - started, len(run.stdout.decode())


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="bench-plan-review-") as name:
        folder = Path(name)
        plan = _real_plan(folder / "out")
        files = []
        for index in range(ENVIRONMENTS):
            files.append(folder / f"env{index}.json")
            files[-1].write_text(json.dumps(_many(plan, f"env{index}")), encoding="utf-8")
        megabytes = sum(file.stat().st_size for file in files) / 1e6
        # Children's peak so far is Terraform's: the review is the child of a process of its own.
        probe = subprocess.run(
            [sys.executable, "-c", _PROBE, *map(str, files)], capture_output=True, text=True, check=True
        )
        peak_mb = int(probe.stdout) / 1024
        runs = [_measured(files) for _ in range(_RUNS)]
    seconds = min(run[0] for run in runs)
    print(
        f"{ENVIRONMENTS} plans of {RESOURCES} resources, {megabytes:.1f} MB: {seconds:.2f} s (at most "
        f"{MOST_SECONDS:g}), "
        f"{peak_mb:.0f} MB (at most {MOST_MB:g}); the comment has {runs[0][1]:,} characters"
    )
    return int(seconds > MOST_SECONDS or peak_mb > MOST_MB)


_PROBE = """
import resource, subprocess, sys
subprocess.run([sys.executable, "-m", "ops", "plan-review", "--format", "markdown", *sys.argv[1:]],
               stdout=subprocess.DEVNULL, check=False)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""

if __name__ == "__main__":
    sys.exit(main())
