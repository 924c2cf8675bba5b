"""Any viewer on any task: requests that one task answers from another, over real connections."""

import asyncio
import gzip
import logging
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from origin.cluster.registry import Holder
from origin.collapse import Collapsed
from origin.delivery import answers, peers
from origin.delivery.answers import FOR_A_SECOND, FOR_GOOD, NOT_FOUND, PLAYLIST_TYPE, Directives, Response
from origin.delivery.cache import Cache
from origin.version import VERSION

from tests.container.tasks import FIRST_MSN, SETTINGS, Broadcast, Got, Task

INDEX = "show/720p/index.m3u8"
GIVE_UP_SECONDS = 120


async def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + GIVE_UP_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not within {GIVE_UP_SECONDS} s: {what}"
        await asyncio.sleep(0.01)


@asynccontextmanager
async def running(*names: str, cache_bytes: int = 1 << 20) -> AsyncIterator[list[Task]]:
    tasks = [await Task(name).start(cache_bytes) for name in names]
    try:
        yield tasks
    finally:
        for task in tasks:
            await task.stop()


@pytest.fixture
async def pair(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Task, Task, Broadcast]]:
    """An owner with 3.4 seconds of a broadcast, and another task that knows."""
    # Requests for parts, like those for playlists (tasks.py), are held for longer than a busy machine takes to ask.
    monkeypatch.setattr(answers, "_PART_PATIENCE", 60 / SETTINGS.part_seconds)
    monkeypatch.setattr(peers, "_CONNECT_SECONDS", 60)  # both ends share this process
    async with running("owner", "other") as (owner, other):
        show = Broadcast("show").feed(3.4)
        owner.own(show)
        other.registry.holders["show"] = owner.holder
        yield owner, other, show


Pair = tuple[Task, Task, Broadcast]


# --- where an answer comes from ---


async def test_an_owned_stream_is_served_without_asking_anybody(pair: Pair) -> None:
    owner, _, _ = pair
    assert (await owner.get(INDEX)).status == 200
    assert owner.registry.looks == 0


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("encoding", ["gzip", "identity"])
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("show/master.m3u8", 200),
        (INDEX, 200),
        (f"{INDEX}?_HLS_skip=YES", 200),
        (f"{INDEX}?_HLS_msn={FIRST_MSN}&_HLS_part=1", 200),
        (f"{INDEX}?_HLS_msn={FIRST_MSN + 1000}", 400),
        (f"{INDEX}?_HLS_msn=x", 400),
        (f"{INDEX}?_HLS_part=1", 400),
        (f"show/480p/s.{FIRST_MSN}.0.m4s", 200),
        (f"show/720p/s.{FIRST_MSN}.m4s", 200),
        ("show/720p/s.1.mp4", 200),
        ("show/720p/s.1.0.m4s", 404),
        ("%73how/720p/%69ndex.m3u8", 200),
        ("show/none/index.m3u8", 404),
        ("show/none/index.m3u8?_HLS_msn=x", 404),
        ("show/720p/..%2f480p%2findex.m3u8", 404),
    ],
)
async def test_another_task_answers_as_the_owner_does(
    pair: Pair, path: str, status: int, encoding: str, method: str
) -> None:
    """Status, body, and every header: caching, CORS, encoding."""
    owner, other, _ = pair
    direct = await owner.get(path, method, accept_encoding=encoding)
    assert await other.get(path, method, accept_encoding=encoding) == direct
    assert direct.status == status
    assert direct.headers["access-control-allow-origin"] == "*"
    assert bool(direct.body) == (method == "GET")


async def test_health_tells_the_version(pair: Pair) -> None:
    owner, _, _ = pair
    async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{owner.port}/health") as health:
        assert (health.status, await health.text()) == (200, f"ok {VERSION}\n")
        assert health.headers["Cache-Control"] == "no-store"


async def test_preflight_asks_nobody(pair: Pair) -> None:
    owner, other, _ = pair
    assert await other.get(INDEX, "OPTIONS") == await owner.get(INDEX, "OPTIONS")
    assert other.registry.looks == 0


