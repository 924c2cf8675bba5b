"""Metrics, dashboard, alarms and where alarms go."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from constructs_lib.observability.metrics import OriginMetrics
from tests.shipped import ROOT

if TYPE_CHECKING:
    from stacks.document import Json
    from tests.template import Template

ALARMS = {
    "NoHealthyIngestTarget",
    "NoHealthyPlaybackTarget",
    "TasksBelowMinimum",
    "CpuHigh",
    "PlaybackServerErrors",
    "PublishRejectedForCapacity",
    "EncoderBelowRealTime",
    "IngestCrashes",
    "TaskProtectionFails",
    "LeaseRenewalsFail",
    "ViewerServerErrors",
}


def alarms(template: Template) -> dict[str, Json]:
    """Those for people, by id."""
    every = template.resources("aws_cloudwatch_metric_alarm")
    return {id_.split("_")[1]: alarm for id_, alarm in every.items() if id_.startswith("Alarms_")}


def dashboard(template: Template) -> list[Json]:
    body = json.loads(template.one("aws_cloudwatch_dashboard")["dashboard_body"])
    return list(body["widgets"])


def test_the_alarms_of_an_environment(dev: Template) -> None:
    """A snapshot of which there are: adding or losing one is a decision."""
    assert alarms(dev).keys() == ALARMS


def test_every_alarm_tells_somebody_when_it_starts_and_when_it_ends(dev: Template) -> None:
    """In the topic of its own region: an alarm cannot reach another region's."""
    for name, alarm in alarms(dev).items():
        topic = "ViewerAlarmTopic" if alarm.get("region") == "us-east-1" else "AlarmTopic"
        arn = dev.reference("aws_sns_topic", f"{topic}_", "arn")
        assert (alarm["alarm_actions"], alarm["ok_actions"]) == ([arn], [arn]), name
    assert alarms(dev)["ViewerServerErrors"]["region"] == "us-east-1"


def test_silence_is_an_alarm_where_silence_is_the_fault(dev: Template) -> None:
    """No data about healthy targets or tasks means there are none; no data about rejections means no rejections."""
    breaching = {name for name, alarm in alarms(dev).items() if alarm["treat_missing_data"] == "breaching"}

    assert breaching == {"NoHealthyIngestTarget", "NoHealthyPlaybackTarget", "TasksBelowMinimum"}


def test_a_balancer_without_any_healthy_target_is_one_whose_best_node_sees_none(dev: Template) -> None:
    """Each node reports what it sees: with one task in two zones the minimum may be 0 for ever, a sum is no count."""
    for name in ("NoHealthyIngestTarget", "NoHealthyPlaybackTarget"):
        alarm = alarms(dev)[name]
        assert (alarm["statistic"], alarm["comparison_operator"], alarm["threshold"]) == (
            "Maximum",
            "LessThanThreshold",
            1,
        ), name
        assert alarm["dimensions"].keys() == {"LoadBalancer", "TargetGroup"}, name  # over all zones


def test_no_alarm_rings_before_there_is_something_to_watch(dev: Template) -> None:
    """Those to which silence is the fault are made when the service and, minutes later, the distribution are there."""
    made_first = {
        dev.reference("aws_ecs_service", "", "id")[2:-4],
        dev.reference("aws_cloudfront_distribution", "", "id")[2:-4],
    }

    for name, alarm in alarms(dev).items():
        expected = made_first if alarm["treat_missing_data"] == "breaching" else set()
        assert set(alarm.get("depends_on", [])) == expected, name


def test_the_minimum_of_tasks_is_the_environments(dev: Template, prod: Template) -> None:
    """One in dev, two in prod."""
    assert alarms(dev)["TasksBelowMinimum"]["threshold"] == 1
    assert alarms(prod)["TasksBelowMinimum"]["threshold"] == 2


def test_server_errors_count_as_a_share_of_requests(dev: Template) -> None:
    """One 5xx among ten requests and one among a million are not the same."""
    queries = {query["id"]: query for query in alarms(dev)["PlaybackServerErrors"]["metric_query"]}

    assert queries.keys() == {"result", "requests", "target", "balancer"}
    assert [id_ for id_, query in queries.items() if query["return_data"]] == ["result"]
    assert "/ requests" in queries["result"]["expression"]


def test_rejections_for_capacity_are_one_reason_among_others(dev: Template) -> None:
    """A wrong key wakes nobody up."""
    alarm = alarms(dev)["PublishRejectedForCapacity"]

    assert (alarm["namespace"], alarm["metric_name"]) == ("LiveCommerce", "RejectedPublish")
    assert alarm["dimensions"]["Reason"] == "capacity"


