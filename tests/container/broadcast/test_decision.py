"""What is decided before each picture."""

import pytest
from origin.broadcast.decision import Begin, Decision, EncodeTop, Facts, GiveUp, GoOn, decide
from origin.broadcast.left_out import LeftOut
from origin.media.packets import VideoPacket


@pytest.mark.parametrize(
    ("key", "facts", "decision"),
    [
        (True, Facts(), GoOn()),
        (False, Facts(), GoOn()),
        (True, Facts(due="start"), Begin("start")),
        (False, Facts(due="start"), GoOn()),
        (True, Facts(misfit="too many bits"), EncodeTop("too many bits")),
        (False, Facts(misfit="too many bits"), EncodeTop("too many bits")),
        (True, Facts(due="the source's clock jumped", misfit="no key frame"), Begin("the source's clock jumped")),
        (False, Facts(due="the encoder lost its place", lost_ms=30_000), GoOn()),
        (True, Facts(due="the encoder lost its place", lost_ms=60_000), Begin("the encoder lost its place")),
    ],
)
def test_the_next_step_follows_from_the_facts(*, key: bool, facts: Facts, decision: Decision) -> None:
    assert decide(VideoPacket(10_000, 0, key, b""), facts) == decision


def test_a_key_frame_is_waited_for_for_half_a_minute() -> None:
    decision = decide(VideoPacket(10_000, 0, False, b""), Facts(due="x", lost_ms=30_001))  # a packet's fields
    assert isinstance(decision, GiveUp)
    assert "key frame for over 30 s" in decision.text


def test_renditions_are_left_out_one_by_one_and_one_always_stays() -> None:
    left_out = LeftOut(2)
    for expected in (1, 2, 2):
        left_out.one_more(at=1000, broadcasts=3)
        assert left_out.count == expected


@pytest.mark.parametrize(
    ("at", "broadcasts", "excess", "again"),
    [
        (2000, 3, 0, False),  # a moment later, and nobody has left
        (2000, 2, 0, True),  # another broadcast has
        (601_000, 3, 0, False),
        (601_001, 3, 0, True),  # what slowed it may have passed
        (601_001, 3, 1, False),  # but the task carries too much
        (601_001, 4, 0, True),
    ],
)
def test_all_renditions_are_tried_again_when_there_may_be_room(
    at: int, broadcasts: int, excess: int, *, again: bool
) -> None:
    left_out = LeftOut(2)
    assert not left_out.try_again(at, broadcasts, excess)
    left_out.one_more(at=1000, broadcasts=3)
    assert left_out.try_again(at, broadcasts, excess) is again
    left_out.reset()
    assert not left_out.try_again(at, broadcasts, excess)
