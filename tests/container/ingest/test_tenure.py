"""A task's part in who has which stream: let in, keep, lose, give back. The registry is scripted."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from origin.broadcast.admission import Admission
from origin.broadcast.fitness import KnownMisfits
from origin.broadcast.session import SessionContext
from origin.cluster import renewal
from origin.cluster.registry import Answer, Grant, Holder, LeaseLostError, RegistryUnavailableError, StreamTakenError
from origin.ingest import door, rtmp
from origin.ingest.door import Door, Publisher, PublisherRefusedError
from origin.ingest.refusals import Refusals
from origin.metrics import Metrics
from origin.packaging.catalogue import Catalogue
from origin.packaging.position import Position
from origin.packaging.stream import Stream
from origin.packaging.timeline import Generation
from origin.settings import Settings

from tests.container.image import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

ELSEWHERE = Holder("elsewhere", "http://10.0.0.9:8080")
PUBLISHER = Publisher("key", "live", "1.2.3.4", "17")


class Scripted:
    """A registry that does as it is told."""

    def __init__(self) -> None:
        self.me = Holder("me", "http://10.0.0.1:8080")
        self.refusal: Exception | None = None
        self.renewal: Exception | None = None
        self.grant = Grant(Position(100, 0), continued=False, by_another=False)
        self.held: set[str] = set()
        self.renewals = 0
        self.released: list[str] = []

    async def acquire(self, playback_id: str, session: str) -> Grant:  # noqa: ARG002 # the protocol's
        if self.refusal:
            raise self.refusal
        self.held.add(playback_id)
        return self.grant

    async def renew(self, playback_id: str, session: str, position: Position) -> None:  # noqa: ARG002 # the protocol's
        self.renewals += 1
        if self.renewal:
            if isinstance(self.renewal, LeaseLostError):
                self.held.discard(playback_id)
            raise self.renewal

    async def release(self, playback_id: str, session: str, position: Position) -> None:  # noqa: ARG002 # as above
        self.held.discard(playback_id)
        self.released.append(playback_id)

    def holds(self, playback_id: str) -> bool:
        return playback_id in self.held

    async def holder(self, playback_id: str) -> Holder | None:
        return self.me if playback_id in self.held else None


class Silent:
    """A player of a stream in which nothing comes."""

    def __init__(self) -> None:
        self._closed = asyncio.Event()

    async def play(self) -> AsyncIterator[rtmp.Message]:
        await self._closed.wait()
        nothing: tuple[rtmp.Message, ...] = ()
        for message in nothing:
            yield message

    def close(self) -> None:
        self._closed.set()


class Welcome:
    """A backend that knows everybody."""

    async def authorize(self, **_: str) -> str:
        return "id"


class Scene:
    """A door with that registry, and what it did."""

    def __init__(self) -> None:
        self.registry = Scripted()
        self.dropped: list[tuple[str, str]] = []
        self.lines: list[str] = []
        context = SessionContext(
            settings=Settings(backend_url="http://backend"),
            metrics=Metrics(namespace="n", cluster_name="c", service_name="s", write=self.lines.append),
            admission=Admission(4),
            misfits=KnownMisfits(),
        )
        backend: Any = Welcome()
        registry: Any = self.registry
        self.admission = context.admission
        self.catalogue = Catalogue(context.settings)
        self.door = Door(context, self.catalogue, backend, registry, self._drop, refusals=Refusals(context.metrics))

    async def _drop(self, name: str, client: str) -> None:
        self.dropped.append((name, client))

    def metric(self, name: str) -> list[dict[str, Any]]:
        return [line for line in map(json.loads, self.lines) if name in line]

    async def until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < deadline, f"not within {PATIENCE_SECONDS} s"
            await asyncio.sleep(0.01)


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    async def connect(*_: object) -> Silent:
        return Silent()

    monkeypatch.setattr(rtmp.Player, "connect", connect)
    monkeypatch.setattr(renewal, "RENEW_SECONDS", 0.01)
    return Scene()


@pytest.mark.parametrize(
    ("refusal", "reason"),
    [(RegistryUnavailableError("down"), "registry_unavailable"), (StreamTakenError(ELSEWHERE), "duplicate")],
)
async def test_nobody_is_let_in_without_the_lease(
    scene: Scene, refusal: Exception, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A log line, a metric, and nothing taken."""
    scene.registry.refusal = refusal
    with pytest.raises(PublisherRefusedError) as error:
        await scene.door.publish(PUBLISHER)
    assert error.value.reason == reason
    assert [line["Reason"] for line in scene.metric("RejectedPublish")] == [reason]
    assert [getattr(record, "reason", None) for record in caplog.records] == [reason]
    assert (scene.door.sessions, dict(scene.catalogue), scene.admission.used) == ([], {}, 0)


