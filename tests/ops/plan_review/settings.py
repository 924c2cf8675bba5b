"""Each setting of an environment's file, turned once: what an operator does on an ordinary day."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.ops.plan_review.plans import Settings

_OTHER_REGION = "eu-central-1"
_SMALL_LADDER = [{"name": "540p", "height": 540, "video_kbps": 1400, "audio_kbps": 96}]

# By the setting's name; "bootstrap" ones change that stack too.
TURNED: dict[str, Settings] = {
    "aws.region": {
        "aws": {"region": _OTHER_REGION},
        "backend": {"token_secret_arn": None, "token_secret_kms_key_arn": None},
        "ingest": {"certificate_arn": f"arn:aws:acm:{_OTHER_REGION}:210987654321:certificate/ingest"},
    },
    "network.vpc_cidr": {"network": {"vpc_cidr": "10.60.0.0/20"}},
    "network.availability_zones": {"network": {"availability_zones": ["c", "a"]}},
    "network.nat_gateways": {"network": {"nat_gateways": 3}},
    "task.cpu": {"task": {"cpu": 8192, "memory_mib": 16384}},
    "task.memory_mib": {"task": {"memory_mib": 16384}},
    "task.architecture": {"task": {"architecture": "ARM64"}},
    "task.max_streams": {"task": {"max_streams": 8}},
    "task.image_tag": {"task": {"image_tag": "0.2.0", "image_digest": None}},
    "task.image_digest": {"task": {"image_digest": f"sha256:{'f' * 64}"}},
    "task.ecs_exec": {"task": {"ecs_exec": False}},
    "scaling.min_tasks": {"scaling": {"min_tasks": 3}},
    "scaling.desired_tasks": {"scaling": {"desired_tasks": 4}},
    "scaling.max_tasks": {"scaling": {"max_tasks": 10}},
    "scaling.cpu_target_percent": {"scaling": {"cpu_target_percent": 70}},
    "scaling.streams_per_task_target": {"scaling": {"streams_per_task_target": 3.0}},
    "scaling.scale_in_cooldown_seconds": {"scaling": {"scale_in_cooldown_seconds": 60}},
    "scaling.scale_out_cooldown_seconds": {"scaling": {"scale_out_cooldown_seconds": 90}},
    "backend.url": {"backend": {"url": "https://backend.other.example.com"}},
    "backend.token_secret_arn": {
        "backend": {"token_secret_arn": "arn:aws:secretsmanager:eu-west-3:210987654321:secret:other-AbCdEf"}
    },
    "backend.token_secret_kms_key_arn": {"backend": {"token_secret_kms_key_arn": None}},
    "ingest.publisher_cidrs": {"ingest": {"publisher_cidrs": ["203.0.113.0/24"]}},
    "ingest.certificate_arn": {"ingest": {"certificate_arn": "arn:aws:acm:eu-west-3:210987654321:certificate/newer"}},
    "ingest.domain_name": {"ingest": {"domain_name": "in.live.example.com"}},
    "viewer.price_class": {"viewer": {"price_class": "PriceClass_100"}},
    "viewer.cors_origins": {"viewer": {"cors_origins": ["https://shop.example.com"]}},
    "viewer.certificate_arn": {"viewer": {"certificate_arn": "arn:aws:acm:us-east-1:210987654321:certificate/newer"}},
    "viewer.domain_name": {"viewer": {"domain_name": "watch.example.com"}},
    "viewer.waf": {"viewer": {"waf": False}},
    "viewer.waf_requests_per_ip": {"viewer": {"waf_requests_per_ip": 20_000}},
    "dns.hosted_zone_id": {"dns": {"hosted_zone_id": "Z9876543210ABCDEFGHIJ"}},
    "dns.hosted_zone_name": {"dns": {"hosted_zone_name": "live.example.com"}},
    "hls.segment_seconds": {"hls": {"segment_seconds": 1.0}},
    "hls.part_seconds": {"hls": {"part_seconds": 0.5}},
    "hls.playlist_segments": {"hls": {"playlist_segments": 12}},
    "hls.renditions": {"hls": {"renditions": _SMALL_LADDER}},
    "observability.log_retention_days": {"observability": {"log_retention_days": 30}},
    "observability.access_logs": {"observability": {"access_logs": False}},
    "observability.alarm_email": {"observability": {"alarm_email": "night@example.com"}},
    "protection.deletion_protection": {"protection": {"deletion_protection": True}},
    "deploy.github_repository": {"deploy": {"github_repository": "example/other"}},
    "deploy.create_oidc_provider": {"deploy": {"create_oidc_provider": False}},
}

NOT_TURNED = {
    "name": "the file's name: another environment, with states of its own",
    "aws.account": "another account has other states, and the provider refuses it (allowed_account_ids)",
}
