"""CloudWatch metrics as embedded-metric-format lines on stdout: no SDK, no agent.

Format: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Unit = Literal["Count", "Seconds", "None"]


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
        values: Mapping[str, tuple[float, Unit]],
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
                        "Metrics": [{"Name": name, "Unit": unit} for name, (_, unit) in values.items()],
                    }
                ],
            },
            "ClusterName": self.cluster_name,
            "ServiceName": self.service_name,
            **(by or {}),
            **{name: value for name, (value, _) in values.items()},
            **(properties or {}),
        }
        self.write(json.dumps(line, default=str))

    def rejected(self, reason: str, number: int = 1) -> None:
        """Publishers were turned away, or live ones dropped, for this reason."""
        self.emit({"RejectedPublish": (number, "Count")}, by={"Reason": reason})