PIECES = st.sampled_from(
    [
        *("show", "show2", "720p", "480p", "master.m3u8", "index.m3u8", "s.1.mp4", "..", ".", "", "%2e%2e", "%2F"),
        *(f"s.{FIRST_MSN}.m4s", f"s.{FIRST_MSN}.1.m4s", "%73how", "show%2f720p", "a" * 129, "x;y", "health"),
    ]
)
WELL_FORMED = st.tuples(st.sampled_from(["show", "show2"]), st.sampled_from(["720p", "480p"]), PIECES).map("/".join)
PATHS = WELL_FORMED | st.lists(PIECES, min_size=1, max_size=5).map("/".join) | st.text("abc/.%~2Ef-_", max_size=12)
QUERIES = st.sampled_from(["", "?_HLS_msn=100", "?_HLS_skip=v2&x=/../y", "?_HLS_msn=1&_HLS_part=", "?a?b"])


@pytest.mark.slow
def test_what_comes_over_the_hop_is_the_owners_own_or_404() -> None:
    """No path is read as another one on its way, and what is well-formed gets there."""
    passed_on: set[str] = set()
    with asyncio.Runner() as runner:
        cluster = running("owner", "other")
        owner, other = runner.run(cluster.__aenter__())

        async def own(name: str, seconds: float) -> None:
            owner.own(Broadcast(name).feed(seconds).end())
            other.registry.holders[name] = owner.holder

        @settings(deadline=None, max_examples=300)
        @given(PATHS, QUERIES, st.sampled_from(["gzip", "identity"]))
        def check(path: str, query: str, encoding: str) -> None:
            direct, over = (runner.run(raw(task.port, f"/hls/{path}{query}", encoding)) for task in (owner, other))
            assert over in {direct, (404, NOT_FOUND.body)}
            if over[0] == 200:
                passed_on.add(path)

        try:
            runner.run(own("show", 2.2))
            runner.run(own("show2", 3.2))
            check()
        finally:
            runner.run(cluster.__aexit__(None, None, None))
    assert passed_on


