"""One version, wherever it is shown."""

from __future__ import annotations

import json
import re

from origin.metrics import ACTIVE_STREAMS, Metrics
from origin.version import VERSION

from tests.shipped import ROOT


def test_it_is_three_numbers() -> None:
    """As the script reads it that makes the image's tag of it."""
    assert re.fullmatch(r"\d+\.\d+\.\d+", VERSION)
    assert f'VERSION = "{VERSION}"\n' in (ROOT / "container" / "origin" / "version.py").read_text()


def test_the_change_log_begins_with_it_and_says_how_to_get_there() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    versions = re.findall(r"^## (\d+\.\d+\.\d+)", text, re.MULTILINE)
    assert versions[0] == VERSION
    assert versions == sorted(versions, key=lambda version: tuple(map(int, version.split("."))), reverse=True)
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    for section, before in zip(sections, versions[1:], strict=False):
        assert f"### Upgrading from {before}\n" in section


def test_metrics_have_it_beside_them() -> None:
    """As a property, not as a dimension: it must not make metrics of its own."""
    lines: list[str] = []
    Metrics(namespace="n", cluster_name="c", service_name="s", write=lines.append).emit({ACTIVE_STREAMS: 1})
    (line,) = map(json.loads, lines)
    assert line["version"] == VERSION
    assert "version" not in str(line["_aws"])
