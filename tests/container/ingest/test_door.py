"""Letting publishers in, where the moment matters."""

import asyncio
from typing import Any

import pytest
from origin.broadcast.admission import Admission
from origin.broadcast.fitness import KnownMisfits
from origin.broadcast.session import SessionContext
from origin.cluster.registry import Holder, InProcessRegistry
from origin.ingest import rtmp
from origin.ingest.door import Door, Publisher, PublisherRefusedError
from origin.ingest.refusals import Refusals
from origin.metrics import Metrics
from origin.packaging.catalogue import Catalogue
from origin.settings import Settings


class Welcome:
    """A backend that knows everybody."""

    async def authorize(self, **_: str) -> str:
        return "id"


def door() -> tuple[Door, Catalogue]:
    async def drop(*_: str) -> None:
        pass

    lines: list[str] = []
    context = SessionContext(
        settings=Settings(backend_url="http://backend"),
        metrics=Metrics(namespace="n", cluster_name="c", service_name="s", write=lines.append),
        admission=Admission(4),
        misfits=KnownMisfits(),
    )
    backend: Any = Welcome()
    catalogue = Catalogue(context.settings)
    registry = InProcessRegistry(Holder("task", "http://127.0.0.1:8080"))
    return Door(context, catalogue, backend, registry, drop, refusals=Refusals(context.metrics)), catalogue


async def test_stream_of_a_publisher_being_let_in_is_not_swept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the hook and the first packet there is a stream without renditions and without a session."""
    connecting, go_on = asyncio.Event(), asyncio.Event()

    async def connect(*_: object) -> rtmp.Player:
        connecting.set()
        await go_on.wait()
        raise rtmp.RtmpError

    monkeypatch.setattr(rtmp.Player, "connect", connect)
    tested, catalogue = door()
    publishing = asyncio.create_task(tested.publish(Publisher("key", "live", "1.2.3.4", "1")))
    await connecting.wait()
    tested.sweep()
    assert "id" in catalogue
    go_on.set()
    await asyncio.wait({publishing})
    assert isinstance(publishing.exception(), PublisherRefusedError)
    tested.sweep()
    assert "id" not in catalogue
