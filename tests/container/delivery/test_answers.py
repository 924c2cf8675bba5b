"""What a request gets at the very beginning of a stream."""

import asyncio

import pytest
from origin.delivery.answers import Delivery
from origin.delivery.web import accepts_gzip, without_needless_escapes

from tests.container.image import PATIENCE_SECONDS
from tests.container.packaging.by_hand import add, pictures
from tests.container.tasks import FIRST_MSN, SETTINGS, Broadcast


@pytest.mark.parametrize("query", [f"_HLS_msn={FIRST_MSN - 20}&_HLS_part=0", ""])
async def test_a_playlist_waits_until_it_can_report_on_all_others(query: str) -> None:
    """A player that comes from another task asks for less than there is, before each rendition has begun."""
    show = Broadcast("show")
    delivery = Delivery({"show": show.stream}, SETTINGS)
    first, second = show.renditions
    add(first, pictures(150, gop=30))
    assert first.window.playable

    asking = asyncio.create_task(delivery.get(f"show/{first.name}/index.m3u8", query, gzip_accepted=False))
    await asyncio.sleep(0.1)
    assert not asking.done()
    add(second, pictures(150, gop=30))
    response = await asyncio.wait_for(asking, PATIENCE_SECONDS)

    assert response.status == 200
    assert response.body.count(b"#EXT-X-RENDITION-REPORT") == 1


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("deflate,gzip", True),
        ("", False),
        ("identity", False),
        ("gzip;q=0", False),
        ("br, gzip ; q=0.000", False),
        ("not-gzip", False),
    ],
)
def test_gzip_is_for_who_asks_for_it(header: str, *, accepted: bool) -> None:
    assert accepts_gzip(header) is accepted


@pytest.mark.parametrize(
    ("path", "same"),
    [
        ("/hls/%73how/master.m3u8", "/hls/show/master.m3u8"),
        ("/hls/a%2Db%5fc%7e/x", "/hls/a-b_c~/x"),
        ("/hls/show%2fmaster.m3u8", "/hls/show%2fmaster.m3u8"),  # a slash would mean another path
        ("/hls/%2e%2e/x", "/hls/../x"),  # as it says; nothing has that name
        ("/hls/%zz%4/x%", "/hls/%zz%4/x%"),
        ("/hls/%25%33%31/x", "/hls/%2531/x"),  # once only
        ("/hls/%C3%A9/x", "/hls/%C3%A9/x"),
        ("/hls/show/x", "/hls/show/x"),
    ],
)
def test_what_is_escaped_for_no_reason_means_the_same(path: str, same: str) -> None:
    assert without_needless_escapes(path) == same
