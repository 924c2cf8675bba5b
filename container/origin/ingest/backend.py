"""Asking the backend whether a stream key may publish."""

from dataclasses import dataclass

import aiohttp
from pydantic import SecretStr

from origin.ingest import verdict
from origin.ingest.verdict import BackendUnavailableError

_TIMEOUT_SECONDS = 3


@dataclass(frozen=True, slots=True)
class Backend:
    """The one endpoint that we need: POST {url}/api/streaming/auth."""

    url: str
    token: SecretStr | None
    http: aiohttp.ClientSession

    async def authorize(self, *, name: str, app: str, addr: str) -> str:
        """The playback id of a key: what the backend calls it, or the key itself.

        Raises:
            UnauthorizedError: the backend says no.
            BackendUnavailableError: it gives no answer as agreed (see `verdict`) within 3 s.
        """
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token.get_secret_value()}"
        try:
            async with self.http.post(
                f"{self.url}/api/streaming/auth",
                data={"name": name, "app": app, "addr": addr},
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS),
                allow_redirects=False,  # a redirect would carry the key somewhere else
                auto_decompress=False,  # a few bytes may become a gigabyte
            ) as response:
                status, body = response.status, await _body(response)
                # What else this connection may bring must not become the answer about another key.
                response.close()
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise BackendUnavailableError(type(error).__name__) from None
        return verdict.playback_id(status, body) or name


async def _body(response: aiohttp.ClientResponse) -> bytes:
    """All of it; BackendUnavailableError if it is too long, or compressed although we asked for it as it is."""
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise BackendUnavailableError("a compressed answer")
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > verdict.LARGEST:
            raise BackendUnavailableError(f"an answer of more than {verdict.LARGEST} bytes")
    return bytes(body)
