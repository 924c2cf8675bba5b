"""Which broadcasts are live, and on which task: from the lines that each task logs with its metrics."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ops.aws.asking import ask, client, error_code

if TYPE_CHECKING:
    from collections.abc import Iterable

    from config.environment import EnvironmentConfig

_WINDOW = timedelta(seconds=90)  # a task reports every 10 s; log lines may take some more until they can be read
_LINES = "{ $.ActiveStreams >= 0 }"  # each report, and no other line
_MOST_PAGES = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class Broadcast:
    """One live broadcast, as its task reported it last."""

    task_id: str  # the last part of the task's ARN
    stream: str
    session: str
    top: str  # the highest rendition is "copied" or "encoded"
    ingest_kbps: int


def live_broadcasts(config: EnvironmentConfig) -> list[Broadcast]:
    """All that was live a moment ago; none when the environment has no logs.

    Raises:
        UnansweredError: AWS did not tell.
    """
    reports = ask(lambda: _last_reports(config), "live broadcasts (logs:FilterLogEvents)")
    return [
        Broadcast(
            task_id=task_id,
            stream=str(stream.get("stream")),
            session=str(stream.get("session")),
            top=str(stream.get("top")),
            ingest_kbps=int(stream.get("ingest_kbps") or 0),
        )
        for task_id, report in sorted(reports.items())
        for stream in report.get("streams", [])
    ]


def _last_reports(config: EnvironmentConfig) -> dict[str, dict[str, Any]]:
    """Task id to its last report."""
    logs = client(config, "logs")
    since = int((datetime.now(UTC) - _WINDOW).timestamp() * 1000)
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=config.log_group_name, startTime=since, filterPattern=_LINES
    )
    last: dict[str, tuple[int, dict[str, Any]]] = {}
    try:
        for _, page in zip(range(_MOST_PAGES), pages, strict=False):
            for event in page["events"]:
                report = _report(event["message"])
                task_id = str(event["logStreamName"]).rpartition("/")[2]
                if report is not None and (task_id not in last or last[task_id][0] <= event["timestamp"]):
                    last[task_id] = (event["timestamp"], report)
    except ClientError as error:
        if error_code(error) == "ResourceNotFoundException":
            return {}
        raise
    return {task_id: report for task_id, (_, report) in last.items()}


def _report(line: str) -> dict[str, Any] | None:
    try:
        document = json.loads(line)
    except ValueError:
        return None
    return document if isinstance(document, dict) and isinstance(document.get("streams"), list) else None


def table(broadcasts: Iterable[Broadcast]) -> str:
    """One line each, for people."""
    rows = [("TASK", "STREAM", "SESSION", "TOP", "KBIT/S")]
    rows += [(each.task_id, each.stream, each.session, each.top, str(each.ingest_kbps)) for each in broadcasts]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        "  ".join([*(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)), row[4]]) for row in rows
    )
