"""What the infrastructure and the container promise each other: settings, health check, metrics."""

from __future__ import annotations

import ast
import json
import os
from typing import TYPE_CHECKING, get_args
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st
from origin import metrics
from origin.delivery.connections import KEEPALIVE_SECONDS
from origin.ingest.door import Reason
from origin.metrics import METRICS, STREAMS_PER_TASK, Metric, Metrics
from origin.names import NAME
from origin.settings import Settings, load

from config.environment import MIN_PART_SECONDS, Hls
from constructs_lib.observability.dashboard import REJECTION_REASONS
from constructs_lib.observability.metrics import ORIGIN_NAMESPACE, OriginMetrics
from stacks.streaming import origin_environment
from tests.shipped import ROOT, shipped_configs

if TYPE_CHECKING:
    from stacks.document import Json
    from tests.template import Template

CLUSTER, SERVICE = "live-commerce-streaming-dev", "live-commerce-rtmp-dev"


def container(template: Template) -> Json:
    (definition,) = json.loads(template.one("aws_ecs_task_definition")["container_definitions"])
    return dict(definition)


@pytest.mark.parametrize("environment", ["dev", "prod", "everything"])
def test_the_origin_starts_on_what_the_task_definition_tells_it(
    templates: dict[str, Template], environment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every variable is a setting of the origin, with a value that it accepts."""
    definition = container(templates[f"LiveCommerceStreamingStack-{environment}"])
    variables = {variable["name"]: variable["value"] for variable in definition["environment"]}
    secrets = {secret["name"] for secret in definition["secrets"]}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    settings = load()

    assert {name.lower() for name in variables.keys() | secrets} <= Settings.model_fields.keys()
    assert settings.environment == environment
    assert [rung.name for rung in settings.ladder] == [rung["name"] for rung in json.loads(variables["LADDER"])]


@st.composite
def hls_sections(draw: st.DrawFn) -> Hls:
    """Anything that an environment file may say of HLS."""
    count = draw(st.integers(1, 6))
    heights = draw(
        st.lists(st.integers(72, 1080).map(lambda half: 2 * half), min_size=count, max_size=count, unique=True)
    )
    rates = draw(st.lists(st.integers(100, 20_000), min_size=count, max_size=count, unique=True))
    names = draw(
        st.lists(st.from_regex(r"[a-z0-9]{1,16}", fullmatch=True), min_size=count, max_size=count, unique=True)
    )
    ladder = [
        {"name": name, "height": height, "video_kbps": kbps, "audio_kbps": draw(st.integers(32, 320))}
        for name, height, kbps in zip(names, sorted(heights, reverse=True), sorted(rates, reverse=True), strict=True)
    ]
    part = draw(st.floats(MIN_PART_SECONDS, 1))
    return Hls.model_validate(
        {
            "segment_seconds": draw(st.floats(max(1.0, 2 * part), 6)),
            "part_seconds": part,
            "playlist_segments": draw(st.integers(4, 60)),
            "renditions": ladder,
        }
    )


@given(hls_sections())
def test_the_origin_takes_every_ladder_that_an_environment_file_may_have(hls: Hls) -> None:
    """Two schemas, because the image must not need the other one's code; what the first lets in the second loads."""
    (config,) = (each for each in shipped_configs() if each.name == "dev")
    variables = origin_environment(config.model_copy(update={"hls": hls}))
    with patch.dict(os.environ, variables):
        settings = load()
    assert [rung.model_dump() for rung in settings.ladder] == [each.model_dump() for each in hls.renditions]
    assert (settings.part_seconds, settings.segment_seconds) == (hls.part_seconds, hls.segment_seconds)
    assert settings.playlist_segments == hls.playlist_segments


def test_a_stream_key_is_the_same_everywhere() -> None:
    """Where the origin's own pattern cannot be imported."""
    pattern = NAME.pattern
    for file in ("local_backend.py", "player/src/address.ts"):
        assert pattern in (ROOT / "container" / file).read_text()


def test_ports_are_the_ones_that_the_origin_listens_on(dev: Template) -> None:
    """The task definition sets no port: it maps the origin's defaults."""
    mapped = {mapping["containerPort"] for mapping in container(dev)["portMappings"]}

    assert mapped == {Settings.model_fields["rtmp_port"].default, Settings.model_fields["http_port"].default}


def test_the_origin_keeps_idle_connections_for_longer_than_the_balancer(dev: Template) -> None:
    """Or the balancer sends a request into one that is being closed, and the viewer gets a 502."""
    assert dev.one("aws_lb", "Playback")["idle_timeout"] < KEEPALIVE_SECONDS


def test_the_health_check_is_in_the_image(dev: Template) -> None:
    """ECS runs the very program that the image's own HEALTHCHECK runs."""
    kind, program = container(dev)["healthCheck"]["command"]

    assert kind == "CMD"
    assert (ROOT / "container" / program).is_file()
    assert f'CMD ["{program}"]' in (ROOT / "container" / "Dockerfile").read_text()


def test_metrics_have_the_dimensions_that_the_infrastructure_reads() -> None:
    """Namespace, name and dimensions meet: autoscaling, alarms and dashboard would else read nothing, for ever."""
    lines: list[Json] = []
    origin = Metrics(
        namespace=ORIGIN_NAMESPACE,
        cluster_name=CLUSTER,
        service_name=SERVICE,
        write=lambda line: lines.append(json.loads(line)),
    )
    read = OriginMetrics(CLUSTER, SERVICE)

    origin.emit({STREAMS_PER_TASK: 1})
    origin.rejected("capacity")

    assert published(lines[0]) == {("StreamsPerTask", frozenset(read.streams_per_task().dimensions.items()))}
    assert published(lines[1]) == {
        ("RejectedPublish", frozenset(metric.dimensions.items()))
        for metric in (read.rejected_publishes(), read.rejected_for("capacity"))
    }


@pytest.mark.parametrize("environment", ["dev", "prod", "everything"])
def test_tasks_are_added_on_what_the_origin_reports_before_all_are_full(
    templates: dict[str, Template], environment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the task definition through the origin's own line to the policy and the dashboard, as deployed."""
    template = templates[f"LiveCommerceStreamingStack-{environment}"]
    for variable in container(template)["environment"]:
        monkeypatch.setenv(variable["name"], variable["value"])
    settings = load()
    lines: list[Json] = []
    origin = Metrics(
        namespace=settings.metrics_namespace,
        cluster_name=settings.cluster_name,
        service_name=settings.service_name,
        write=lambda line: lines.append(json.loads(line)),
    )

    origin.emit({STREAMS_PER_TASK: 1})

    ((name, dimensions),) = published(lines[0])
    (namespace,) = {directive["Namespace"] for directive in lines[0]["_aws"]["CloudWatchMetrics"]}
    policy = scaling_policy(template)
    specification = policy["customized_metric_specification"]
    assert (specification["namespace"], specification["metric_name"]) == (namespace, name)
    assert {(one["name"], one["value"]) for one in specification["dimensions"]} == dimensions
    assert specification["statistic"] == "Average"
    assert (namespace, name, dimensions) in shown_on_the_dashboard(template)
    assert policy["target_value"] < settings.max_streams


def scaling_policy(template: Template) -> Json:
    """The target tracking of the policy on broadcasts."""
    policies = template.resources("aws_appautoscaling_policy").values()
    (policy,) = (policy for policy in policies if policy["name"] == "streams-per-task")
    return dict(policy["target_tracking_scaling_policy_configuration"])


def shown_on_the_dashboard(template: Template) -> set[tuple[str, str, frozenset[tuple[str, str]]]]:
    """(namespace, name, dimensions) of each metric on it; those whose dimensions are known only after a deploy too."""
    body = json.loads(template.one("aws_cloudwatch_dashboard")["dashboard_body"])
    entries = [entry for widget in body["widgets"] for entry in widget["properties"].get("metrics", [])]
    return {
        (entry[0], entry[1], frozenset(zip(entry[2:-1:2], entry[3:-1:2], strict=True)))
        for entry in entries
        if isinstance(entry[0], str)
    }


def published(line: Json) -> set[tuple[str, frozenset[tuple[str, str]]]]:
    """(name, dimensions) of each metric that CloudWatch makes of one embedded-metric-format line."""
    return {
        (metric["Name"], frozenset((name, line[name]) for name in dimensions))
        for directive in line["_aws"]["CloudWatchMetrics"]
        for dimensions in directive["Dimensions"]
        for metric in directive["Metrics"]
    }


def origin_sources() -> dict[str, ast.Module]:
    """File name to syntax tree."""
    return {str(path): ast.parse(path.read_text()) for path in (ROOT / "container" / "origin").rglob("*.py")}


def test_every_metric_in_the_origins_list_is_written_and_no_other() -> None:
    """That it arrives is tested where a real origin runs."""
    constants = {name for name, value in vars(metrics).items() if isinstance(value, Metric)}
    nodes = [(file, node) for file, tree in origin_sources().items() for node in ast.walk(tree)]
    used = {
        node.id if isinstance(node, ast.Name) else node.attr
        for _, node in nodes
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load)
    }
    unlisted = [
        f"{file}:{key.lineno}: {key.value!r}"
        for file, node in nodes
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "emit"
        for argument in node.args
        if isinstance(argument, ast.Dict)
        for key in argument.keys
        if isinstance(key, ast.Constant)
    ]

    assert not unlisted, f"metrics that container/origin/metrics.py does not list: {unlisted}; add them to its list"
    assert constants <= used, f"container/origin/metrics.py lists what nobody writes: {sorted(constants - used)}"


@pytest.mark.parametrize("environment", ["dev", "prod", "everything"])
def test_every_metric_that_is_written_is_read_and_the_other_way_round(
    templates: dict[str, Template], environment: str
) -> None:
    """By an alarm or the dashboard; what is for searching in the logs alone says so."""
    template = templates[f"LiveCommerceStreamingStack-{environment}"]
    read = alarmed(template) | {
        name for space, name, _ in shown_on_the_dashboard(template) if space == ORIGIN_NAMESPACE
    }
    shown = {metric.name for metric in METRICS if not metric.only_in_logs}

    unread = sorted(shown - read)
    assert not unread, (
        f"metrics that nobody reads: {unread}; put each into a panel or an alarm (constructs_lib/observability), "
        f"or give it `only_in_logs` with a reason in container/origin/metrics.py"
    )
    assert not read - shown, f"read, but written by nobody or for the logs alone: {sorted(read - shown)}"


def alarmed(template: Template) -> set[str]:
    """Names of the origin's metrics that some alarm looks at, alone or in an expression."""
    looked_at = [
        metric
        for alarm in template.resources("aws_cloudwatch_metric_alarm").values()
        for metric in (alarm, *(query.get("metric") or {} for query in alarm.get("metric_query", [])))
    ]
    return {metric["metric_name"] for metric in looked_at if metric.get("namespace") == ORIGIN_NAMESPACE}


def test_the_infrastructure_names_no_metric_that_the_origin_has_not() -> None:
    """A name that is spelled another way reads nothing, for ever."""
    read = OriginMetrics(CLUSTER, SERVICE)
    factories = [name for name in vars(OriginMetrics) if not name.startswith("_") and callable(getattr(read, name))]
    named = {name: getattr(read, name)().name for name in factories if name != "rejected_for"}

    assert set(named.values()) <= {metric.name for metric in METRICS}, named
    assert len(named) > 5


def test_the_dashboard_shows_every_reason_for_a_rejection() -> None:
    """A reason that the origin learns to give must not be invisible."""
    assert set(REJECTION_REASONS) == set(get_args(Reason))
