"""Lines of metrics."""

import json
import time

from origin.metrics import ACTIVE_STREAMS, Metrics


def test_metrics_are_in_cloudwatchs_embedded_format() -> None:
    lines: list[str] = []
    metrics = Metrics(namespace="N", cluster_name="c", service_name="s", write=lines.append)
    metrics.emit({ACTIVE_STREAMS: 2}, properties={"streams": ["a"]})
    metrics.rejected("capacity")
    first, second = (json.loads(line) for line in lines)
    assert abs(first["_aws"]["Timestamp"] / 1000 - time.time()) < 60
    assert first["_aws"]["CloudWatchMetrics"] == [
        {
            "Namespace": "N",
            "Dimensions": [["ClusterName", "ServiceName"]],
            "Metrics": [{"Name": "ActiveStreams", "Unit": "Count"}],
        }
    ]
    assert (first["ClusterName"], first["ServiceName"], first["ActiveStreams"], first["streams"]) == (
        "c",
        "s",
        2,
        ["a"],
    )
    dimensions = second["_aws"]["CloudWatchMetrics"][0]["Dimensions"]
    assert dimensions == [["ClusterName", "ServiceName"], ["ClusterName", "ServiceName", "Reason"]]
    assert (second["RejectedPublish"], second["Reason"]) == (1, "capacity")
