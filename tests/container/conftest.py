"""One backend for all tests, and one origin for all tests that do not break it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.container.support import Backend, Origin

HERE = Path(__file__).parent
QUICK = {
    "test_container_files.py",
    "test_ecs.py",
    "test_lease_outage.py",
    "test_protection.py",
    "test_units.py",
    "test_units_bounds.py",
    "test_units_delivery.py",
    "test_units_fitness.py",
    "test_units_ingest.py",
    "test_units_intake.py",
    "test_units_media.py",
    "test_units_packager.py",
    "test_units_session.py",
    "test_units_tenure.py",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever starts processes here takes seconds: it is left out of make check."""
    for item in items:
        if item.path.is_relative_to(HERE) and item.path.name not in QUICK:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def backend() -> Iterator[Backend]:
    backend = Backend()
    yield backend
    backend.stop()


@pytest.fixture(scope="session")
def origin(backend: Backend) -> Iterator[Origin]:
    origin = Origin(backend.url, END_AFTER_SECONDS=3)
    yield origin
    origin.stop()


@pytest.fixture
def key(backend: Backend) -> tuple[str, str]:
    """A new stream key and its playback id."""
    return backend.new_key()


@pytest.fixture
def slow_origin(backend: Backend, tmp_path: Path) -> Iterator[Origin]:
    """An origin whose FFmpeg makes one rendition in real time, and several at a third of that."""
    real = shutil.which("ffmpeg")
    script = tmp_path / "ffmpeg"
    script.write_text(
        '#!/bin/sh\ncase "$*" in *libx264*libx264*) set -- -readrate 0.33 "$@";; esac\n' + f'exec {real} "$@"\n'
    )
    script.chmod(0o755)
    origin = Origin(backend.url, PATH=f"{tmp_path}:{os.environ['PATH']}")
    yield origin
    origin.stop()
