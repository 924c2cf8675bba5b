"""Who may read what CloudFront answers: its policy as synthesized, in front of the origin as deployed."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web
from origin.delivery.answers import PLAYLIST_TYPE, Response
from origin.delivery.web import server
from origin.settings import load

from stacks.streaming import origin_environment
from tests.shipped import everything_config, shipped_configs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from config.environment import EnvironmentConfig
    from stacks.document import Json
    from tests.template import Template

PLAYLIST = "/hls/show/master.m3u8"
ALLOWED = ("https://shop.example.com", "https://www.example.org")
OTHERS = (
    "https://evil.example",
    "https://example.org",
    "http://shop.example.com",
    "https://shop.example.com.evil.example",
)


def admits(pattern: str, origin: str) -> bool:
    """Whether CloudFront takes the origin for the pattern: scheme and host in full, `*.` for any subdomain."""
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*" if pattern == "*" else "[^/]+"), origin) is not None


def at_the_edge(policy: Json, method: str, origin: str | None, from_origin: Mapping[str, str]) -> dict[str, str]:
    """The headers that a viewer gets.

    What the policy says replaces what the origin said, where it says something; to a page that it does not admit it
    says nothing, and the origin's own words go through. Source: CloudFront developer guide, "Understand response
    headers policies".
    """
    cors = policy["cors_config"]
    headers = {name.lower(): value for name, value in from_origin.items()}
    origins = cors["access_control_allow_origins"]["items"]
    if origin is None or not any(admits(pattern, origin) for pattern in origins):
        return headers
    said = {"access-control-allow-origin": "*" if origins == ["*"] else origin}
    if method == "OPTIONS":
        said["access-control-allow-methods"] = ", ".join(cors["access_control_allow_methods"]["items"])
        said["access-control-max-age"] = str(cors["access_control_max_age_sec"])
    return headers | said if cors["origin_override"] else said | headers


class OneStream:
    """A router with one playlist."""

    async def get(self, path: str, query: str, *, gzip_accepted: bool, hop: int) -> Response:
        del path, query, gzip_accepted, hop
        return Response(status=200, body=b"#EXTM3U\n", content_type=PLAYLIST_TYPE, cache_control="max-age=1")


async def ask_the_origin(allow_origin: str, method: str, origin: str | None) -> dict[str, str]:
    """What the origin's own server answers, over HTTP."""
    runner = web.ServerRunner(server(OneStream(), None, allow_origin))  # type: ignore[arg-type] # what it needs of them
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        (address,) = runner.addresses
        headers = {"Origin": origin} if origin else {}
        async with (
            aiohttp.ClientSession() as http,
            http.request(method, f"http://127.0.0.1:{address[1]}{PLAYLIST}", headers=headers) as answer,
        ):
            assert answer.status == (204 if method == "OPTIONS" else 200)
            return dict(answer.headers)
    finally:
        await runner.cleanup()


def readable_by(
    template: Template, config: EnvironmentConfig, method: str, origin: str | None, monkeypatch: pytest.MonkeyPatch
) -> str | None:
    """The page that may read the answer, through origin and CloudFront as this environment has them."""
    for name, value in origin_environment(config).items():
        monkeypatch.setenv(name, value)
    (definition,) = json.loads(template.one("aws_ecs_task_definition")["container_definitions"])
    assert origin_environment(config) == {each["name"]: each["value"] for each in definition["environment"]}
    said = asyncio.run(ask_the_origin(load().cors_allow_origin, method, origin))
    policy = template.one("aws_cloudfront_response_headers_policy")
    return at_the_edge(policy, method, origin, said).get("access-control-allow-origin")


METHODS = pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])


@METHODS
@pytest.mark.parametrize("origin", ALLOWED)
def test_a_page_of_the_list_may_read(
    everything: Template, method: str, origin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is named back, by name or by its parent domain in the list."""
    assert readable_by(everything, everything_config(), method, origin, monkeypatch) == origin


@METHODS
@pytest.mark.parametrize("origin", [*OTHERS, "null", None])
def test_no_other_page_may_read(
    everything: Template, method: str, origin: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor one of nowhere (a sandboxed frame, a file); and nobody says `*` to a player that is no page."""
    assert readable_by(everything, everything_config(), method, origin, monkeypatch) is None


@METHODS
@pytest.mark.parametrize("origin", [*ALLOWED, *OTHERS, "null"])
def test_any_page_may_read_where_the_list_is_any(
    dev: Template, method: str, origin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As shipped."""
    assert readable_by(dev, shipped_configs()[0], method, origin, monkeypatch) == "*"


@METHODS
def test_fails_when_the_origin_speaks_for_itself(everything: Template, method: str) -> None:
    """What this is about: an origin that says `*` undoes the list, for CloudFront hands it on to pages off the list."""
    said = asyncio.run(ask_the_origin("*", method, OTHERS[0]))
    policy: dict[str, Any] = everything.one("aws_cloudfront_response_headers_policy")

    assert at_the_edge(policy, method, OTHERS[0], said)["access-control-allow-origin"] == "*"
