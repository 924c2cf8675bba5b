"""When the whole process goes on, and when it ends."""

import asyncio
import logging

import pytest
from origin.app import Origin
from origin.logs import Concealer
from origin.packaging.catalogue import Catalogue
from origin.packaging.position import Position
from origin.settings import Settings

SETTINGS = Settings(backend_url="http://backend")


@pytest.fixture
def process() -> Origin:
    """Put together as far as these tests need it."""
    made = Origin(SETTINGS, Concealer())
    made._catalogue = Catalogue(SETTINGS)
    return made


async def test_a_task_is_needed_by_who_is_let_in_and_by_playlists_that_go_on(process: Origin) -> None:
    assert not process._needed()
    newcomer = object()
    assert process._admission.enter(newcomer)
    assert process._needed()  # before there is a stream
    stream = process._catalogue.begin("id", "id", Position(0, 0), continued=False)
    process._admission.release(newcomer)
    assert process._needed()  # the publisher may come back
    stream.end()
    assert not process._needed()


class Parts:
    """The parts that `_serve` looks at, in place of the door and nginx."""

    def __init__(self) -> None:
        self.closed = False
        self.draining = False
        self.sessions: list[object] = []

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def close(self) -> None:
        self.closed = True


async def test_a_chore_that_dies_ends_the_process_loudly(process: Origin, caplog: pytest.LogCaptureFixture) -> None:
    """A task in which nothing is swept, reported or protected any more must not go on as if it were well."""
    process._door = process._instances = parts = Parts()  # type: ignore[assignment] # stands in for both

    async def fail() -> None:
        raise ZeroDivisionError

    chore = asyncio.create_task(fail(), name="Origin._sweep died")
    assert await process._serve([chore]) == 1

    (record,) = [each for each in caplog.records if each.levelno == logging.CRITICAL]
    assert record.getMessage() == "Origin._sweep died, and so does origin"
    assert record.exc_info
    assert isinstance(record.exc_info[1], ZeroDivisionError)
    assert parts.closed  # playlists are finished, publishers sent on


async def test_a_process_that_is_told_to_stop_ends_well(process: Origin) -> None:
    process._door = process._instances = Parts()  # type: ignore[assignment] # stands in for both
    chore = asyncio.create_task(asyncio.Event().wait())
    process._on_signal()
    assert await process._serve([chore]) == 0  # type: ignore[list-item] # a chore returns nothing
    chore.cancel()
