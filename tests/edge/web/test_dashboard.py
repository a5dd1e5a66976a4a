"""The dashboard in a real browser."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from playwright.sync_api import expect

from edge import rle

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from playwright.sync_api import Page

    from edge.camera_state import CameraState
    from edge.web.fake import FakeDevice

PIXELS = """() => {
    const canvas = document.getElementById("picture");
    const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    let red = 0, sum = 0;
    for (let i = 0; i < data.length; i += 4) {
        red += data[i] > 150 && data[i + 1] < 110 && data[i + 2] < 110;
        sum = (sum * 31 + data[i] + data[i + 1] + data[i + 2]) >>> 0;
    }
    return { red, sum };
}"""


def pixels(page: Page) -> dict[str, int]:
    """Count strongly red pixels of the live picture, and sum it up."""
    found: dict[str, int] = page.evaluate(PIXELS)
    return found


def shown(page: Page) -> Page:
    """Wait for a picture and a verdict."""
    page.wait_for_function("() => document.getElementById('picture').dataset.sequence > 0")
    page.wait_for_selector("#verdict:not([data-verdict=none])")
    return page


def scene(device: FakeDevice, lesions: int = 0) -> None:
    device.show("belt", lesions=lesions)
    device.health.cameras["belt"].fps = 0.0  # no next picture is expected soon
    device.tell(age_s=-20)  # a core may be silent for 5 s: a busy machine takes longer to load a page


def test_the_live_picture_moves(playing: threading.Event, url: str, open_page: Callable[..., Page]) -> None:
    page = shown(open_page(url))
    before = pixels(page)["sum"]
    page.wait_for_function(
        "(old) => document.getElementById('picture').dataset.sequence > old + 5",
        arg=int(page.get_attribute("#picture", "data-sequence") or 0),
    )
    assert pixels(page)["sum"] != before
    expect(page.locator("#age-text")).to_have_text("Live")
    expect(page.locator("#banner")).to_be_hidden()


def test_the_verdict_says_what_and_why(device: FakeDevice, url: str, open_page: Callable[..., Page]) -> None:
    scene(device)
    page = shown(open_page(url))
    expect(page.locator("#verdict-word")).to_have_text("OK")
    scene(device, lesions=3)
    expect(page.locator("#verdict")).to_have_attribute("data-verdict", "NotOK")
    expect(page.locator("#reasons")).to_contain_text("lesion: 3 found")
    expect(page.locator("#verdict-icon")).to_have_attribute("href", "#i-notok")
    row = page.locator("#class-rows tr", has_text="lesion")
    expect(row.locator("td").first).to_have_text("3")
    expect(row).to_contain_text("%")


WHITE = """() => {
    const canvas = document.getElementById("picture");
    const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    let white = 0;
    for (let i = 0; i < data.length; i += 4) white += data[i] + data[i + 1] + data[i + 2] === 765;
    return white;
}"""


def test_zones_are_outlined_over_the_picture_and_the_recipe_is_told(
    device: FakeDevice, url: str, open_page: Callable[..., Page]
) -> None:
    scene(device)
    page = shown(open_page(url))
    assert page.evaluate(WHITE) == 0
    device.zones["rim"] = [[100, 40], [540, 40], [540, 280], [100, 280]]
    device.recipe_id = "seedling"
    scene(device)
    page.wait_for_function(f"() => ({WHITE})() > 200")
    expect(page.locator("#readings")).to_contain_text("seedling")
    page.uncheck("#overlay", force=True)
    page.wait_for_function(f"() => ({WHITE})() === 0")


def test_the_overlay_can_be_switched_and_is_remembered(
    device: FakeDevice, url: str, open_page: Callable[..., Page]
) -> None:
    scene(device, lesions=4)
    page = shown(open_page(url))
    page.wait_for_selector("#verdict[data-verdict=NotOK]")
    page.wait_for_timeout(300)
    tinted = pixels(page)["red"]
    page.uncheck("#overlay", force=True)
    plain = pixels(page)["red"]
    assert tinted > plain + 500
    page.reload(wait_until="domcontentloaded")
    assert page.is_checked("#overlay") is False
    page.wait_for_selector("#verdict[data-verdict=NotOK]")  # before, what is clicked on still moves
    page.check("#overlay", force=True)
    page.fill("#opacity", "10")
    expect(page.locator("#opacity-text")).to_have_text("10 %")


def test_pictures_and_masks_come_with_their_frames_and_are_not_asked_for(
    device: FakeDevice, url: str, open_page: Callable[..., Page]
) -> None:
    page = open_page(url)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    scene(device, lesions=4)
    shown(page)
    assert pixels(page)["red"] > 0
    scene(device)
    page.wait_for_function("() => document.getElementById('picture').dataset.sequence === '2'")
    assert pixels(page)["red"] == 0
    assert [address for address in asked if "/cameras/" in address] == []


def test_a_page_that_nobody_sees_gets_no_pictures_and_shows_none_when_it_is_seen_again(
    device: FakeDevice, url: str, open_page: Callable[..., Page]
) -> None:
    scene(device)
    page = shown(open_page(url))
    hide = """(hidden) => {
        Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    with page.expect_request("**/stream?pictures=false*"):
        page.evaluate(hide, arg=True)
    assert page.get_attribute("#picture", "data-sequence") == ""
    scene(device, lesions=3)
    expect(page.locator("#verdict")).to_have_attribute("data-verdict", "NotOK")
    assert page.get_attribute("#picture", "data-sequence") == ""
    with page.expect_request("**/stream?pictures=true*"):
        page.evaluate(hide, arg=False)
    page.wait_for_function("() => document.getElementById('picture').dataset.sequence === '2'")


def test_an_alert_is_pushed_and_opens_with_its_outlines(
    playing: threading.Event, device: FakeDevice, url: str, open_page: Callable[..., Page]
) -> None:
    page = shown(open_page(url))
    expect(page.locator("#alerts-empty")).to_be_visible()
    page.wait_for_timeout(700)
    device.alert("belt", "new", lesions=3)
    row = page.locator(".alert-row")
    expect(row).to_contain_text("lesion \u00d7 3")
    expect(row).to_contain_text("ongoing")
    expect(row).to_contain_text("#1")
    row.click()
    page.wait_for_selector("#evidence[data-ready=yes]")
    expect(page.locator("#regions tr")).to_have_count(3)
    expect(page.locator("#facts a")).to_have_text(["class of every pixel (PNG)", "regions drawn in (JPEG)"])
    outlined = page.evaluate(PIXELS.replace("picture", "evidence"))
    page.uncheck("#outlines", force=True)
    plain = page.evaluate(PIXELS.replace("picture", "evidence"))
    assert outlined["red"] > plain["red"] + 100
    page.keyboard.press("Escape")
    expect(page.locator("#dialog")).to_be_hidden()


def test_the_steps_of_one_alert_are_one_row(device: FakeDevice, url: str, open_page: Callable[..., Page]) -> None:
    device.alert("belt", "new", "update", "end")
    device.alert("belt", "new")
    scene(device)
    page = shown(open_page(url))
    expect(page.locator(".alert-row")).to_have_count(2)
    expect(page.locator("#alerts-count")).to_have_text("1 ongoing")
    page.locator(".alert-row").first.press("Enter")
    expect(page.locator("#newer")).to_be_disabled()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#older")).to_be_disabled()
    expect(page.locator("#facts")).to_contain_text("#1 of #1 to #3")


def test_the_theme_can_be_switched_and_is_remembered(
    device: FakeDevice, url: str, open_page: Callable[..., Page]
) -> None:
    scene(device)
    page = shown(open_page(url))
    colour = "() => getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(colour)
    page.click("#theme")
    dark = page.evaluate(colour)
    assert light != dark
    page.reload(wait_until="domcontentloaded")
    assert page.evaluate(colour) == dark


def test_an_old_picture_is_never_shown_as_live(
    playing: threading.Event, device: FakeDevice, url: str, open_page: Callable[..., Page]
) -> None:
    page = shown(open_page(url))
    playing.set()
    for _ in range(8):  # the core lives on, no more pictures come
        device.tell()
        page.wait_for_timeout(500)
    expect(page.locator("#banner")).to_contain_text("The picture is old.")
    expect(page.locator("#age-text")).to_contain_text("Not live")
    expect(page.locator("#verdict-word")).to_have_text("No verdict")
    expect(page.locator("#stage")).to_have_attribute("data-live", "no")
    scene(device)
    expect(page.locator("#banner")).to_be_hidden()
    expect(page.locator("#verdict-word")).to_have_text("OK")


def test_a_page_opened_late_knows_that_the_picture_is_old(
    device: FakeDevice, url: str, open_page: Callable[..., Page]
) -> None:
    device.show("belt", age_s=90)
    device.tell()
    page = open_page(url)
    expect(page.locator("#age-text")).to_contain_text("Not live: 9")
    expect(page.locator("#verdict-word")).to_have_text("No verdict")


def test_a_core_that_does_not_answer_is_said(device: FakeDevice, url: str, open_page: Callable[..., Page]) -> None:
    device.show("belt")
    device.tell(age_s=30)
    page = open_page(url)
    expect(page.locator("#banner")).to_contain_text("The inspection does not answer. Silent for 3")
    expect(page.locator("#verdict")).to_have_attribute("data-verdict", "none")


def test_a_stalled_camera_is_said_with_its_reason(device: FakeDevice, url: str, open_page: Callable[..., Page]) -> None:
    device.health.cameras["belt"].state, device.health.cameras["belt"].detail = "stalled", "no picture for 6.0 s"
    scene(device)
    page = open_page(url)
    expect(page.locator("#banner")).to_contain_text("Camera stalled. No picture for 6.0 s.")


@pytest.mark.parametrize(
    ("state", "detail", "said"),
    [
        (
            "covered",
            "12% of the reference's contrast is left",
            "The lens is covered. 12% of the reference's contrast is left.",
        ),
        ("refused", "user name or password is wrong", "Camera refuses us. User name or password is wrong."),
        ("wrong_format", "", "Pictures have another size or format. Check the camera's settings."),
        ("waiting", "closed for 540 s until the next picture is due", "Waiting for a picture. Closed for 540 s"),
    ],
)
def test_every_state_of_a_camera_is_said_in_words(
    device: FakeDevice, url: str, open_page: Callable[..., Page], state: CameraState, detail: str, said: str
) -> None:
    device.health.cameras["belt"].state, device.health.cameras["belt"].detail = state, detail
    scene(device)
    expect(open_page(url).locator("#banner")).to_contain_text(said)


def test_a_camera_without_pictures_shows_no_verdict_however_young_the_last_one_is(
    device: FakeDevice, url: str, open_page: Callable[..., Page]
) -> None:
    scene(device)
    page = shown(open_page(url))
    device.health.cameras["belt"].trouble("failed", "was unplugged")
    device.tell()
    expect(page.locator("#verdict")).to_have_attribute("data-verdict", "none")


def test_light_that_drifts_is_a_warning_and_verdicts_go_on(
    device: FakeDevice, url: str, open_page: Callable[..., Page]
) -> None:
    device.health.cameras["belt"].drift = -47.0
    device.health.cameras["belt"].drift_detail = "red is -47 grey levels off the calibration set: check light"
    scene(device)
    page = shown(open_page(url))
    expect(page.locator("#banner")).to_contain_text("Light or colour drifts. Red is -47 grey levels off")
    expect(page.locator("#verdict")).to_have_attribute("data-verdict", "OK")


def test_a_lost_connection_is_said_and_mended(
    serving: Callable[..., AbstractContextManager[str]], device: FakeDevice, open_page: Callable[..., Page]
) -> None:
    scene(device)
    with serving() as url:
        page = shown(open_page(url, quiet=False))
        port = int(url.rpartition(":")[2])
    expect(page.locator("#banner")).to_contain_text("No connection to the device.")
    expect(page.locator("#verdict-word")).to_have_text("No verdict")
    with serving(port):
        scene(device)
        expect(page.locator("#link")).to_have_text("connected")
        scene(device)
        expect(page.locator("#verdict-word")).to_have_text("OK")
        page.goto("about:blank")


def test_each_camera_has_a_tab_with_its_verdict(
    make_device: Callable[..., FakeDevice], url: str, open_page: Callable[..., Page]
) -> None:
    device = make_device("left", "right")
    device.show("left")
    device.show("right", lesions=2)
    device.tell()
    page = shown(open_page(url))
    expect(page.locator("#verdict-word")).to_have_text("OK")
    tab = page.get_by_role("tab", name="right")
    expect(tab).to_have_attribute("data-verdict", "NotOK")
    page.get_by_role("tab", name="left").press("ArrowRight")
    expect(tab).to_be_focused()
    expect(page.locator("#verdict-word")).to_have_text("NotOK")
    expect(page.locator("#camera-table tbody tr")).to_have_count(2)


def test_outlines_are_decoded_as_the_device_encodes_them(url: str, open_page: Callable[..., Page]) -> None:
    random = np.random.default_rng(7)
    masks = [(random.random((h, w)) < p).astype(np.uint8) for h, w, p in ((9, 14, 0.5), (80, 130, 0.02), (300, 3, 0.9))]
    masks += [np.zeros((5, 6), np.uint8), np.ones((5, 6), np.uint8), np.eye(400, dtype=np.uint8)]
    page = open_page(url)
    for mask in masks:
        height, width = mask.shape
        encoded = rle.encode(mask, 0, 0, width, height)
        decode = """async ([counts, height, width]) => {
            const { paint } = await import("/rle.js");
            const map = new Int16Array(width * height);
            paint({ size: [height, width], counts }, 1, map, width, height);
            return Array.from(map);
        }"""
        decoded = page.evaluate(decode, [encoded.counts, height, width])
        np.testing.assert_array_equal(np.array(decoded).reshape(height, width), mask)


@pytest.mark.parametrize("width", [320, 390, 768, 1280, 1920, 3840])
def test_no_width_scrolls_sideways(device: FakeDevice, url: str, open_page: Callable[..., Page], width: int) -> None:
    device.alert("belt", "new", "end")
    device.alert("belt")
    device.tell()
    page = shown(open_page(url, width=width, height=900))
    page.wait_for_selector(".alert-row")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    clipped = """() => { const word = document.getElementById("verdict-word");
        return word.scrollWidth > word.clientWidth + 1; }"""
    assert page.evaluate(clipped) is False


def test_the_wall_view_shows_picture_and_verdict_only(
    device: FakeDevice, url: str, open_page: Callable[..., Page]
) -> None:
    scene(device)
    page = shown(open_page(url))
    page.keyboard.press("w")
    expect(page.locator(".alerts")).to_be_hidden()
    expect(page.locator("#verdict-word")).to_be_visible()
    expect(page.locator("#wall")).to_have_attribute("aria-pressed", "true")


@pytest.mark.skipif(find_spec("axe_playwright_python") is None, reason="pip install axe-playwright-python")
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_and_its_dialog_are_accessible(
    device: FakeDevice, url: str, open_page: Callable[..., Page], theme: str
) -> None:
    spec = find_spec("axe_playwright_python")
    assert spec is not None
    assert spec.origin is not None
    axe = next(Path(spec.origin).parent.rglob("axe.min.js")).read_text(encoding="utf-8")
    device.alert("belt")
    device.tell()
    page = shown(open_page(url))
    page.evaluate("(theme) => { document.documentElement.dataset.theme = theme; }", theme)
    page.evaluate(axe)
    for opened in (False, True):
        if opened:
            page.locator(".alert-row").click()
            page.wait_for_selector("#evidence[data-ready=yes]")
        found = page.evaluate("() => axe.run()")["violations"]
        assert [(fault["id"], fault["nodes"][0]["target"]) for fault in found] == []
