"""The player page in a real browser, against an origin whose faults the test chooses."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.container.image import PATIENCE_SECONDS
from tests.container.player.scripted_origin import SEGMENT_SECONDS, ScriptedOrigin, make_show

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwright.async_api import Browser, Page, ViewportSize

PATIENCE_MS = 1000 * PATIENCE_SECONDS
pytestmark = pytest.mark.asyncio(loop_scope="module")  # the browser's
expect.set_options(timeout=PATIENCE_MS)
PHONE: ViewportSize = {"width": 320, "height": 640}  # the narrowest that is still sold


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser) -> AsyncIterator[Page]:
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PATIENCE_MS)
    page = await context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    yield page
    await context.close()
    assert faults == []


async def reach(page: Page, state: str) -> None:
    try:
        await page.wait_for_function(f"() => window.player?.state === '{state}'", timeout=PATIENCE_MS)
    except Exception as error:
        seen = await page.evaluate("() => [window.player?.state, document.body.innerText]")
        raise AssertionError(f"not {state} within {PATIENCE_SECONDS} s, last seen {seen}") from error


async def assert_moving(page: Page) -> None:
    """The picture goes on, as the browser counts frames."""
    frames = "() => document.querySelector('video').getVideoPlaybackQuality().totalVideoFrames"
    before = await page.evaluate(frames)
    await page.wait_for_function(f"() => ({frames})() > {before} + 3", timeout=PATIENCE_MS)


async def height(page: Page) -> int:
    return int(await page.evaluate("() => document.querySelector('video').videoHeight"))


async def test_waits_and_starts_by_itself_when_the_broadcast_starts(page: Page, origin: ScriptedOrigin) -> None:
    """A page opened before the show says so, and needs nobody's hand when the show begins."""
    await page.goto(origin.page_url)
    await expect(page.get_by_role("status")).to_have_text("Waiting for the broadcast")
    began, asked = time.monotonic(), len(origin.requests)
    while len(origin.requests) - asked < 6:
        await page.wait_for_timeout(100)
    assert time.monotonic() - began > 1.5, "polls a few times a second, no more"
    origin.go_live()
    await reach(page, "live")
    await assert_moving(page)
    await expect(page.get_by_role("status")).to_have_text("Live")
    await expect(page.locator("#notice")).to_have_css("opacity", "0")


async def test_reads_out_how_far_behind_the_studio_it_is(page: Page, origin: ScriptedOrigin) -> None:
    """The figure comes from the program date time, and is what the picture on screen says."""
    origin.go_live()
    await page.goto(origin.page_url)
    await reach(page, "live")
    await page.wait_for_function(
        """() => {
            const shown = document.querySelector('#latency').innerText.match(/^(\\d+\\.\\d) s$/);
            return shown && Math.abs(shown[1] - (Date.now() - player.hls.playingDate) / 1000) < 0.5;
        }""",
        timeout=PATIENCE_MS,
    )
    text = await page.locator("#latency").inner_text()
    assert float(text.split()[0]) >= 2 * SEGMENT_SECONDS, "three segments' hold-back, and half a segment of rounding"


async def test_chooses_a_quality_with_the_keyboard_alone(page: Page, origin: ScriptedOrigin) -> None:
    """Tab to the menu, type the first digit, and the picture changes without stopping."""
    origin.go_live()
    await page.goto(origin.page_url)
    await reach(page, "live")
    menu = page.get_by_label("Quality")
    assert await menu.locator("option").all_inner_texts() == [expected_auto(await height(page)), "720p", "480p", "360p"]
    for _ in range(10):
        await page.keyboard.press("Tab")
        if await menu.evaluate("element => element === document.activeElement"):
            break
    for choice, wanted in (("4", 480), ("3", 360), ("7", 720)):
        await page.keyboard.press(choice)
        await page.wait_for_function(
            f"() => document.querySelector('video').videoHeight === {wanted}", timeout=PATIENCE_MS
        )
        await reach(page, "live")
        await page.wait_for_timeout(1_100)  # the browser's menus take letters typed within a second as one word
    await page.keyboard.press("A")
    await page.wait_for_function("() => player.hls.autoLevelEnabled", timeout=PATIENCE_MS)


def expected_auto(height: int) -> str:
    return f"Auto ({height}p)"


