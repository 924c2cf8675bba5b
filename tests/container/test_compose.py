"""container/compose.yaml: tied to the origin's settings, and run for real, though without Docker."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from playwright.async_api import async_playwright

from tests.container import image as images

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTAINER = Path(__file__).resolve().parents[2] / "container"
COMPOSE: dict[str, Any] = yaml.safe_load((CONTAINER / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ORDER = ("backend", "rtmp", "player", "demo")
CHROMIUM = "/usr/bin/chromium"


def published(service: str) -> set[str]:
    return set(SERVICES[service].get("ports", []))


def settings() -> dict[str, Any]:
    """Name in capitals and default of every setting of the origin, read from its source: it is no package of ours."""
    text = (CONTAINER / "origin" / "settings.py").read_text()
    return {
        name.upper(): default for name, default in re.findall(r"^    (\w+): [^=\n]+(?:= (.*))?$", text, re.MULTILINE)
    }


def test_has_the_services_that_an_operator_expects() -> None:
    """The demo only when asked for."""
    assert set(SERVICES) == set(ORDER)
    assert {name for name, service in SERVICES.items() if "profiles" in service} == {"demo"}


@pytest.mark.parametrize("name", ORDER)
def test_every_service_is_as_locked_down_as_on_fargate(name: str) -> None:
    """Read-only root with a /tmp, no capabilities, no way to more, an init process, few file descriptors."""
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["tmpfs"] == ["/tmp"]  # noqa: S108 - in the container
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["init"] is True
    assert service["ulimits"] == {"nofile": images.NOFILE}
    assert not {"privileged", "user", "volumes", "network_mode", "pid"} & set(service)


@pytest.mark.parametrize("name", ORDER)
def test_every_service_is_built_from_a_stage_of_the_dockerfile(name: str) -> None:
    """One image name for one stage, so that it is built once."""
    build = SERVICES[name]["build"]
    stages = re.findall(r"^FROM \S+ AS (\w+)$", (CONTAINER / "Dockerfile").read_text(), re.MULTILINE)
    assert build["context"] == "."
    assert build["target"] in stages
    assert SERVICES[name]["image"] == f"live-commerce-{build['target']}"


def test_ports_are_those_that_the_origin_listens_on() -> None:
    """1935, 8080, 3000 and 3001, as in the original."""
    defaults = settings()
    assert published("rtmp") == {f"{port}:{port}" for port in (defaults["RTMP_PORT"], defaults["HTTP_PORT"])}
    assert published("rtmp") == {"1935:1935", "8080:8080"}
    for name, port in (("backend", "3000"), ("player", "3001")):
        assert published(name) == {f"{port}:{port}"}
        assert SERVICES[name]["entrypoint"][-1] == port
        assert SERVICES[name]["environment"]["HTTP_PORT"] == port, "what the health check asks"


def test_environment_is_what_the_origin_reads() -> None:
    """Each variable is a setting, each setting without a default is there, and the backend is the stand-in."""
    environment = SERVICES["rtmp"]["environment"]
    known = settings()
    assert set(environment) <= set(known)
    assert {name for name, default in known.items() if not default} <= set(environment)
    host, port = re.fullmatch(r"http://(\w+):(\d+)", environment["BACKEND_URL"]).groups()  # type: ignore[union-attr]  # it is such a URL
    assert f"{port}:{port}" in published(host)
    grace = float(SERVICES["rtmp"]["stop_grace_period"].removesuffix("s"))
    assert float(environment["STOP_TIMEOUT_SECONDS"]) < grace, "the origin ends before it is killed"


@pytest.mark.parametrize("name", ORDER)
def test_who_is_waited_for_says_when_it_is_ready(name: str) -> None:
    """A condition on the health of a service without a check would wait for ever."""
    for other, condition in SERVICES[name].get("depends_on", {}).items():
        assert condition == {"condition": "service_healthy"}
        assert SERVICES[other]["healthcheck"]["test"] == ["CMD", "healthcheck"]


def test_demo_publishes_with_the_key_of_the_demo() -> None:
    """To the RTMP service by its name."""
    key = re.search(r'^DEMO_KEY, DEMO_ID = "(.+)", "demo"$', (CONTAINER / "local_backend.py").read_text(), re.MULTILINE)
    assert key is not None
    assert SERVICES["demo"]["command"].endswith(f" rtmp://rtmp:1935/live/{key[1]}")


@dataclass
class Project:
    namespace: str
    hosts: Path
    logs: Path

    @contextlib.contextmanager
    def up(self, name: str) -> Iterator[images.Container]:
        """One service, as the file says; ready when its health check says so."""
        service = SERVICES[name]
        image = images.build(service["build"]["target"])
        command = [*service.get("entrypoint", image.entrypoint), *shlex.split(service.get("command", ""))]
        environment = {key: str(value) for key, value in service.get("environment", {}).items()}
        log = self.logs / name
        with image.run(
            environment, log, command=command, network_namespace=self.namespace, hosts=self.hosts
        ) as container:
            check = service["healthcheck"].get("test", ["CMD", "true"])[1:]
            images.wait_for(lambda: container.exec(check).returncode == 0, f"healthy {name}: {log.read_text()}")
            yield container


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A network of its own, where the services' names and all their ports are free."""
    namespace = f"compose-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", namespace], check=True)
    try:
        subprocess.run(["ip", "-n", namespace, "link", "set", "lo", "up"], check=True)
        hosts = tmp_path / "hosts"
        hosts.write_text(f"127.0.0.1 localhost {' '.join(SERVICES)}\n")
        yield Project(namespace, hosts, tmp_path)
    finally:
        subprocess.run(["ip", "netns", "delete", namespace], check=True)


async def test_shows_a_picture(project: Project, tmp_path: Path) -> None:
    """`up` with the demo, and a browser on the player's address: the picture moves and nobody touched anything."""
    browser_there = tmp_path / "chromium"
    browser_there.write_text(f'#!/bin/sh\nexec ip netns exec {project.namespace} {CHROMIUM} "$@"\n')
    browser_there.chmod(0o755)
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    flags += ["--disable-sync", "--no-first-run", "--autoplay-policy=no-user-gesture-required"]
    with project.up("backend"), project.up("rtmp") as rtmp, project.up("player"):
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=browser_there, args=flags)
            page = await browser.new_page()
            page.set_default_timeout(1000 * images.PATIENCE_SECONDS)
            await page.goto("http://localhost:3001/live/demo")
            await page.wait_for_function("() => window.player?.state === 'waiting'")
            with project.up("demo"):
                await page.wait_for_function("() => window.player.state === 'live'")
                frames = "document.querySelector('video').getVideoPlaybackQuality().totalVideoFrames"
                await page.wait_for_function(f"() => {frames} > 60")
                await page.wait_for_function("() => player.latencySeconds > 0")
            await browser.close()
        assert rtmp.stop() == 0
