"""What FFmpeg is told."""

import re
from itertools import pairwise
from pathlib import Path

import pytest
from origin.broadcast.encoder import KeyFrames, arguments
from origin.packaging import ladder
from origin.settings import DEFAULT_LADDER

from tests.container.packaging.test_ladder import source

BUILD = Path(__file__).resolve().parents[3] / "container" / "ffmpeg" / "build.sh"


def built(kind: str) -> set[str]:
    """What the image's FFmpeg is built with: the words of one list of its build script."""
    listed = re.search(rf"^{kind}=\((.*?)\)", BUILD.read_text(), re.DOTALL | re.MULTILINE)
    assert listed, kind
    return set(listed[1].split())


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


@pytest.mark.parametrize(("reordered", "probe"), [(0, "32"), (2, "32"), (None, "5000000")])
def test_pictures_are_waited_for_only_where_their_order_is_not_said(reordered: int | None, probe: str) -> None:
    picture = source(1280, 720, reordered=reordered)
    command = arguments(picture, ladder.plan(picture, DEFAULT_LADDER, copy=True)[1:], KeyFrames(), [7, 8])
    assert command[command.index("-probesize") + 1] == probe


@pytest.mark.parametrize("progressive", [True, False])
def test_the_images_ffmpeg_is_built_with_all_that_is_asked_of_it(*, progressive: bool) -> None:
    """Debian's, which runs from the tree, has everything; the image's has what its build script lists."""
    picture = source(720, 576, progressive=progressive)
    keys = KeyFrames(start_ms=12_345, every_ms=2000)
    command = arguments(picture, ladder.plan(picture, DEFAULT_LADDER, copy=False), keys, [7, 8, 9])
    graph = command[command.index("-filter_complex") + 1]
    filters = {re.sub(r"\[.*?\]", "", each).split("=")[0] for each in re.split("[;,]", graph)}
    assert "split" in filters
    assert filters <= built("filters")
    options = set(pairwise(command))
    assert {value for option, value in options if option == "-c:v"} <= built("encoders")
    assert {value for option, value in options if option == "-f"} <= built("demuxers") & built("muxers")
