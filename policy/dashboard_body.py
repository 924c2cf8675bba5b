"""CloudWatch's rules for the body of a dashboard, as far as this project uses it.

Source: CloudWatch API reference, "Dashboard Body Structure and Syntax". What stands there and is not used here is
refused too: whoever uses it first reads that page.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stacks.document import Json

GRID_WIDTH = 24
MOST_WIDGETS = 500
MOST_METRICS = 100
MOST_ALARMS = 100
VIEWS = ("timeSeries", "singleValue", "gauge", "bar", "pie")
# Of a widget, by its type: properties that it may have.
PROPERTIES = {
    "alarm": {"alarms", "sortBy", "states", "title"},
    "metric": {
        *("annotations", "legend", "liveData", "metrics", "period", "region", "setPeriodToTimeRange", "stacked"),
        *("stat", "title", "view", "yAxis"),
    },
    "text": {"markdown", "background"},
}
METRIC_OPTIONS = {"color", "expression", "id", "label", "period", "region", "stat", "visible", "yAxis"}
AXIS_PROPERTIES = {"label", "max", "min", "showUnits"}


def problems(body: Json) -> Iterator[str]:
    """What CloudWatch would refuse, or show nothing for."""
    widgets = body.get("widgets")
    if not isinstance(widgets, list) or len(widgets) > MOST_WIDGETS:
        yield f"widgets must be a list of at most {MOST_WIDGETS}"
        return
    for index, widget in enumerate(widgets):
        name = f"widget {index} ({widget.get('properties', {}).get('title', widget.get('type'))})"
        for problem in _of_widget(widget):
            yield f"{name}: {problem}"


def _of_widget(widget: Json) -> Iterator[str]:
    kind, properties = widget.get("type"), widget.get("properties", {})
    if kind not in PROPERTIES:
        yield f"type must be one of {', '.join(PROPERTIES)}, got {kind}"
        return
    if not (
        1 <= widget.get("width", 6) <= GRID_WIDTH and 0 <= widget.get("x", 0) <= GRID_WIDTH - widget.get("width", 6)
    ):
        yield f"must fit the grid's width of {GRID_WIDTH}"
    unknown = sorted(properties.keys() - PROPERTIES[kind])
    if unknown:
        yield f"a widget of type {kind} has no {', '.join(unknown)}"
    if kind == "metric":
        yield from _of_metric_widget(properties)
    if kind == "alarm" and not 1 <= len(properties.get("alarms", [])) <= MOST_ALARMS:
        yield f"must name 1 to {MOST_ALARMS} alarms"
    if kind == "text" and not properties.get("markdown"):
        yield "must have markdown"


def _of_metric_widget(properties: Json) -> Iterator[str]:
    metrics, annotations = properties.get("metrics"), properties.get("annotations", {})
    alarms = annotations.get("alarms", [])
    if not properties.get("region"):
        yield "must have a region"
    if metrics and alarms:
        yield "has metrics and alarms: one or the other"
    if not metrics and len(alarms) != 1:
        yield f"must have metrics, or just one alarm in annotations, got {len(alarms)}"
    if properties.get("view", "timeSeries") not in VIEWS:
        yield f"view must be one of {', '.join(VIEWS)}"
    if len(metrics or []) > MOST_METRICS:
        yield f"must have at most {MOST_METRICS} metrics"
    for side, axis in properties.get("yAxis", {}).items():
        if side not in ("left", "right") or axis.keys() - AXIS_PROPERTIES:
            yield f"has an axis that CloudWatch does not know: {side} {axis}"
    seen: set[str] = set()
    for metric in metrics or []:
        yield from _of_metric(metric, seen)


def _of_metric(metric: list[Any], seen: set[str]) -> Iterator[str]:
    """`[namespace, name, dimension, value, ..., options]`, or `[options]` with an expression."""
    options = metric[-1] if isinstance(metric[-1], dict) else {}
    names = metric[: len(metric) - bool(options)]
    unknown = sorted(options.keys() - METRIC_OPTIONS)
    if unknown:
        yield f"a metric has no option {', '.join(unknown)}"
    if ("expression" in options) == bool(names):
        yield "an entry must be either a metric or an expression"
    if names and (len(names) < 2 or len(names) % 2):
        yield f"{names} must be namespace and name, and then names and values of dimensions"
    if options.get("yAxis", "left") not in ("left", "right"):
        yield "yAxis of a metric must be left or right"
    id_ = options.get("id")
    if id_ is not None and (not re.fullmatch(r"[a-z]\w*", id_) or id_ in seen):
        yield f"id {id_} must begin with a small letter, and no other metric have it"
    seen.add(str(id_))