async def raw(port: int, target: str, encoding: str) -> tuple[int, bytes]:
    """Status and body; clients with manners tidy up paths."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    request = f"GET {target} HTTP/1.1\r\nHost: test\r\nAccept-Encoding: {encoding}\r\nConnection: close\r\n\r\n"
    writer.write(request.encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return int(head.split()[1]), body


@pytest.mark.parametrize(
    "path",
    [
        "show/../show/master.m3u8",
        "//show/master.m3u8",
        "show%2fmaster.m3u8",
        "sh ow/master.m3u8",
        f"{'a' * 129}/master.m3u8",
    ],
)
async def test_weird_paths_are_not_even_looked_up(pair: Pair, path: str) -> None:
    owner, other, _ = pair
    assert (await raw(other.port, f"/hls/{path}".replace(" ", "%20"), "gzip"))[0] == 404
    assert (other.registry.looks, owner.delivery.asked) == (0, [])


async def test_nobodys_stream_shows_its_end_and_nothing_else(pair: Pair) -> None:
    _, other, _ = pair
    left = Broadcast("left").feed(2.2)
    other.streams["left"] = left.stream
    assert (await other.get("left/720p/index.m3u8")).status == 404
    left.end()
    assert b"#EXT-X-ENDLIST" in (await other.get("left/720p/index.m3u8")).body


async def test_own_stream_is_served_while_the_lease_is_in_doubt(pair: Pair) -> None:
    """`holds` says what is certain; `holder` what is likely."""
    _, other, _ = pair
    other.streams["left"] = Broadcast("left").feed(2.2).stream
    other.registry.holders["left"] = other.holder
    assert (await other.get("left/720p/index.m3u8")).status == 200
    other.registry.holders["gone"] = other.holder
    before = other.requests
    assert (await other.get("gone/720p/index.m3u8")).status == 404
    assert other.requests == before + 1  # it does not ask itself


async def test_left_over_stream_gives_way_to_the_one_that_goes_on(pair: Pair) -> None:
    """Not even its end is shown when the successor dies: the broadcast is not over."""
    owner, other, _ = pair
    other.streams["show"] = Broadcast("show", session="old").feed(2.2).end().stream
    assert (await other.get(INDEX)).body == (await owner.get(INDEX)).body
    del other.registry.holders["show"]
    assert (await other.get(INDEX)).status == 404


async def test_two_tasks_that_take_each_other_for_the_holder_make_no_loop() -> None:
    async with running("one", "two") as (one, two):
        one.registry.holders["show"], two.registry.holders["show"] = two.holder, one.holder
        one.streams["show"], two.streams["show"] = (Broadcast("show").feed(2.2).stream for _ in range(2))
        for task in (one, two):
            assert (await task.get(INDEX)).status == 404
        # Each asked the other once, and looked once for its viewer and once for the other task.
        assert (one.registry.looks, two.registry.looks) == (2, 2)
        assert one.router.failures() == two.router.failures() == 0


async def test_viewers_cannot_pass_for_a_task(pair: Pair) -> None:
    """The load balancer adds X-Forwarded-For; without it, the header gets local streams only."""
    _, other, _ = pair
    assert (await other.get(INDEX, X_Origin_Hop="1", X_Forwarded_For="192.0.2.1")).status == 200
    assert (await other.get(INDEX, X_Origin_Hop="1")).status == 404
    assert (await other.get(INDEX, X_Origin_Hop="-5;")).status == 404


# --- held requests and collapsing ---


async def together(task: Task, path: str, count: int, upstream: Task, asked: int) -> list[asyncio.Task[Got]]:
    """So many viewers, all waiting; `asked`: so many requests at the owner by then."""
    viewers = [asyncio.create_task(task.get(path)) for _ in range(count)]
    await until(lambda: len(upstream.delivery.asked) >= asked, "the owner is asked")
    await until(lambda: sum(flight.waiting for flight in task.router._fetching._flights.values()) == count, "all wait")
    return viewers


async def test_many_blocking_requests_cost_one_and_all_get_the_new_part(pair: Pair) -> None:
    owner, other, show = pair
    part = show.hint
    viewers = await together(other, f"{INDEX}?{show.next_part}", 100, owner, 1)
    assert part.encode() not in (await owner.get(INDEX)).body.split(b"PRELOAD-HINT")[0]
    show.feed(0.3)
    answers = await asyncio.gather(*viewers)
    assert {answer.status for answer in answers} == {200}
    assert all(f'URI="{part}"'.encode() in answer.body.split(b"PRELOAD-HINT")[0] for answer in answers)
    assert len([path for path in owner.delivery.asked if "_HLS_msn" in path]) == 1


async def test_hinted_part_is_held_over_the_hop(pair: Pair) -> None:
    owner, other, show = pair
    path = f"show/720p/{show.hint}"
    viewers = await together(other, path, 20, owner, 1)
    show.feed(0.3)
    answers = await asyncio.gather(*viewers)
    assert owner.delivery.asked == [path]
    direct = await owner.get(path)
    assert all(answer == direct for answer in answers)


@pytest.mark.slow
async def test_owner_that_is_well_may_hold_for_as_long_as_it_does(pair: Pair) -> None:
    """The owner's own word that nothing came, not a time-out of ours."""
    owner, other, show = pair
    assert other.router._patience > owner.delivery.longest_hold_seconds
    show.stream.timeline.target_duration = 1
    assert (await other.get(f"{INDEX}?{show.next_part}")).status == 503
    assert other.router.failures() == 0


@pytest.mark.parametrize(("segment_seconds", "held"), [(1, 10), (2.5, 10), (3.4, 12), (10, 30)])
def test_longest_hold_is_that_of_any_kind_of_request(segment_seconds: float, held: float) -> None:
    task = Task("any")
    task.delivery._settings = SETTINGS.model_copy(update={"segment_seconds": segment_seconds})
    assert task.delivery.longest_hold_seconds == held


