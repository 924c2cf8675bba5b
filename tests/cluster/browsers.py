"""Chromium on the viewers' host, through the player page and the balancer."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.cluster.network import NAMESPACES
from tests.cluster.services import port_open, stop
from tests.container.browser import Viewer
from tests.container.image import wait_for
from tests.container.support import CONTAINER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cluster.network import Host

PAGE_PORT = 3001


@dataclass
class _Page:
    port: int = PAGE_PORT


@contextlib.contextmanager
def browser(host: Host, hls_base_url: str, folder: Path) -> Iterator[Viewer]:
    """A browser that plays what the balancer at this address gives it."""
    wrapper = folder / "chromium"
    wrapper.write_text(f'#!/bin/sh\nexec nsenter --net={NAMESPACES / host.namespace} /usr/bin/chromium "$@"\n')
    wrapper.chmod(0o755)
    page = host.popen(
        [sys.executable, str(CONTAINER / "player" / "serve.py"), str(PAGE_PORT)],
        log=folder / "page.log",
        env={**os.environ, "HLS_BASE_URL": hls_base_url},
    )
    try:
        wait_for(lambda: port_open(host, "127.0.0.1", PAGE_PORT), "player page")
        with Viewer(_Page(), folder / "profile", chromium=wrapper) as viewer:
            yield viewer
    finally:
        stop(page)
