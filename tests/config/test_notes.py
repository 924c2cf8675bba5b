"""Notes on what is valid and probably not meant."""

from __future__ import annotations

from typing import Any

import pytest

from config.environment import EnvironmentConfig
from config.notes import notes
from tests.shipped import shipped_configs

DEV, PROD = shipped_configs()


def with_settings(config: EnvironmentConfig, section: str, **keys: Any) -> EnvironmentConfig:
    document = config.model_dump()
    document[section] |= keys
    return EnvironmentConfig.model_validate(document)


def test_the_shipped_environments_deserve_none() -> None:
    assert notes([DEV, PROD]) == []


@pytest.mark.parametrize(
    ("section", "keys", "said"),
    [
        (
            "viewer",
            {"certificate_arn": "arn:aws:acm:us-east-1:123456789012:certificate/x"},
            "dev: viewer.certificate_arn is set and viewer.domain_name is not",
        ),
        ("task", {"max_streams": 7}, "dev: task.max_streams = 7 on 2 vCPU"),
        ("network", {"vpc_cidr": PROD.network.vpc_cidr}, "dev, prod: network.vpc_cidr overlaps"),
    ],
)
def test_each_is_one_line_that_names_what(section: str, keys: dict[str, Any], said: str) -> None:
    (note,) = notes([with_settings(DEV, section, **keys), PROD])

    assert note.startswith(said)
    assert "\n" not in note


def test_almost_too_much_is_nothing_to_speak_of() -> None:
    assert notes([with_settings(DEV, "task", max_streams=6), PROD]) == []
