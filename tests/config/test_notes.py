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
        ("network", {"vpc_cidr": "8.8.0.0/16"}, "dev: network.vpc_cidr = 8.8.0.0/16 are addresses of the internet"),
        ("network", {"vpc_cidr": "172.32.0.0/16"}, "dev: network.vpc_cidr = 172.32.0.0/16 are addresses of the"),
        (
            "network",
            {"availability_zones": ("b", "e")},
            "dev: network.availability_zones has e, and ap-north",
        ),
    ],
)
def test_each_is_one_line_that_names_what(section: str, keys: dict[str, Any], said: str) -> None:
    (note,) = notes([with_settings(DEV, section, **keys), PROD])

    assert note.startswith(said)
    assert "\n" not in note


@pytest.mark.parametrize("cidr", ["10.99.0.0/16", "172.31.0.0/16", "192.168.0.0/16", "100.64.0.0/16"])
def test_private_addresses_are_what_they_should_be(cidr: str) -> None:
    assert notes([with_settings(DEV, "network", vpc_cidr=cidr), PROD]) == []


def test_certificates_are_of_the_environments_account() -> None:
    """Asked once the account is known: a placeholder says nothing."""
    of_another = "arn:aws:acm:ap-northeast-2:999999999999:certificate/x"
    document = DEV.model_dump()
    document["ingest"] |= {"certificate_arn": of_another, "domain_name": "in.example.com"}
    assert notes([EnvironmentConfig.model_validate(document), PROD]) == []
    document["aws"]["account"] = "210987654321"
    (note,) = notes([EnvironmentConfig.model_validate(document), PROD])
    assert note.startswith("dev: ingest.certificate_arn is of account 999999999999 and the environment of 210987654321")
    document["ingest"]["certificate_arn"] = of_another.replace("999999999999", "210987654321")
    assert notes([EnvironmentConfig.model_validate(document), PROD]) == []


def test_almost_too_much_is_nothing_to_speak_of() -> None:
    assert notes([with_settings(DEV, "task", max_streams=6), PROD]) == []
