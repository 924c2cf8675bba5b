"""One backend for all tests, and one origin for all tests that do not break it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.container.support import Backend, Origin

HERE = Path(__file__).parent
# Who uses one of these waits for an origin with its nginx and FFmpeg, for the image, or for a browser.
SLOW_FIXTURES = {"backend", "browser", "image", "origin", "page_folder", "project"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What uses a slow fixture, itself or through another, is left out of make check; others say so themselves."""
    for item in items:
        if item.path.is_relative_to(HERE) and not SLOW_FIXTURES.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def backend() -> Iterator[Backend]:
    backend = Backend()
    yield backend
    backend.stop()


@pytest.fixture(scope="session")
def origin(backend: Backend) -> Iterator[Origin]:
    origin = Origin(backend.url)
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
    origin = Origin(backend.url, PATH=f"{tmp_path}:{os.environ['PATH']}", ENCODER_PATIENCE_SECONDS=5)
    yield origin
    origin.stop()