async def test_keeps_the_chosen_quality_over_a_reconnect(page: Page, origin: ScriptedOrigin) -> None:
    """Who saves data goes on saving data."""
    origin.go_live()
    await page.goto(origin.page_url)
    await reach(page, "live")
    await page.get_by_label("Quality").select_option("360p")
    await page.wait_for_function("() => document.querySelector('video').videoHeight === 360", timeout=PATIENCE_MS)
    origin.end()
    await reach(page, "ended")
    origin.go_live()
    await reach(page, "live")
    await page.wait_for_timeout(2_000)
    await page.wait_for_function("() => document.querySelector('video').videoHeight > 0")
    assert await height(page) == 360
    assert await page.get_by_label("Quality").input_value() == "360p"


async def test_reconnects_after_the_origin_failed_without_a_reload(page: Page, origin: ScriptedOrigin) -> None:
    """Twelve seconds of 503 outlast hls.js's own retries; the page is the same one afterwards."""
    origin.go_live()
    await page.goto(origin.page_url)
    await reach(page, "live")
    await page.evaluate("() => { window.sameDocument = true }")
    origin.failing = True
    await reach(page, "reconnecting")
    await expect(page.get_by_role("status")).to_have_text("Reconnecting")
    await page.wait_for_timeout(8_000)
    origin.failing = False
    await reach(page, "live")
    await assert_moving(page)
    assert await page.evaluate("() => window.sameDocument") is True


async def test_goes_on_when_the_publisher_comes_back(page: Page, origin: ScriptedOrigin) -> None:
    """The playlists stay and do not grow for a while: the last picture stays, and then it goes on."""
    origin.go_live()
    await page.goto(origin.page_url)
    await reach(page, "live")
    await page.wait_for_timeout(1_000)
    origin.pause()
    await reach(page, "reconnecting")
    assert await height(page) > 0, "the last picture is still there"
    assert origin.started_at is not None
    assert origin.paused_at is not None
    await page.wait_for_timeout(3_000)
    origin.resume()
    await reach(page, "live")
    await assert_moving(page)


async def test_is_waiting_again_when_the_broadcast_stays_away(page: Page, origin: ScriptedOrigin) -> None:
    """A broadcast that vanished without an end is not reconnected to for ever, but still starts by itself."""
    origin.go_live()
    await page.goto(origin.page_url)
    await reach(page, "live")
    origin.remove()
    await reach(page, "waiting")
    await expect(page.get_by_role("status")).to_have_text("Waiting for the broadcast")
    origin.go_live()
    await reach(page, "live")
    await assert_moving(page)


async def test_says_when_the_broadcast_has_ended_and_plays_the_next_one(page: Page, origin: ScriptedOrigin) -> None:
    """ENDLIST is the end; the same page plays the next show on this id."""
    origin.go_live()
    await page.goto(origin.page_url)
    await reach(page, "live")
    origin.end()
    await reach(page, "ended")
    await expect(page.get_by_role("status")).to_have_text("The broadcast has ended")
    await page.wait_for_timeout(2_000)
    assert await page.evaluate("() => player.state") == "ended", "the remains on the origin are not played again"
    origin.go_live()
    await reach(page, "live")
    await assert_moving(page)


async def test_says_so_when_it_is_opened_after_the_end(page: Page, origin: ScriptedOrigin) -> None:
    """Who comes late does not see the last seconds of what is over."""
    origin.go_live()
    origin.end()
    await page.goto(origin.page_url)
    await reach(page, "ended")
    assert await height(page) == 0


async def test_recovers_from_a_media_error(page: Page, origin: ScriptedOrigin) -> None:
    """A decoder that fails once is restarted; one that fails again gets a new source."""
    origin.go_live()
    await page.goto(origin.page_url)
    await reach(page, "live")
    for _ in range(2):
        await page.evaluate(
            """() => player.hls.trigger('hlsError', {
                type: 'mediaError', details: 'bufferAppendError', fatal: true, error: new Error('made by the test'),
            })"""
        )
        await page.wait_for_timeout(500)
        await reach(page, "live")
        await assert_moving(page)


