"""Asking the backend whether a stream key may publish."""

import json
import logging
import re
from dataclasses import dataclass
from typing import Any

import aiohttp
from pydantic import SecretStr

_LOG = logging.getLogger(__name__)
_TIMEOUT_SECONDS = 3
NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")


class UnauthorizedError(Exception):
    """The backend says no."""


class BackendUnavailableError(Exception):
    """The backend does not say anything usable, which counts as no."""


@dataclass(frozen=True, slots=True)
class Backend:
    """The one endpoint that we need: POST {url}/api/streaming/auth."""

    url: str
    token: SecretStr | None
    http: aiohttp.ClientSession

    async def authorize(self, *, name: str, app: str, addr: str) -> str:
        """The playback id of a key: what the backend calls it, or the key itself."""
        headers = {"Authorization": f"Bearer {self.token.get_secret_value()}"} if self.token else {}
        try:
            async with self.http.post(
                f"{self.url}/api/streaming/auth",
                data={"name": name, "app": app, "addr": addr},
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS),
                allow_redirects=False,  # a redirect would carry the key somewhere else
            ) as response:
                status, body = response.status, await response.content.read(65_536)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise BackendUnavailableError(type(error).__name__) from None
        if status >= 500 or 300 <= status < 400:
            raise BackendUnavailableError(f"status {status}")
        if not 200 <= status < 300:
            raise UnauthorizedError(f"status {status}")
        return _playback_id(body) or name


def _playback_id(body: bytes) -> str | None:
    try:
        answer: Any = json.loads(body)
    except ValueError:
        return None
    if not isinstance(answer, dict) or answer.get("playbackId") is None:
        return None
    playback_id = answer["playbackId"]
    if not isinstance(playback_id, str) or not NAME.fullmatch(playback_id):
        raise BackendUnavailableError("the playbackId does not match [A-Za-z0-9_-]{1,128}")
    return playback_id
