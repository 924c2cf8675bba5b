"""Fixtures of the whole suite, and its order. Synthesis and the image happen once; figures end in a table."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.container.image import ImageError, build
from tests.shipped import everything_config, shipped_configs, synthesize_to

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from tests.template import Template

# What make check asks for: enough to see a mistake that was just made. make test tries as many as hypothesis does.
settings.register_profile("quick", max_examples=25)
_FIGURES = "figures"  # the property of a test in which it records what it measured
_HERE = Path(__file__).parent
_IMAGE_FOLDERS = (_HERE / "container", _HERE / "cluster")
_IMAGE_FIXTURES = {"image", "project", "whole_bed"}
if os.environ.get("ORIGIN") != "native":
    _IMAGE_FIXTURES.add("backend")  # of an origin
_LONGEST_ID = 100  # characters
_LONGEST = ("test_scenarios.py", "test_sources.py", "test_browser.py", "test_faults.py")  # minutes each


def pytest_configure() -> None:
    """What runs in a shell's background ignores Ctrl-C, and so would all that tests start and interrupt."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Long values name no test: some differ from run to run, and the workers of one run must find the same tests."""
    return argname if isinstance(val, bytes | str) and len(val) > _LONGEST_ID else None


def _needs_image(item: pytest.Item) -> bool:
    in_folder = any(item.path.is_relative_to(folder) for folder in _IMAGE_FOLDERS)
    return in_folder and not _IMAGE_FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One worker builds the image while the others do what needs none; at the end nobody waits for a long file."""
    with_image = {item.path for item in items if _needs_image(item)}

    def turn(item: pytest.Item) -> tuple[int, int]:
        if item.path not in with_image:
            return 1, 0
        if item.path.name == "test_image.py":
            return 0, 0
        return 2, _LONGEST.index(item.path.name) if item.path.name in _LONGEST else len(_LONGEST)

    items.sort(key=turn)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """The image is built before a test's time begins: on a slow machine it takes longer than any test may."""
    if _needs_image(item):
        with contextlib.suppress(ImageError):  # who uses it says why
            build()
    return (yield)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A table of what tests measured. Here because pytest-xdist's own process loads no other conftest."""
    rows = [
        (report.location[2].removeprefix("test_").replace("_", " "), value)
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", None) == "call"
        for name, value in report.user_properties
        if name == _FIGURES
    ]
    if rows:
        terminalreporter.section("figures")
        width = max(len(name) for name, _ in rows)
        for name, figures in rows:
            terminalreporter.write_line(f"{name:<{width}}  {figures}")


@pytest.fixture
def figures(record_property: Callable[[str, object], None]) -> Callable[[object], None]:
    """Call it with what the test measured, for the table at the end."""
    return lambda measured: record_property(_FIGURES, str(measured))


@pytest.fixture(scope="session")
def synthesized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder `stacks` of one synthesis of dev, prod and the environment with everything on."""
    outdir = tmp_path_factory.mktemp("cdktf.out")
    synthesize_to(outdir, [*shipped_configs(), everything_config()])
    return outdir / "stacks"


@pytest.fixture(scope="session")
def templates(synthesized: Path) -> dict[str, Template]:
    """Every stack of that synthesis, by name."""
    from stacks.document import StackDocument  # noqa: PLC0415 - most tests do not need it
    from tests.template import Template  # noqa: PLC0415 - only here

    return {folder.name: Template(StackDocument.read(folder)) for folder in sorted(synthesized.iterdir())}


@pytest.fixture(scope="session")
def dev(templates: dict[str, Template]) -> Template:
    """The streaming stack of dev."""
    return templates["LiveCommerceStreamingStack-dev"]


@pytest.fixture(scope="session")
def prod(templates: dict[str, Template]) -> Template:
    """The streaming stack of prod."""
    return templates["LiveCommerceStreamingStack-prod"]


@pytest.fixture(scope="session")
def everything(templates: dict[str, Template]) -> Template:
    """The streaming stack of an environment with every option on."""
    return templates["LiveCommerceStreamingStack-everything"]


@pytest.fixture(scope="session")
def bootstrap(templates: dict[str, Template]) -> Template:
    """The bootstrap stack of prod."""
    return templates["LiveCommerceBootstrapStack-prod"]


@pytest.fixture(scope="session")
def everything_bootstrap(templates: dict[str, Template]) -> Template:
    """The bootstrap stack of an environment with every option on."""
    return templates["LiveCommerceBootstrapStack-everything"]
