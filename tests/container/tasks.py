"""Tasks as viewers and peers see them: the public side on a loopback port, with broadcasts made by hand."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple, Self

import aiohttp
from aiohttp import web
from origin.cluster.registry import Answer, Holder, InProcessRegistry
from origin.delivery.answers import Delivery, Response
from origin.delivery.peers import Peers
from origin.delivery.routing import Router
from origin.delivery.web import server
from origin.media.codecs import Picture
from origin.packaging.ladder import plan
from origin.packaging.position import Position
from origin.packaging.stream import Stream
from origin.settings import Settings
from yarl import URL

from tests.container.packaging.by_hand import add, begin, generation, pictures

SETTINGS = Settings(backend_url="http://backend", segment_seconds=1, part_seconds=0.25, cors_allow_origin="*")
SOURCE = Picture(width=1280, height=720, profile=77, bit_depth=8, chroma_format=1, progressive=True)
FIRST_MSN = 100


class Broadcast:
    """A stream with a picture every thirtieth of a second of its own time, which passes when `feed` says so."""

    def __init__(self, playback_id: str, session: str = "s", picture_bytes: int = 100) -> None:
        self.stream = Stream(playback_id, playback_id, SETTINGS, Position(FIRST_MSN, 0))
        self.stream.live = True
        self.stream.timeline.target_duration = 20  # blocking requests are held for a minute
        self.renditions = self.stream.prepare(plan(SOURCE, SETTINGS.ladder, copy=True)[:2])
        self.session = session
        common = generation(session=session)
        self.stream.sound = common.soundtrack.sound
        for rendition in self.renditions:
            begin(rendition, common)
        coded = b"p" * picture_bytes
        self._pictures = (replace(picture, data=coded) for picture in pictures(600, gop=1))

    def feed(self, seconds: float) -> Self:
        for _ in range(round(seconds * 30)):
            picture = next(self._pictures)
            for rendition in self.renditions:
                add(rendition, picture)
        return self

    def end(self) -> Self:
        self.stream.live = False
        self.stream.finish_session(0)
        self.stream.end()
        return self

    @property
    def next_part(self) -> str:
        msn, part = self.renditions[0].window.next_part
        return f"_HLS_msn={msn}&_HLS_part={part}"

    @property
    def hint(self) -> str:
        hint = self.renditions[0].window.hint
        assert hint
        return hint


class WatchedDelivery(Delivery):
    """Delivery that remembers what it was asked."""

    def __init__(self, streams: Mapping[str, Stream]) -> None:
        super().__init__(streams, SETTINGS)
        self.asked: list[str] = []
        self.cancelled = 0

    async def get(self, path: str, query: str, *, gzip_accepted: bool) -> Response:
        self.asked.append(f"{path}?{query}" if query else path)
        try:
            return await super().get(path, query, gzip_accepted=gzip_accepted)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


class ScriptedRegistry(InProcessRegistry):
    """Says what a test wrote down."""

    def __init__(self, me: Holder) -> None:
        super().__init__(me)
        self.held: set[str] = set()
        self.holders: dict[str, Holder] = {}
        self.looks = 0

    def holds(self, playback_id: str) -> bool:
        return playback_id in self.held

    async def holder(self, playback_id: str) -> Holder | None:
        self.looks += 1
        return self.me if playback_id in self.held else self.holders.get(playback_id)


async def listening(public: web.Server) -> web.ServerRunner:
    """It, on a free port of loopback."""
    runner = web.ServerRunner(public, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
    return runner


class Got(NamedTuple):
    status: int
    headers: dict[str, str]  # names in small letters, without Date
    body: bytes


class Task:
    """One task: registry, delivery, router and the public port."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.streams: dict[str, Stream] = {}
        self.delivery = WatchedDelivery(self.streams)

    async def start(self, cache_bytes: int = 1 << 20) -> Self:
        self.peers = Peers()
        self._http = aiohttp.ClientSession(auto_decompress=False, connector=aiohttp.TCPConnector(limit=0))
        self.registry = ScriptedRegistry(Holder(self.name, ""))
        self.router = Router(self.delivery, self.registry, self.peers, cache_bytes=cache_bytes)
        self._server = server(self.router, self._make_room, SETTINGS.cors_allow_origin)
        self._runner = await listening(self._server)
        self.port: int = self._runner.addresses[0][1]
        self.registry.me = Holder(self.name, f"http://127.0.0.1:{self.port}")
        return self

    @staticmethod
    async def _make_room(_: str) -> Answer:
        return Answer.ABSENT

    @property
    def requests(self) -> int:
        """How many have come in, from viewers and peers."""
        return self._server.requests_count

    @property
    def holder(self) -> Holder:
        return self.registry.me

    def own(self, broadcast: Broadcast) -> None:
        self.streams[broadcast.stream.playback_id] = broadcast.stream
        self.registry.held.add(broadcast.stream.playback_id)

    async def get(self, path: str, method: str = "GET", **headers: str) -> Got:
        """A viewer's request below /hls/; `accept_encoding="gzip"` is how headers are written."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        url = URL(f"http://127.0.0.1:{self.port}/hls/{path}", encoded=True)
        async with self._http.request(method, url, headers=named, skip_auto_headers=["Accept-Encoding"]) as response:
            seen = {name.lower(): value for name, value in response.headers.items() if name != "Date"}
            return Got(response.status, seen, await response.read())

    async def kill(self) -> None:
        """What its peers see when the process gets a SIGKILL: resets, and nobody on the port."""
        for site in list(self._runner.sites):
            await site.stop()
        for connection in self._server.connections:
            if connection.transport:
                connection.transport.abort()

    async def stop(self) -> None:
        await self._http.close()
        await self._runner.cleanup()
        await self.peers.close()