async def test_plays_again_when_it_was_paused_by_nobody(page: Page, origin: ScriptedOrigin) -> None:
    """A media element that is reset after an error is paused without an event; the event is kept back here."""
    origin.go_live()
    await page.goto(origin.page_url)
    await reach(page, "live")
    await page.evaluate(
        """() => {
            const keep = (event) => event.stopImmediatePropagation();
            window.addEventListener('pause', keep, { capture: true, once: true });
            document.querySelector('video').pause();
        }"""
    )
    await assert_moving(page)


async def test_notices_a_picture_that_stands_still_while_the_broadcast_goes_on(
    page: Page, origin: ScriptedOrigin
) -> None:
    """Whatever stopped the player, and though nothing reported an error."""
    origin.go_live()
    await page.goto(origin.page_url)
    await reach(page, "live")
    await page.evaluate("() => player.hls.stopLoad()")
    await reach(page, "reconnecting")
    await reach(page, "live")
    await assert_moving(page)


async def test_does_not_reload_over_and_over_while_the_publisher_is_away(page: Page, origin: ScriptedOrigin) -> None:
    """The last picture stays on screen: a new source would take it away and bring nothing."""
    origin.go_live()
    await page.goto(origin.page_url)
    await reach(page, "live")
    origin.pause()
    await reach(page, "reconnecting")
    masters = sum(path.endswith("master.m3u8") for path in origin.requests)
    began = time.monotonic()
    await page.evaluate("() => { window.source = player.hls }")
    await page.wait_for_timeout(8_000)
    assert await page.evaluate("() => player.hls === window.source")
    assert await height(page) > 0
    looks = sum(path.endswith("master.m3u8") for path in origin.requests) - masters
    assert looks <= 2.5 * (time.monotonic() - began), "twice a second at most"


async def test_comes_back_from_a_pause_to_what_is_on_now(page: Page, origin: ScriptedOrigin) -> None:
    """Live commerce is about now: a pause is no time shift."""
    origin.go_live()
    await page.goto(origin.page_url)
    await reach(page, "live")
    await page.keyboard.press("Space")
    await page.wait_for_function("() => document.querySelector('video').paused")
    await expect(page.get_by_role("button", name="Go to live")).to_be_visible()
    await page.wait_for_timeout(9_000)
    await page.keyboard.press("Space")
    await assert_moving(page)
    await page.wait_for_function(f"() => player.latencySeconds < {6 * SEGMENT_SECONDS}")


async def test_a_pause_outlives_a_reconnect(page: Page, origin: ScriptedOrigin) -> None:
    """Who paused is not talked to by a broadcast that came back; one key plays what is on now."""
    origin.go_live()
    await page.goto(origin.page_url)
    await reach(page, "live")
    await page.keyboard.press("Space")
    await page.evaluate(
        """() => player.hls.trigger('hlsError', {
            type: 'networkError', details: 'levelLoadError', fatal: true, error: new Error('made by the test'),
        })"""
    )
    await reach(page, "reconnecting")
    await reach(page, "live")
    assert await page.evaluate("() => document.querySelector('video').paused")
    await page.keyboard.press("Space")
    await assert_moving(page)


async def test_plays_where_only_the_browser_itself_can(page: Page, origin: ScriptedOrigin) -> None:
    """No Media Source Extensions, as on older iPhones: starts by itself and ends; the browser chooses the quality."""
    await page.add_init_script("delete window.MediaSource; delete window.ManagedMediaSource")
    await page.goto(origin.page_url)
    await reach(page, "waiting")
    origin.go_live()
    await reach(page, "live")
    assert await page.evaluate("() => player.hls") is None
    await assert_moving(page)
    await expect(page.get_by_label("Quality")).to_be_hidden()
    origin.end()
    await reach(page, "ended")


async def test_offers_the_sound_that_the_browser_held_back(page: Page, origin: ScriptedOrigin) -> None:
    """A browser that allows no sound before a touch plays without; one button gives it."""
    await page.add_init_script(
        """const play = HTMLMediaElement.prototype.play;
        HTMLMediaElement.prototype.play = function () {
          return this.muted || navigator.userActivation.isActive
            ? play.call(this) : Promise.reject(new DOMException('not yet', 'NotAllowedError'));
        };"""
    )
    origin.go_live()
    await page.goto(origin.page_url)
    await reach(page, "live")
    offer = page.locator("#allow")
    await expect(offer).to_have_text("Play with sound")
    await offer.focus()
    await page.keyboard.press("Enter")
    await expect(offer).to_be_hidden()
    assert await page.evaluate("() => document.querySelector('video').muted") is False
    assert await page.evaluate("() => document.activeElement.id") == "sound", "the focus is not lost"
    await assert_moving(page)


