"""`python -m ops broadcasts`: what is live, from the tasks' logs in a CloudWatch Logs of moto's."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from ops.aws.asking import UnansweredError
from ops.aws.broadcasts import live_broadcasts, table
from tests.ops.account import DEV, task_arn

if TYPE_CHECKING:
    from tests.local_aws import LocalAws
    from tests.ops.account import Account
    from tests.ops.harness import Project


def stream(name: str) -> dict[str, Any]:
    """As `container/origin` writes it (`_summary` in app.py)."""
    return {"stream": name, "session": f"{name}-1", "ingest_kbps": 2600, "top": "copied"}


def log(aws: LocalAws, task: int, *reports: tuple[float, list[dict[str, Any]]], text: str = "started") -> None:
    """The reports of a task, each with how many seconds ago, among other lines."""
    logs, now = aws.client("logs"), time.time()
    if not logs.describe_log_groups(logGroupNamePrefix=DEV.log_group_name)["logGroups"]:
        logs.create_log_group(logGroupName=DEV.log_group_name)
    name = f"rtmp/RTMPContainer/{task:032x}"
    logs.create_log_stream(logGroupName=DEV.log_group_name, logStreamName=name)
    lines = [
        (now - ago, json.dumps({"ActiveStreams": len(streams), "streams": streams, "_aws": {}}))
        for ago, streams in reports
    ]
    events = [{"timestamp": int(at * 1000), "message": line} for at, line in [*lines, (now, text)]]
    logs.put_log_events(logGroupName=DEV.log_group_name, logStreamName=name, logEvents=events)


def test_each_tasks_last_report_counts(asking: Account, aws: LocalAws) -> None:
    """What ended since, or was live an hour ago on a task that is gone, is not live."""
    log(aws, 1, (20, [stream("a"), stream("b")]), (10, [stream("b")]))
    log(aws, 2, (15, [stream("c")]))
    log(aws, 3, (3600, [stream("d")]))
    log(aws, 4, (12, [stream("e")]), (2, []), text='{"streams": "none"}')

    live = [(broadcast.task_id, broadcast.stream) for broadcast in live_broadcasts(DEV)]

    assert live == [(f"{1:032x}", "b"), (f"{2:032x}", "c")]
    assert asking.asked == ["FilterLogEvents"]


def test_an_environment_without_logs_has_nothing_live(asking: Account) -> None:
    assert live_broadcasts(DEV) == []
    assert asking.asked


def test_logs_that_may_not_be_read_are_no_answer(asking: Account) -> None:
    asking.refused["FilterLogEvents"] = "AccessDeniedException"

    with pytest.raises(UnansweredError, match=r"live broadcasts \(logs:FilterLogEvents\): AccessDenied"):
        live_broadcasts(DEV)


@pytest.mark.slow
def test_the_command_lists_all_or_those_of_one_task(project: Project, aws: LocalAws) -> None:
    """By the ARN that AWS gives."""
    log(aws, 1, (5, [stream("a"), stream("b")]))
    log(aws, 2, (5, [stream("c")]))

    run = project.run("broadcasts", "dev", "--task", task_arn(2))

    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == [
        "TASK                              STREAM  SESSION  TOP     KBIT/S",
        f"{2:032x}  c       c-1      copied  2600",
    ]
    assert len(project.run("broadcasts", "dev").stdout.splitlines()) == 4
    run = project.run("broadcasts", "dev", "--task", task_arn(3))
    assert (run.returncode, run.stdout) == (0, "")
    assert run.stderr.endswith(f"broadcasts: nothing is live in dev on {task_arn(3)}\n")


def test_an_empty_table_has_a_header_only() -> None:
    assert table([]) == "TASK  STREAM  SESSION  TOP  KBIT/S"
