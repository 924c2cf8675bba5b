"""The other tasks, over HTTP: what they have of a stream, and whether they make room for a publisher.

Addresses come from the leases; tasks reach each other on the public port, past the load balancer.
"""

import socket
from collections import Counter

import aiohttp
from aiohappyeyeballs import AddrInfoType
from yarl import URL

from origin.cluster.registry import Answer, Holder
from origin.delivery.answers import Response

HOP = "X-Origin-Hop"  # another task asks
ROOM = "/peer/make-room/"
STATUS_OF_ANSWER = {Answer.WELL: 409, Answer.YIELDED: 200, Answer.ABSENT: 404}

_CONNECT_SECONDS = 2  # a lost SYN is sent again after one (RFC 6298)
_ROOM_SECONDS = 2.5  # a ghost is told from a publisher within 1.2 s
# A rendition has some dozen different requests held at most, mostly two or three; a task has 8192 files.
_REQUESTS_PER_PEER = 1024
_LARGEST = 32 << 20  # bytes; ten seconds of 20 Mbit/s are 25 MB
_LOST_SECONDS = 3
_STATUSES = frozenset({200, 400, 404, 503})  # what delivery says


def _socket(address: AddrInfoType) -> socket.socket:
    """A socket that gives up a machine that fell silent, as a request that is held cannot do.

    The other kernel acknowledges and answers probes while its process takes its time (tcp(7)): slowness ends nothing.
    """
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    made.setblocking(False)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000 * _LOST_SECONDS)
    return made


class PeerError(Exception):
    """No answer, or none that could be passed on."""


class PeerBusyError(PeerError):
    """So much is asked of it already that it was not asked."""


class Peers:
    """Asks other tasks."""

    def __init__(self) -> None:
        self._asked: Counter[str] = Counter()
        self._http = aiohttp.ClientSession(
            # No limit: requests are limited, and a ghost's successor waits for none.
            connector=aiohttp.TCPConnector(limit=0, socket_factory=_socket),
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
        """The holder's own answer to `/hls/<target>`, playlists compressed.

        Raises:
            PeerBusyError: too many requests are on their way to it.
            PeerError: no answer within this time, or none that delivery could have given.
        """
        if self._asked[holder.address] >= _REQUESTS_PER_PEER:
            raise PeerBusyError(f"{_REQUESTS_PER_PEER} requests are on their way already")
        self._asked[holder.address] += 1
        # No limit for connecting as such: it would count against requests that are held.
        limit = aiohttp.ClientTimeout(total=seconds, sock_connect=_CONNECT_SECONDS)
        headers = {"Accept-Encoding": "gzip"}
        url = URL(f"{holder.address}/hls/{target}", encoded=True)
        try:
            async with self._http.get(url, timeout=limit, headers=headers, allow_redirects=False) as response:
                return await _checked(response)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise PeerError(type(error).__name__) from None
        finally:
            self._asked[holder.address] -= 1
            if not self._asked[holder.address]:
                del self._asked[holder.address]


async def _checked(response: aiohttp.ClientResponse) -> Response:
    if response.status not in _STATUSES:
        raise PeerError(f"status {response.status}")
    if response.content_length is None or response.content_length > _LARGEST:
        raise PeerError(f"an answer of {response.content_length} bytes")
    return Response(
        response.status,
        await response.read(),
        response.headers.get("Content-Type", ""),
        response.headers.get("Cache-Control", ""),
        gzipped=response.headers.get("Content-Encoding") == "gzip",
    )