def test_leases_ring_when_a_broadcasts_renewals_fail_and_not_when_one_does(dev: Template) -> None:
    """Each failing broadcast counts 20 a minute at least (a second's pause, two for a call); strays stay below ten."""
    alarm = alarms(dev)["LeaseRenewalsFail"]

    assert (alarm["namespace"], alarm["metric_name"], alarm["statistic"]) == ("LiveCommerce", "LeaseFailures", "Sum")
    assert (alarm["comparison_operator"], alarm["threshold"]) == ("GreaterThanThreshold", 10)
    assert alarm["evaluation_periods"] == 2


def test_every_alarm_has_its_page_in_the_runbook(dev: Template) -> None:
    """Its description names the section that whoever is on call looks for."""
    headings = [line for line in (ROOT / "docs" / "runbook.md").read_text().splitlines() if line.startswith("## ")]

    assert {name for name in alarms(dev) if not any(name in heading for heading in headings)} == set()


@pytest.mark.parametrize("prefix", ["Encryption", "ViewerEncryption"])
def test_alarms_may_use_the_key_of_their_topic(dev: Template, prefix: str) -> None:
    """Without that statement everything deploys and no mail ever arrives."""
    statement = dev.statements(f"{prefix}_Policy")["AlarmsUseKey"]

    assert statement["principals"] == [{"identifiers": ["cloudwatch.amazonaws.com"], "type": "Service"}]
    assert statement["actions"] == ["kms:Decrypt", "kms:GenerateDataKey*"]


def test_a_mail_address_subscribes_to_both_topics(dev: Template, everything: Template) -> None:
    """Nobody is subscribed where no address is set."""
    assert "aws_sns_topic_subscription" not in dev.document["resource"]
    subscriptions = everything.resources("aws_sns_topic_subscription").values()
    assert [(one["protocol"], one["endpoint"]) for one in subscriptions] == [("email", "oncall@example.com")] * 2


def test_the_dashboard_shows_what_the_issue_asks_for(dev: Template) -> None:
    """Every metric by its name."""
    shown = {
        entry[1]
        for widget in dashboard(dev)
        for entry in widget["properties"].get("metrics", [])
        if isinstance(entry[0], str)
    }

    assert shown >= {
        "CPUUtilization",
        "MemoryUtilization",
        "RunningTaskCount",
        "ActiveStreams",
        "RejectedPublish",
        "EncoderSpeed",
        "ActiveFlowCount",
        "TCP_Client_Reset_Count",
        "TCP_Target_Reset_Count",
        "RequestCount",
        "HTTPCode_Target_5XX_Count",
        "HTTPCode_ELB_5XX_Count",
        "TargetResponseTime",
        "Requests",
        "BytesDownloaded",
        "5xxErrorRate",
    }


def test_every_alarm_is_on_the_dashboard(dev: Template) -> None:
    """Regional ones in the alarm widget, CloudFront's in the chart of its own region."""
    listed = [arn for widget in dashboard(dev) for arn in widget["properties"].get("alarms", [])]
    drawn = [arn for widget in dashboard(dev) for arn in widget["properties"].get("annotations", {}).get("alarms", [])]

    assert len(listed) + len(drawn) == len(ALARMS)
    assert set(listed) | set(drawn) == {
        f"${{aws_cloudwatch_metric_alarm.{id_}.arn}}"
        for id_ in dev.resources("aws_cloudwatch_metric_alarm")
        if id_.startswith("Alarms_")
    }


def test_widgets_lie_on_the_grid_without_overlap(dev: Template) -> None:
    """24 units wide."""
    taken: set[tuple[int, int]] = set()
    for widget in dashboard(dev):
        cells = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert not cells & taken, widget["properties"]["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_charts_ask_the_region_where_the_metric_is(dev: Template) -> None:
    """CloudFront reports in us-east-1, the rest in the environment's region; a chart has one region."""
    for widget in dashboard(dev):
        if widget["type"] != "metric":
            continue
        if "metrics" not in widget["properties"]:
            assert widget["properties"]["region"] == "us-east-1"  # an alarm's, of CloudFront
            continue
        namespaces = {entry[0] for entry in widget["properties"]["metrics"] if isinstance(entry[0], str)}
        expected = "us-east-1" if namespaces == {"AWS/CloudFront"} else "ap-northeast-2"
        assert widget["properties"]["region"] == expected, widget["properties"]["title"]


def test_a_reason_is_one_more_dimension_of_the_same_metric() -> None:
    """The sum over reasons stays readable without naming each."""
    origin = OriginMetrics("cluster", "service")

    assert origin.rejected_publishes().dimensions == {"ClusterName": "cluster", "ServiceName": "service"}
    assert origin.rejected_for("capacity").dimensions == {
        "ClusterName": "cluster",
        "ServiceName": "service",
        "Reason": "capacity",
    }