async def test_strangers_parameters_cost_no_fetch_of_their_own(pair: Pair) -> None:
    owner, other, show = pair
    msn = FIRST_MSN + 1
    await asyncio.gather(
        *(
            other.get(f"{INDEX}?{query}")
            for query in (f"_HLS_msn={msn}", f"x=1&_HLS_msn=0{msn}&y=2", f"_HLS_msn={msn}&z")
        )
    )
    assert owner.delivery.asked == [f"{INDEX}?_HLS_msn={msn}"]
    await asyncio.gather(*(other.get(f"{INDEX}?_HLS_msn={nonsense}") for nonsense in ("x", "-1", "", "1&_HLS_part=y")))
    assert len(owner.delivery.asked) == 2
    await asyncio.gather(*(other.get(f"show/720p/{show.session}.{msn}.m4s?x={number}") for number in range(5)))
    assert len(owner.delivery.asked) == 3


@pytest.mark.parametrize(
    "query", ["", "_HLS_msn=5", "_HLS_msn=5&_HLS_part=0", "_HLS_skip=YES", "_HLS_msn=0&_HLS_part=12&_HLS_skip=YES"]
)
def test_directives_are_written_as_they_are_read(query: str) -> None:
    assert Directives.parse(query).query == query


async def test_viewer_that_hangs_up_takes_nobody_along(pair: Pair) -> None:
    owner, other, show = pair
    viewers = await together(other, f"{INDEX}?{show.next_part}", 5, owner, 1)
    viewers[0].cancel()
    flights = other.router._fetching._flights.values()
    await until(lambda: sum(flight.waiting for flight in flights) == 4, "one has left")
    show.feed(0.3)
    assert [answer.status for answer in await asyncio.gather(*viewers[1:])] == [200] * 4
    assert (len(owner.delivery.asked), owner.delivery.cancelled) == (1, 0)


async def test_request_ends_when_all_its_viewers_have_left(pair: Pair) -> None:
    owner, other, show = pair
    viewers = await together(other, f"{INDEX}?{show.next_part}", 3, owner, 1)
    for viewer in viewers:
        viewer.cancel()
    await until(lambda: owner.delivery.cancelled, "the owner learns of it")
    assert len(other.router._fetching) == 0
    assert other.router.failures() == 0
    # Whoever comes now starts anew.
    again = await together(other, f"{INDEX}?{show.next_part}", 1, owner, 2)
    show.feed(0.3)
    assert (await again[0]).status == 200


async def test_who_comes_while_a_request_is_being_given_up_starts_anew() -> None:
    collapsed: Collapsed[str] = Collapsed()
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def given_up() -> str:
        begun.set()
        try:
            return await asyncio.Future[str]()
        finally:
            await may_end.wait()

    async def answered() -> str:
        return "new"

    first = asyncio.create_task(collapsed.get("same", given_up))
    await begun.wait()
    first.cancel()
    await asyncio.wait({first})
    second = asyncio.create_task(collapsed.get("same", answered))
    await until(second.done, "the new request is answered")
    assert await second == "new"
    may_end.set()
    await until(lambda: not len(collapsed), "nothing is on its way")


# --- owners that are not well ---


