"""Two rules, each with a plan that triggers it and one that almost does: the pattern for all others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ops.plan_review.effect import Broadcasts, Urls, Verdict
from ops.plan_review.judging import judge, verdict
from tests.ops.plan_review.terraform_plans import AppliedStack, edit_container

if TYPE_CHECKING:
    from tests.template import Template

pytestmark = pytest.mark.slow


def test_a_new_name_of_the_ingest_load_balancer_changes_every_streamers_url(applied_dev: AppliedStack) -> None:
    def rename(template: Template) -> None:
        template.one("aws_lb", "Ingest")["name"] = "rtmp-nlb-new"

    worst = judge(applied_dev.plan_after(rename)).effects[0]

    assert worst.rule == "ingest-load-balancer-goes"
    assert worst.changes[0].forced_by == ("name",)
    assert worst.broadcasts is Broadcasts.ALL_CUT
    assert worst.urls == {Urls.STREAMERS}


def test_a_new_name_of_the_playback_load_balancer_does_not(applied_dev: AppliedStack) -> None:
    def rename(template: Template) -> None:
        template.one("aws_lb", "Playback")["name"] = "hls-alb-new"

    effects = judge(applied_dev.plan_after(rename)).effects

    assert "ingest-load-balancer-goes" not in [effect.rule for effect in effects]


def test_a_new_image_cuts_nobody(applied_dev: AppliedStack) -> None:
    def new_image(template: Template) -> None:
        edit_container(template, lambda container: container.update(image="example/rtmp:2"))

    judgement = judge(applied_dev.plan_after(new_image))

    assert [effect.rule for effect in judgement.effects] == ["new-task-definition"]
    assert judgement.effects[0].broadcasts is Broadcasts.NONE
    assert verdict(judgement) is Verdict.SAFE_NOW


def test_a_setting_that_no_rule_has_looked_at_needs_approval(applied_dev: AppliedStack) -> None:
    def new_setting(template: Template) -> None:
        edit_container(template, lambda container: container["environment"].append({"name": "NEW", "value": "1"}))

    judgement = judge(applied_dev.plan_after(new_setting))

    paths = [path for entry in judgement.not_judged for path in entry.paths]
    assert paths == [("container_definitions", "RTMPContainer", "environment", "NEW")]
    assert verdict(judgement) is Verdict.NEEDS_APPROVAL
