"""CloudWatch metrics as embedded-metric-format lines on stdout: no SDK, no agent. METRICS is the list of them all.

Each of them is read: by an alarm or the dashboard, or it says here what it is in the logs for.

Format: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from origin.version import VERSION

Unit = Literal["Count", "Seconds", "None"]


@dataclass(frozen=True, slots=True)
class Metric:
    """A number that the origin reports; constructs_lib/observability/metrics.py knows it by its name."""

    name: str
    unit: Unit
    meaning: str
    only_in_logs: str = ""  # why neither an alarm nor the dashboard shows it


ACTIVE_STREAMS = Metric("ActiveStreams", "Count", "broadcasts that are live on a task")
STREAMS_PER_TASK = Metric("StreamsPerTask", "Count", "units of a task's capacity in use; scaling out follows it")
BUSY_TASKS = Metric(
    "BusyTasks", "Count", "1 from each task that must not be stopped, once a minute; scaling follows it"
)
OVERCOMMITTED_UNITS = Metric("OvercommittedUnits", "Count", "units that live broadcasts take beyond a task's capacity")
REJECTED_PUBLISH = Metric("RejectedPublish", "Count", "publishers turned away, by reason")
INGEST_CRASHES = Metric("IngestCrashes", "Count", "nginx processes that died, each with its broadcasts")
TIME_TO_FIRST_SEGMENT = Metric("TimeToFirstSegment", "Seconds", "from publish to a segment of every rendition")
ENCODER_SPEED = Metric("EncoderSpeed", "None", "media time over wall time of a task's slowest encoder")
ENCODER_FAILURES = Metric("EncoderFailures", "Count", "encoders that crashed")
ENCODER_BEHIND = Metric("EncoderBehind", "Count", "encoders that did not keep up and were given fewer renditions")
LEASE_FAILURES = Metric("LeaseFailures", "Count", "renewals of leases that DynamoDB did not answer")
PEER_FAILURES = Metric("PeerFailures", "Count", "requests to other tasks without an answer")
REFUSED_LOOKUPS = Metric("RefusedLookups", "Count", "viewers' requests answered with 503: too many ids to look up")
PROTECTION_FAILURES = Metric("ProtectionFailures", "Count", "requests for task protection that failed")

METRICS = tuple(value for value in globals().copy().values() if isinstance(value, Metric))


def _to_stdout(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """Writes metrics with the service's dimensions; anything that would cost cardinality goes along as a property."""

    namespace: str
    cluster_name: str
    service_name: str
    write: Callable[[str], None] = field(default=_to_stdout)

    def emit(
        self,
        values: Mapping[Metric, float],
        *,
        by: Mapping[str, str] | None = None,
        properties: Mapping[str, Any] | None = None,
    ) -> None:
        """One line with all values; `by` adds a second dimension set on top of the service's own."""
        dimensions = [["ClusterName", "ServiceName"]]
        if by:
            dimensions.append(["ClusterName", "ServiceName", *by])
        line = {
            "_aws": {
                "Timestamp": int(time.time() * 1000),
                "CloudWatchMetrics": [
                    {
                        "Namespace": self.namespace,
                        "Dimensions": dimensions,
                        "Metrics": [{"Name": metric.name, "Unit": metric.unit} for metric in values],
                    }
                ],
            },
            "version": VERSION,
            "ClusterName": self.cluster_name,
            "ServiceName": self.service_name,
            **(by or {}),
            **{metric.name: value for metric, value in values.items()},
            **(properties or {}),
        }
        self.write(json.dumps(line, default=str))

    def rejected(self, reason: str, number: int = 1) -> None:
        """Publishers were turned away, or live ones dropped, for this reason."""
        self.emit({REJECTED_PUBLISH: number}, by={"Reason": reason})