async def test_owner_killed_while_requests_are_held(pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
    owner, other, show = pair
    viewers = await together(other, f"{INDEX}?{show.next_part}", 50, owner, 1)
    viewers += await together_more(other, f"show/720p/{show.hint}", 50, owner)
    began = time.monotonic()
    with caplog.at_level(logging.WARNING, "origin.delivery.routing"):
        await owner.kill()
        answers = await asyncio.gather(*viewers)
        assert (await other.get(INDEX)).status == 404  # refused
    assert time.monotonic() - began < owner.delivery.longest_hold_seconds
    assert {(answer.status, answer.headers["cache-control"]) for answer in answers} == {(404, FOR_A_SECOND)}
    assert 0 < other.router.failures() <= 3 * 50
    assert other.router.failures() == 0
    assert len(caplog.records) == 1
    assert caplog.records[0].__dict__["peer"] == "owner"


async def together_more(task: Task, path: str, count: int, upstream: Task) -> list[asyncio.Task[Got]]:
    before = sum(flight.waiting for flight in task.router._fetching._flights.values())
    viewers = [asyncio.create_task(task.get(path)) for _ in range(count)]
    await until(lambda: path in upstream.delivery.asked, "the owner is asked")
    waiting = task.router._fetching._flights
    await until(lambda: sum(flight.waiting for flight in waiting.values()) == before + count, "all wait")
    return viewers


@asynccontextmanager
async def peer(answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]) -> AsyncIterator[Holder]:
    """A holder that behaves as the test wants."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await reader.readuntil(b"\r\n\r\n")
        answer(reader, writer)

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield Holder("strange", f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}")
    finally:
        listening.close()
        for writer in writers:
            writer.transport.abort()


@pytest.mark.slow
async def test_silent_owner_is_left_when_its_lease_has_run_out(pair: Pair) -> None:
    """SIGSTOP, or a host that vanished: connections stay as they are, and nothing comes."""
    _, other, _ = pair
    asked: list[object] = []
    async with peer(lambda *streams: asked.append(streams)) as silent:
        other.registry.holders["show"] = silent
        viewers = [asyncio.create_task(other.get(f"{INDEX}?_HLS_msn={number}")) for number in (5, 5, 6)]
        await until(lambda: len(asked) == 2, "the silent one is asked")
        looks = other.registry.looks
        await until(lambda: other.registry.looks > looks, "its lease is looked at")
        assert not any(viewer.done() for viewer in viewers)
        began = time.monotonic()
        del other.registry.holders["show"]
        answers = await asyncio.gather(*viewers)
        assert time.monotonic() - began < other.delivery.longest_hold_seconds
    assert {answer.status for answer in answers} == {404}
    assert other.router.failures() == 2


async def test_slow_registry_does_not_delay_an_answer(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a request is held the registry is looked at beside it."""
    owner, other, show = pair
    viewers = await together(other, f"{INDEX}?{show.next_part}", 1, owner, 1)
    looking = asyncio.Event()

    async def never(_: str) -> Holder | None:
        looking.set()
        return await asyncio.Future[Holder | None]()

    monkeypatch.setattr(other.registry, "holder", never)
    await looking.wait()
    show.feed(0.3)
    assert (await viewers[0]).status == 200


