"""The part target: settled once, when the first part is published, for all renditions and for good."""

import pytest
from origin.media.packets import VideoPacket
from origin.packaging import rates
from origin.packaging.ladder import plan
from origin.packaging.position import Position
from origin.packaging.stream import Stream
from origin.settings import Settings

from tests.container.packaging.by_hand import add, begin, generation, pictures
from tests.container.tasks import SOURCE

SETTINGS = Settings(backend_url="http://backend")


def settled(packets: list[VideoPacket]) -> Stream:
    stream = Stream("id", "id", SETTINGS, Position(100, 0))
    common = generation()
    for rendition in stream.prepare(plan(SOURCE, SETTINGS.ladder, copy=True)[:2]):
        begin(rendition, common)
        add(rendition, packets)
    return stream


@pytest.mark.parametrize(
    ("rate", "target"),
    [(25, 321), (30, 335), (29.97, 335), (60, 335), (59.94, 335), (24, 335), (23.976, 335), (50, 341), (15, 335)],
)
def test_it_is_what_whole_pictures_fill(rate: float, target: int) -> None:
    """For good, and no part of any rendition exceeds it: nine seconds have every rounding of the clock."""
    stream = settled(pictures(9, rate=rate))
    assert stream.part_target_ms == target
    for rendition in stream.renditions.values():
        assert rendition.segmenter.part_target_ms == target
        lengths = [part.duration_ms for segment in rendition.window.segments for part in segment.parts[:-1]]
        assert max(lengths) < target
        assert min(lengths) > 0.95 * (target - 1)


def test_nothing_is_settled_before_the_first_part() -> None:
    stream = settled(pictures(0.3))
    assert not any(rendition.window.begun for rendition in stream.renditions.values())
    assert stream.part_target_ms == 350


def test_uneven_pictures_leave_what_was_configured() -> None:
    """Parts of two pictures, 150 ms apart, fill less than 85 % of it (RFC 8216bis 4.4.4.9)."""
    assert (
        settled([VideoPacket(10_000 + 146 * index, 0, index == 0, b"p") for index in range(20)]).part_target_ms == 350
    )


def test_a_slow_show_leaves_what_was_configured() -> None:
    """Slides: a picture lasts over many parts."""
    assert (
        settled([VideoPacket(10_000 + 1000 * index, 0, True, b"p") for index in range(9)]).part_target_ms == 350
    )  # a packet's fields


@pytest.mark.parametrize(
    ("count", "shown", "longest"), [(10, 333, 334), (10, 334, 334), (8, 320, 320), (6, 347, 348), (20, 333, 334)]
)
def test_the_clock_rounds_up_to_a_millisecond(count: int, shown: int, longest: int) -> None:
    assert rates.longest_ms(count, shown) == longest
