"""What FFmpeg is told."""

import pytest
from origin.broadcast.encoder import KeyFrames, arguments
from origin.packaging import ladder
from origin.settings import DEFAULT_LADDER

from tests.container.packaging.test_ladder import source


def test_encoder_knows_no_key_and_no_shell() -> None:
    """All that FFmpeg gets is pipes and numbers."""
    plans = ladder.plan(source(1280, 720), DEFAULT_LADDER, copy=True)[1:]
    command = arguments(source(1280, 720), plans, KeyFrames(), [7, 8])
    assert command[0] == "ffmpeg"
    assert command[command.index("-i") + 1] == "pipe:0"
    assert [each for each in command if each.startswith("pipe:")] == ["pipe:0", "pipe:7", "pipe:8"]
    assert command.count("source") == 2
    later = arguments(source(1280, 720), plans, KeyFrames(start_ms=12_345, every_ms=2000), [7, 8])
    assert any("trim=start=12.345" in each for each in later)


@pytest.mark.parametrize("progressive", [True, False])
def test_only_interlaced_sources_are_deinterlaced(*, progressive: bool) -> None:
    picture = source(720, 576, progressive=progressive)
    command = arguments(picture, ladder.plan(picture, DEFAULT_LADDER, copy=False), KeyFrames(), [7, 8, 9])
    assert ("bwdif" in command[command.index("-filter_complex") + 1]) is not progressive
