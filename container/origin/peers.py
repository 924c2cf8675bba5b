"""The other tasks, over HTTP: what they have of a stream, and whether they make room for a publisher.

Addresses come from the leases; tasks reach each other on the public port, past the load balancer.
"""

import re

import aiohttp
from yarl import URL

from origin.delivery import PLAYLIST_TYPE, Response
from origin.registry import Answer, Holder

HOP = "X-Origin-Hop"
ROOM = "/peer/make-room/"
STATUS_OF_ANSWER = {Answer.WELL: 409, Answer.YIELDED: 200, Answer.ABSENT: 404}

_CONNECT_SECONDS = 1
_ROOM_SECONDS = 2.5  # a ghost is told from a publisher within 1.2 s
_CONNECTIONS = 512
_LARGEST = 64 << 20  # bytes; ten seconds of 20 Mbit/s are 25 MB
_MAX_AGE = re.compile(r"max-age=(\d+)")


class PeerError(Exception):
    """No answer, or none that could be passed on."""


class Peers:
    """Asks other tasks."""

    def __init__(self) -> None:
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_CONNECTIONS),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            headers={HOP: "1"},
        )

    async def close(self) -> None:
        await self._http.close()

    async def make_room(self, holder: Holder, playback_id: str) -> Answer:
        """Ask the holder to let this id's publisher go, if it is a ghost."""
        limit = aiohttp.ClientTimeout(total=_ROOM_SECONDS, connect=_CONNECT_SECONDS)
        try:
            async with self._http.post(f"{holder.address}{ROOM}{playback_id}", timeout=limit) as response:
                answers = {status: answer for answer, status in STATUS_OF_ANSWER.items()}
                return answers.get(response.status, Answer.SILENT)
        except aiohttp.ClientConnectorError as error:
            # A reset, not silence: the machine is there, and no process listens on the port any more.
            return Answer.ABSENT if isinstance(error.os_error, ConnectionRefusedError) else Answer.SILENT
        except (aiohttp.ClientError, TimeoutError):
            return Answer.SILENT

    async def get(self, holder: Holder, target: str, *, seconds: float) -> Response:
        """The holder's own answer to `/hls/<target>`, playlists compressed; PeerError."""
        limit = aiohttp.ClientTimeout(total=seconds, connect=_CONNECT_SECONDS)
        url = URL(f"{holder.address}/hls/{target}", encoded=True)
        try:
            async with self._http.get(url, timeout=limit, headers={"Accept-Encoding": "gzip"}) as response:
                if (response.content_length or 0) > _LARGEST:
                    raise PeerError(f"an answer of {response.content_length} bytes")
                return Response(
                    response.status,
                    await response.read(),
                    response.headers.get("Content-Type", ""),
                    response.headers.get("Cache-Control", ""),
                    gzipped=response.headers.get("Content-Encoding") == "gzip",
                )
        except (aiohttp.ClientError, TimeoutError) as error:
            raise PeerError(type(error).__name__) from None


def max_age(response: Response) -> int:
    """For how many seconds an answer may be used again (RFC 9111 5.2.2.1)."""
    found = _MAX_AGE.search(response.cache_control)
    return int(found[1]) if found else 0


def is_playlist(response: Response) -> bool:
    return response.content_type == PLAYLIST_TYPE
