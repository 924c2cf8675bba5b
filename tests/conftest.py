"""Fixtures of the whole suite. Synthesis happens once in a session."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.shipped import everything_config, shipped_configs, synthesize_to

if TYPE_CHECKING:
    from pathlib import Path

    from tests.template import Template


def pytest_configure() -> None:
    """What runs in a shell's background ignores Ctrl-C, and so would all that tests start and interrupt."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def synthesized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder `stacks` of one synthesis of dev, prod and the environment with everything on."""
    outdir = tmp_path_factory.mktemp("cdktf.out")
    synthesize_to(outdir, [*shipped_configs(), everything_config()])
    return outdir / "stacks"


@pytest.fixture(scope="session")
def templates(synthesized: Path) -> dict[str, Template]:
    """Every stack of that synthesis, by name."""
    import json  # noqa: PLC0415 - only here

    from tests.template import Template  # noqa: PLC0415 - only here

    return {
        path.parent.name: Template(json.loads(path.read_text())) for path in sorted(synthesized.glob("*/cdk.tf.json"))
    }


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
