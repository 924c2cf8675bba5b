"""Expressions over metrics, as alarms take them (CloudWatch user guide, "Using math expressions with metrics")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cdktf_cdktf_provider_aws.cloudwatch_metric_alarm import (
    CloudwatchMetricAlarmMetricQuery,
    CloudwatchMetricAlarmMetricQueryMetric,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from constructs_lib.observability.metrics import Metric

PERIOD_SECONDS = 60


def metric_queries(
    expression: str, label: str | None, metrics: Mapping[str, Metric]
) -> list[CloudwatchMetricAlarmMetricQuery]:
    """Return the expression, and the metrics by the names that it has for them."""
    queries = [CloudwatchMetricAlarmMetricQuery(id="result", expression=expression, label=label, return_data=True)]
    queries += [
        CloudwatchMetricAlarmMetricQuery(
            id=name,
            return_data=False,
            metric=CloudwatchMetricAlarmMetricQueryMetric(
                namespace=metric.namespace,
                metric_name=metric.name,
                dimensions=dict(metric.dimensions),
                stat=metric.statistic,
                period=PERIOD_SECONDS,
            ),
        )
        for name, metric in metrics.items()
    ]
    return queries