@pytest.mark.slow
async def test_owner_that_does_not_even_connect(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that vanished drops packets: here, a full queue of connections does."""
    monkeypatch.setattr(peers, "_CONNECT_SECONDS", 2)
    _, other, _ = pair
    with socket.socket() as deaf, socket.socket() as first, socket.socket() as second:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(deaf.getsockname())
        other.registry.holders["show"] = Holder("deaf", f"http://127.0.0.1:{deaf.getsockname()[1]}")
        began = time.monotonic()
        assert (await other.get(INDEX)).status == 404
        # The registry still names it: only the time for connecting can have ended this.
        assert time.monotonic() - began < other.delivery.longest_hold_seconds
    assert other.router.failures() == 1


async def test_next_holder_is_asked_when_the_first_one_dies(pair: Pair) -> None:
    """A hand-over while a viewer waits: the answer comes from whoever goes on."""
    owner, other, show = pair
    async with running("next") as (following,):
        following.own(Broadcast("show", session="t").feed(3.4))
        viewers = await together(other, f"{INDEX}?{show.next_part}", 1, owner, 1)
        other.registry.holders["show"] = following.holder
        await owner.kill()
        show_next = await following.get(INDEX)
        await until(lambda: len(following.delivery.asked) == 2, "the next one is asked")
        following.streams["show"].renditions["720p"].window.end()
        answer = await viewers[0]
    assert answer.status == 200
    assert b"t.100.m4s" in answer.body
    assert b"t.100.m4s" in show_next.body


ODD = {
    "status 500": "HTTP/1.1 500 Oh\r\nContent-Length: 2",
    "status 302": "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{port}/hls/show/master.m3u8\r\nContent-Length: 2",
    "no length": "HTTP/1.1 200 OK\r\nConnection: close",
    "huge": "HTTP/1.1 200 OK\r\nContent-Length: 99999999999",
    "no HTTP": "SSH-2.0-OpenSSH",
    "shorter than it says": "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close",
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
async def test_fails_when_a_peer_makes_no_sense(pair: Pair, odd: str) -> None:
    owner, other, _ = pair

    def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(odd.format(port=owner.port).encode() + b"\r\n\r\nab")
        writer.close()

    async with peer(answer) as strange:
        other.registry.holders["show"] = strange
        got = await other.get(INDEX)
    assert (got.status, got.body, got.headers["cache-control"]) == (404, NOT_FOUND.body, FOR_A_SECOND)
    assert other.router.failures() == 1


async def test_requests_to_a_peer_are_limited(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, other, show = pair
    monkeypatch.setattr(peers, "_REQUESTS_PER_PEER", 3)
    held = await together(other, f"{INDEX}?{show.next_part}", 1, owner, 1)
    held += await together_more(other, f"show/720p/{show.hint}", 1, owner)
    assert (await other.get("show/master.m3u8")).status == 200
    held += await together_more(other, f"{INDEX}?{show.next_part}&_HLS_skip=YES", 1, owner)
    refused = await other.get("show/480p/index.m3u8")
    assert (refused.status, refused.headers["cache-control"]) == (503, FOR_A_SECOND)
    show.feed(0.3)
    assert {answer.status for answer in await asyncio.gather(*held)} == {200}
    assert (await other.get("show/480p/index.m3u8")).status == 200
    assert not other.peers._asked


@pytest.mark.slow
async def test_hundreds_of_different_requests_are_held_at_once(pair: Pair) -> None:
    owner, other, _ = pair
    shows = [Broadcast(f"show{number}").feed(3.4) for number in range(10)]
    for show in shows:
        owner.own(show)
        other.registry.holders[show.stream.playback_id] = owner.holder
    msn = shows[0].renditions[0].window.next_part[0] + 1
    viewers: list[asyncio.Task[Got]] = []
    for show in shows:
        for rendition in ("720p", "480p"):
            for part in range(13):
                for skip in ("", "&_HLS_skip=YES"):
                    query = f"_HLS_msn={msn}&_HLS_part={part}{skip}"
                    path = f"{show.stream.playback_id}/{rendition}/index.m3u8?{query}"
                    viewers.append(asyncio.create_task(other.get(path)))
        # One after the other: the loop that all of them share has a second for each connection.
        await until(lambda: len(owner.delivery.asked) == len(viewers), "these are on their way")
    assert len(other.router._fetching) == len(viewers) == 520
    for show in shows:
        show.feed(5)
    assert {answer.status for answer in await asyncio.gather(*viewers)} == {200}


@pytest.mark.parametrize(("ahead", "part"), [(0, 17), (1, 13), (1, 10**9), (3, 0)])
async def test_requests_for_what_is_far_away_are_not_held(pair: Pair, ahead: int, part: int) -> None:
    """Or else every number would cost a held request of its own, over the hop as well."""
    owner, other, show = pair
    assert show.renditions[0].window.next_part == (FIRST_MSN + 3, 1)
    path = f"{INDEX}?_HLS_msn={FIRST_MSN + 3 + ahead}&_HLS_part={part}"
    assert (await owner.get(path)).status == (await other.get(path)).status == 400


# --- caching ---


async def test_answers_are_kept_for_as_long_as_they_say(pair: Pair) -> None:
    owner, other, show = pair
    now = 1000.0
    other.router._cache = Cache(1 << 20, clock=lambda: now)
    missing, segment = "show/720p/s.1.m4s", f"show/720p/s.{FIRST_MSN}.m4s"
    first = await other.get(INDEX)
    for path in (missing, segment):
        await other.get(path)
    assert len(owner.delivery.asked) == 3
    show.feed(1)
    now += 0.99
    kept = await other.get(INDEX)
    assert kept.body == first.body
    # Not a second more: what CloudFront makes of it is not older than what it gets from the owner.
    assert (first.headers["cache-control"], kept.headers["cache-control"]) == ("max-age=1", "max-age=0")
    assert "age" not in kept.headers
    assert (await other.get(missing)).status == 404
    assert (await other.get(segment)).headers["cache-control"] == FOR_GOOD
    assert len(owner.delivery.asked) == 3
    now += 0.02
    assert (await other.get(INDEX)).body != first.body
    await other.get(missing)
    assert len(owner.delivery.asked) == 5
    now += 86_390
    await other.get(segment)
    assert len(owner.delivery.asked) == 5
    now += 10
    await other.get(segment)
    assert len(owner.delivery.asked) == 6


async def test_a_sleeper_that_woke_up_is_a_second_behind_its_successor_and_not_more(pair: Pair) -> None:
    """It passes on what it asked for a moment ago, which a viewer elsewhere may know more than; never what it had."""
    owner, other, show = pair
    now = 1000.0
    other.router._cache = Cache(1 << 20, clock=lambda: now)
    other.streams["show"] = Broadcast("show", session="slept").feed(2.2).stream  # still in its memory

    async def newest(task: Task) -> tuple[str, int]:
        """Session and number of the last whole segment."""
        session, number, _ = (await task.get(INDEX)).body.decode().rsplit("#EXTINF", 1)[1].split("\n")[1].split(".")
        return session, int(number)

    assert await newest(other) == ("s", FIRST_MSN + 2)
    show.feed(1)
    now += 0.99
    assert await newest(owner) == ("s", FIRST_MSN + 3)
    assert await newest(other) == ("s", FIRST_MSN + 2), "within its own max-age"
    now += 0.02
    assert await newest(other) == ("s", FIRST_MSN + 3)


async def test_nothing_is_kept_of_the_holder_before(pair: Pair) -> None:
    _, other, _ = pair
    await other.get(INDEX)
    async with running("next") as (following,):
        following.own(Broadcast("show", session="t").feed(3.4))
        other.registry.holders["show"] = following.holder
        assert b"t.100.m4s" in (await other.get(INDEX)).body


async def test_playlists_travel_compressed_once_for_all(pair: Pair) -> None:
    owner, other, _ = pair
    packed = await other.get(INDEX, accept_encoding="gzip")
    plain = await other.get(INDEX)
    assert (packed.headers["content-encoding"], packed.headers["vary"]) == ("gzip", "Accept-Encoding")
    assert "content-encoding" not in plain.headers
    assert gzip.decompress(packed.body) == plain.body
    assert len(owner.delivery.asked) == 1
    assert [kept.response.gzipped for kept in other.router._cache._entries.values()] == [True]


def kept(size: int, cache_control: str = FOR_GOOD) -> Response:
    return Response(200, b"x" * size, PLAYLIST_TYPE, cache_control)


def test_cache_forgets_what_was_used_longest_ago() -> None:
    cache = Cache(4000, clock=lambda: 0)
    for key in "abc":
        cache.put(key, kept(700))
    assert cache.get("a")
    cache.put("d", kept(700))
    assert [key for key in "abcd" if cache.get(key)] == ["a", "c", "d"]
    assert cache.size <= 4000


def test_cache_takes_nothing_that_may_not_be_kept_or_is_too_large() -> None:
    cache = Cache(4000, clock=lambda: 0)
    for number, control in enumerate(["no-store", "", "max-age=0"]):
        cache.put(f"{number}", kept(10, control))
    cache.put("large", kept(4000))
    assert cache.size == 0


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 3000), st.sampled_from(["max-age=1", FOR_GOOD]))))
def test_cache_never_exceeds_its_room(answers: list[tuple[str, int, str]]) -> None:
    now = 0.0
    cache = Cache(6000, clock=lambda: now)
    for key, size, control in answers:
        cache.put(key, kept(size, control))
        now += 0.3
        cache.get(key)
        assert cache.size == sum(entry.size for entry in cache._entries.values()) <= 6000
    now += 90_000
    for key in "abcdef":
        assert cache.get(key) is None
    assert cache.size == 0
