"""How nginx is started."""

from pathlib import Path

import pytest
from origin.ingest import listeners
from origin.ingest.nginx import Nginx, Sockets
from origin.settings import Settings


async def test_nginx_inherits_its_sockets_and_not_the_backends_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes strangers' bytes apart, and what its user can read of it is read by whoever takes FFmpeg over."""
    seen = tmp_path / "seen"
    (tmp_path / "nginx").write_text(f"#!/bin/sh\nenv > {seen}\n")
    (tmp_path / "nginx").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("BACKEND_TOKEN", "a-secret")
    settings = Settings(backend_url="http://127.0.0.1:9")
    with listeners.loopback() as public, listeners.loopback() as play:
        nginx = Nginx(
            settings, "1", tmp_path / "run", Sockets(public, play), worker_died=lambda _: None, refused=lambda _: None
        )
        try:
            await nginx.start()
            assert await nginx.run() == "exit code 0"
        finally:
            await nginx.stop()
        told = seen.read_text().splitlines()
        assert f"NGINX={public.fileno()};{play.fileno()};" in told
    assert not [line for line in told if line.startswith("BACKEND")]
