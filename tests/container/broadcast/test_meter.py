"""A publisher's stream as it arrives: its rate, its key frames."""

import pytest
from origin.broadcast.meter import GopCache, Meter
from origin.media.packets import VideoPacket


def packet(dts: int, *, key: bool = False, size: int = 10) -> VideoPacket:
    return VideoPacket(dts, 0, key, b"x" * size)


def test_cache_gives_packets_from_the_key_frame_before() -> None:
    cache = GopCache(10_000)
    for dts in range(0, 100, 10):
        cache.add(packet(dts, key=dts % 30 == 0))
    found = cache.since(45)
    assert found
    assert [each.dts for each in found] == [30, 40, 50, 60, 70, 80, 90]
    cache.trim(60)
    assert cache.since(59) is None
    assert [each.dts for each in cache.since(60) or []] == [60, 70, 80, 90]


def test_cache_is_bounded() -> None:
    cache = GopCache(100)
    for dts in range(50):
        cache.add(packet(dts, key=dts == 0))
    assert cache.since(49) is None
    cache.add(packet(50, key=True))
    assert cache.since(50) is not None


def test_meter_measures_the_last_seconds() -> None:
    meter = Meter()
    for index in range(900):
        meter.picture(packet(index * 1000 // 30, size=1000 if index < 450 else 2000))
    assert meter.frame_rate == pytest.approx(30, abs=0.1)
    assert meter.video_kbps == pytest.approx(2000 * 8 * 30 / 1000, rel=0.01)