async def test_offers_to_play_where_the_browser_allows_nothing(page: Page, origin: ScriptedOrigin) -> None:
    """A phone that saves power plays no video before a touch, muted or not."""
    await page.add_init_script(
        """const play = HTMLMediaElement.prototype.play;
        HTMLMediaElement.prototype.play = function () {
          return navigator.userActivation.isActive
            ? play.call(this) : Promise.reject(new DOMException('not yet', 'NotAllowedError'));
        };"""
    )
    origin.go_live()
    await page.goto(origin.page_url)
    offer = page.locator("#allow")
    await expect(offer).to_have_text("Play")
    await offer.click()
    await reach(page, "live")
    await expect(offer).to_be_hidden()
    await assert_moving(page)


async def test_every_control_has_a_name_and_answers_to_the_keyboard(page: Page, origin: ScriptedOrigin) -> None:
    """What a screen reader reads, and what works without a mouse."""
    origin.go_live()
    await page.goto(origin.page_url)
    await reach(page, "live")
    names = ["Pause", "Turn sound off", "Live", "Full screen"]
    for name in names:
        await expect(page.get_by_role("button", name=name, exact=True)).to_be_visible()
    await page.get_by_role("button", name="Turn sound off").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="Turn sound on")).to_be_visible()
    await page.keyboard.press("m")
    await expect(page.get_by_role("button", name="Turn sound off")).to_be_visible()
    await page.keyboard.press("f")
    await expect(page.get_by_role("button", name="Leave full screen")).to_be_visible()
    await page.keyboard.press("f")
    await expect(page.get_by_role("button", name="Full screen", exact=True)).to_be_visible()
    assert await page.get_by_role("status").get_attribute("aria-live") == "polite"


@pytest.mark.parametrize("state", ["waiting", "live"])
async def test_fits_a_phone(page: Page, origin: ScriptedOrigin, state: str) -> None:
    """Nothing beyond the screen's edge, and every control big enough for a thumb."""
    if state == "live":
        origin.go_live()
    await page.set_viewport_size(PHONE)
    await page.goto(origin.page_url)
    await reach(page, state)
    await page.wait_for_timeout(500)
    assert await page.evaluate("() => document.documentElement.scrollWidth") <= PHONE["width"]
    for control in await page.locator("#bar button:visible, #bar select:visible").all():
        box = await control.bounding_box()
        assert box is not None
        label = await control.get_attribute("id")
        assert box["height"] >= 44, label
        assert box["width"] >= 40, label
        assert box["x"] >= 0, label
        assert box["x"] + box["width"] <= PHONE["width"], label


async def test_shows_a_portrait_broadcast_whole(page: Page, page_folder: Path, tmp_path: Path) -> None:
    """A picture taken upright keeps its shape and the controls stay on screen; the names are those of the ladder."""
    async with ScriptedOrigin(make_show(tmp_path / "portrait", "720x1280"), page_folder) as origin:
        origin.go_live()
        await page.goto(origin.page_url)
        await reach(page, "live")
        await page.wait_for_timeout(500)
        bar = await page.locator("#bar").bounding_box()
        assert bar is not None
        assert bar["y"] + bar["height"] <= 800
        assert await page.get_by_label("Quality").locator("option").nth(1).inner_text() == "720p"


async def test_does_not_move_for_those_who_asked_for_no_motion(browser: Browser, origin: ScriptedOrigin) -> None:
    """prefers-reduced-motion stops the pulse."""
    for preference, animation in (("reduce", "none"), ("no-preference", "breathe")):
        context = await browser.new_context(reduced_motion=preference)  # type: ignore[arg-type]  # one of its literals
        page = await context.new_page()
        await page.goto(origin.page_url)
        await reach(page, "waiting")
        await expect(page.locator(".pulse")).to_have_css("animation-name", animation)
        await context.close()


async def test_says_what_is_wrong_with_an_address_without_an_id(page: Page, origin: ScriptedOrigin) -> None:
    """The bare host is no broadcast."""
    await page.goto(origin.url + "/")
    await expect(page.get_by_role("status")).to_have_text("No broadcast chosen")
