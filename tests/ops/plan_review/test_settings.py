"""What an operator hears of each setting that is turned: real plans, every option on, offline."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import pytest
from pydantic import BaseModel

from config.environment import EnvironmentConfig
from ops.plan_review import words
from ops.plan_review.reading import plan_in
from ops.plan_review.review import review
from tests.ops.plan_review.settings import NOT_TURNED, TURNED
from tests.plan_review_page import PICTURE, example, text_in_page

if TYPE_CHECKING:
    from tests.ops.plan_review.plans import Plans

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

# Verdict, broadcasts cut, URLs that change, and the rules that say so.
EXPECTED = {
    "aws.region": (
        "needs approval",
        "all",
        "none",
        (
            "buckets-and-keys endpoint-goes images ingest-tls ingest-zone-leaves new-secret new-task-"
            "definition permissions playback-load-balancer-settings routes security-group-rule-goes "
            "security-group-widened subnet-goes way-out who-is-told"
        ),
    ),
    "network.vpc_cidr": ("needs approval", "all", "streamers'", "alarms vpc-goes"),
    "network.availability_zones": (
        "needs approval",
        "all",
        "none",
        (
            "alarms endpoint-goes ingest-load-balancer-goes new-task-definition playback-load-balancer-"
            "settings routes subnet-goes"
        ),
    ),
    "network.nat_gateways": ("wait for the end of shows", "none", "none", "routes"),
    "task.cpu": ("safe now", "none", "none", "capacity new-task-definition"),
    "task.memory_mib": ("safe now", "none", "none", "new-task-definition"),
    "task.architecture": ("safe now", "none", "none", "new-task-definition"),
    "task.max_streams": ("needs approval", "none", "none", "capacity new-task-definition"),
    "task.image_tag": ("safe now", "none", "none", "new-task-definition"),
    "task.image_digest": ("safe now", "none", "none", "new-task-definition"),
    "task.ecs_exec": ("needs approval", "none", "none", "logs new-task-definition permissions"),
    "scaling.min_tasks": ("safe now", "none", "none", "alarms"),
    "scaling.desired_tasks": ("safe now", "none", "none", ""),
    "scaling.max_tasks": ("wait for the end of shows", "none", "none", "max-tasks-lowered"),
    "scaling.cpu_target_percent": ("needs approval", "none", "none", "scale-out-later"),
    "scaling.streams_per_task_target": ("safe now", "none", "none", "scale-out-later"),
    "scaling.scale_in_cooldown_seconds": ("safe now", "none", "none", "scale-in-steps"),
    "scaling.scale_out_cooldown_seconds": ("safe now", "none", "none", "scale-in-steps"),
    "backend.url": ("needs approval", "none", "none", "backend-url new-task-definition security-group-rule-goes"),
    "backend.token_secret_arn": ("needs approval", "none", "none", "new-secret new-task-definition permissions"),
    "backend.token_secret_kms_key_arn": ("needs approval", "none", "none", "permissions"),
    "ingest.publisher_cidrs": ("needs approval", "all", "none", "security-group-rule-goes"),
    "ingest.certificate_arn": ("safe now", "none", "none", "ingest-tls"),
    "ingest.domain_name": ("needs approval", "none", "streamers'", "dns-record"),
    "viewer.price_class": ("safe now", "none", "none", "price-class"),
    "viewer.cors_origins": ("needs approval", "none", "none", "cors-removed"),
    "viewer.certificate_arn": ("safe now", "none", "none", "viewer-tls"),
    "viewer.domain_name": ("needs approval", "none", "viewers'", "dns-record viewer-alias"),
    "viewer.waf": ("needs approval", "none", "none", "firewall logs"),
    "viewer.waf_requests_per_ip": ("needs approval", "none", "none", "firewall"),
    "dns.hosted_zone_id": ("needs approval", "none", "streamers' and viewers'", "dns-record"),
    "dns.hosted_zone_name": ("safe now", "none", "none", ""),
    "hls.segment_seconds": ("needs approval", "none", "none", "new-task-definition playback-timing"),
    "hls.part_seconds": ("safe now", "none", "none", "new-task-definition playback-timing"),
    "hls.playlist_segments": ("safe now", "none", "none", "new-task-definition playback-timing"),
    "hls.renditions": ("safe now", "none", "none", "capacity new-task-definition"),
    "observability.log_retention_days": ("needs approval", "none", "none", "buckets-and-keys logs"),
    "observability.access_logs": ("needs approval", "none", "none", "buckets-and-keys logs"),
    "observability.alarm_email": ("needs approval", "none", "none", "who-is-told"),
    "protection.deletion_protection": ("safe now", "none", "none", ""),
    "deploy.github_repository": ("needs approval", "none", "none", "permissions"),
    "deploy.create_oidc_provider": ("needs approval", "none", "none", "deploy-trust"),
}


def test_every_setting_is_turned() -> None:
    """A new one has to say what it does to those who are live."""
    settings = {
        f"{section}.{key}"
        for section, field in EnvironmentConfig.model_fields.items()
        if (model := _model(field.annotation)) is not None
        for key in model.model_fields
    }

    assert settings - TURNED.keys() - NOT_TURNED.keys() == set()
    assert EXPECTED.keys() == TURNED.keys()


def _model(annotation: object) -> type[BaseModel] | None:
    for each in (annotation, *get_args(annotation)):
        if isinstance(each, type) and issubclass(each, BaseModel):
            return each
    return None


@pytest.mark.parametrize("setting", TURNED)
def test_a_turned_setting_is_judged(plans: Plans, setting: str) -> None:
    made = [plan_in(plans.of(TURNED[setting], stack=stack), source=stack) for stack in ("Streaming", "Bootstrap")]

    (one,) = review(made)

    assert one.not_judged == ()
    told = words.VERDICTS[one.verdict], words.BROADCASTS[one.broadcasts], words.urls(one)
    assert (*told, " ".join(sorted({effect.rule for effect in one.effects}))) == EXPECTED[setting]


def test_the_page_shows_what_the_review_says_today(plans: Plans) -> None:
    """`make plan-review-picture` writes it anew."""
    assert text_in_page() == example(plans)
    assert PICTURE.stat().st_size < 300_000