async def test_a_lease_is_renewed_and_given_back(scene: Scene) -> None:
    await scene.door.publish(PUBLISHER)
    await scene.until(lambda: scene.registry.renewals > 3)
    await scene.door.close()
    assert scene.registry.released == ["id"]
    renewals = scene.registry.renewals
    await asyncio.sleep(0.05)
    assert scene.registry.renewals == renewals


async def test_a_lost_lease_ends_the_broadcast_here(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """The publisher is hung up on, and what is here of the stream is not taken for it."""
    await scene.door.publish(PUBLISHER)
    assert "id" in scene.catalogue
    scene.registry.renewal = LeaseLostError("id")
    await scene.until(lambda: not scene.door.sessions and "id" not in scene.catalogue)
    assert scene.dropped == [("key", "17")]
    assert scene.admission.used == 0
    assert any("lease lost" in record.message for record in caplog.records)


async def test_a_table_that_is_down_ends_nothing(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """Said once when it begins and once when it is over; counted each time."""
    await scene.door.publish(PUBLISHER)
    scene.registry.renewal = RegistryUnavailableError("down")
    await scene.until(lambda: len(scene.metric("LeaseFailures")) >= 3)
    scene.registry.renewal = None
    renewals = scene.registry.renewals
    await scene.until(lambda: scene.registry.renewals > renewals + 1)
    said = [record.message for record in caplog.records if "lease" in record.message]
    assert said == ["lease not renewed, the broadcast goes on: down", "lease renewed again"]
    assert len(scene.door.sessions) == 1
    assert scene.dropped == []
    await scene.door.close()


async def test_a_lease_is_given_back_when_nginx_does_not_play(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    async def connect(*_: object) -> Silent:
        raise ConnectionRefusedError

    monkeypatch.setattr(rtmp.Player, "connect", connect)
    with pytest.raises(PublisherRefusedError) as error:
        await scene.door.publish(PUBLISHER)
    assert error.value.reason == "backend_unavailable"
    assert scene.registry.released == ["id"]


async def test_room_is_made_by_a_ghost_only(scene: Scene) -> None:
    """The same rule as for a second publisher of the same task."""
    assert await scene.door.make_room("id") is Answer.ABSENT
    await scene.door.publish(PUBLISHER)
    (session,) = scene.door.sessions

    asked = asyncio.create_task(scene.door.make_room("id"))
    await asyncio.sleep(0)
    session.intake.meter.last_arrival = time.monotonic() + 0.001
    assert await asked is Answer.WELL
    assert scene.door.sessions == [session]

    session.intake.meter.last_arrival = time.monotonic() - 5
    assert await scene.door.make_room("id") is Answer.YIELDED
    assert scene.dropped[0] == ("key", "17")
    assert scene.registry.released == ["id"]
    assert await scene.door.make_room("id") is Answer.ABSENT


async def test_no_room_is_made_while_a_lease_is_being_given_back(scene: Scene) -> None:
    """The session is over, and the table does not know yet: whoever took the stream now would own it twice."""
    scene.registry.held.add("id")
    assert await scene.door.make_room("id") is Answer.WELL


@pytest.mark.parametrize(("by_another", "same"), [(True, False), (False, True)])
async def test_what_is_left_here_is_continued_unless_another_task_had_the_stream(
    scene: Scene, *, by_another: bool, same: bool
) -> None:
    await scene.door.publish(PUBLISHER)
    left = scene.catalogue["id"]
    (session,) = scene.door.sessions
    session.intake.meter.last_arrival = time.monotonic() - 5
    scene.registry.grant = Grant(Position(5000, 7), continued=True, by_another=by_another)
    await scene.door.publish(PUBLISHER)
    assert (scene.catalogue["id"] is left) is same
    await scene.door.close()


@pytest.mark.parametrize("continued", [True, False])
def test_a_stream_from_elsewhere_begins_with_a_discontinuity(*, continued: bool) -> None:
    settings = Settings(backend_url="http://backend")
    stream = Stream("id", "id", settings, Position(5000, 7), continued=continued)
    soundtrack: Any = None
    generation = Generation("session", 1, start_pts=0, wall_offset=0.0, soundtrack=soundtrack, every_key=False)
    boundary = stream.timeline.begin(generation, 0)
    assert (boundary.msn, boundary.discontinuity, boundary.discontinuity_sequence) == (5000, continued, 7 + continued)


async def test_a_goodbye_ends_the_session_of_that_connection_only(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nginx says it of a publisher that was refused as a duplicate, too: same key, another connection."""
    monkeypatch.setattr(door, "_GOODBYE_SECONDS", 0)
    await scene.door.publish(PUBLISHER)
    (session,) = scene.door.sessions

    scene.door.done(PUBLISHER._replace(client="another/9"))
    scene.door.done(PUBLISHER._replace(name="another"))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not session._stopping.is_set()

    scene.door.done(PUBLISHER)
    await scene.until(lambda: not scene.door.sessions)
