"""One bed for a module, and a table of what its scenarios measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cluster.bed import Bed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).parent
_FIGURES = "figures"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Starting a bed takes seconds, and a scenario up to two minutes: left out of make check."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.slow)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    rows = [
        (report.location[2].removeprefix("test_").replace("_", " "), value)
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", None) == "call"
        for name, value in report.user_properties
        if name == _FIGURES
    ]
    if rows:
        terminalreporter.section("scenarios")
        width = max(len(name) for name, _ in rows)
        for name, figures in rows:
            terminalreporter.write_line(f"{name:<{width}}  {figures}")


@pytest.fixture(scope="module")
def whole_bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    with Bed(tmp_path_factory.mktemp("bed")) as bed:
        yield bed


@pytest.fixture
def figures(record_property: Callable[[str, object], None]) -> Callable[[object], None]:
    """Call it with what belongs into the table."""
    return lambda measured: record_property(_FIGURES, str(measured))
