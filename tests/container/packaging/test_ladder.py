"""Which renditions a source becomes, and what they cost."""

import pytest
from origin.media.codecs import Picture
from origin.packaging import ladder
from origin.settings import DEFAULT_LADDER


def source(width: int, height: int, **more: object) -> Picture:
    values = {"profile": 100, "bit_depth": 8, "chroma_format": 1, "progressive": True} | more
    return Picture(width=width, height=height, **values)  # type: ignore[arg-type]  # any field


@pytest.mark.parametrize(
    ("picture", "sizes"),
    [
        (source(1280, 720), [(1280, 720), (854, 480), (640, 360)]),
        (source(1920, 1080), [(1280, 720), (854, 480), (640, 360)]),
        (source(720, 1280), [(720, 1280), (480, 854), (360, 640)]),
        (source(854, 480), [(854, 480), (640, 360)]),
        (source(640, 360), [(640, 360)]),
        (source(960, 544), [(960, 544), (848, 480), (636, 360)]),
        (source(320, 240), [(320, 240)]),
        (source(360, 288, aspect_ratio=(64, 45)), [(512, 288)]),
        (source(720, 576, aspect_ratio=(16, 15)), [(768, 576), (640, 480), (480, 360)]),
        (source(720, 576, aspect_ratio=(64, 45)), [(1024, 576), (854, 480), (640, 360)]),
        (source(960, 720, aspect_ratio=(4, 3)), [(1280, 720), (854, 480), (640, 360)]),
        (source(1440, 1080, aspect_ratio=(4, 3)), [(1280, 720), (854, 480), (640, 360)]),
        (source(720, 480, aspect_ratio=(8, 9)), [(720, 540), (640, 480), (480, 360)]),
        (source(720, 960, aspect_ratio=(3, 4)), [(720, 1280), (480, 854), (360, 640)]),
    ],
)
def test_ladder_fits_the_source(picture: Picture, sizes: list[tuple[int, int]]) -> None:
    fits = ladder.misfit(picture, DEFAULT_LADDER) is None
    plans = ladder.plan(picture, DEFAULT_LADDER, copy=fits)
    assert [(plan.width, plan.height) for plan in plans] == sizes
    assert plans[0].copied == fits
    assert not any(plan.copied for plan in plans[1:])
    assert ladder.cost(plans, 30) == (1 if fits else 2)


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        (source(1920, 1080), "1920x1080 is larger than 720p"),
        (source(3440, 720), "larger"),
        (source(1920, 720, aspect_ratio=(4, 3)), "1920x720 shown as 2560x720 is larger than 720p"),
        (source(1280, 720, bit_depth=10), "8-bit"),
        (source(1280, 720, chroma_format=2), "4:2:0"),
        (source(1280, 720, progressive=False), "progressive"),
        (source(1280, 720, profile=244), "High profile"),
    ],
)
def test_misfit_is_put_in_words(picture: Picture, said: str) -> None:
    assert said in (ladder.misfit(picture, DEFAULT_LADDER) or "")


@pytest.mark.parametrize(
    ("copy", "left"),
    [
        (True, [["720p", "480p", "360p"], ["720p", "360p"], ["720p"], ["720p"]]),
        (False, [["720p", "480p", "360p"], ["480p", "360p"], ["360p"], ["360p"]]),
    ],
    ids=["copied-top", "encoded-top"],
)
def test_lighter_ladder_keeps_a_picture(left: list[list[str]], *, copy: bool) -> None:
    plans = ladder.plan(source(1280, 720), DEFAULT_LADDER, copy=copy)
    assert [[plan.name for plan in ladder.lighter(plans, steps)] for steps in range(4)] == left


@pytest.mark.parametrize(("rate", "cost"), [(25, 1), (30.01, 1), (0, 1), (50, 2), (59.94, 2)])
def test_cost_goes_by_what_is_encoded(rate: float, cost: int) -> None:
    for copy, factor in ((True, 1), (False, 2)):
        assert ladder.cost(ladder.plan(source(1280, 720), DEFAULT_LADDER, copy=copy), rate) == cost * factor


def test_a_source_may_have_a_quarter_more_than_its_rung() -> None:
    """An encoder at the rung's own rate goes above it now and then; twice as much would be somebody else's."""
    assert ladder.limit_kbps(DEFAULT_LADDER) == 3125
