"""Guided calibration in a real browser: a daemon, a camera that pictures are posted to, and a board moved before it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import httpx
import numpy as np
import pytest
from playwright.sync_api import expect

from edge.capture.guide import Guide
from edge.geometry import calibration
from edge.geometry.board import Board
from edge.picture import decode_picture
from edge.web.calibrating import Session
from edge.web.server import open_app
from tests.boards import PLANE, SIZE, render, views
from tests.brokers import free_port, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from fastapi import FastAPI
    from playwright.sync_api import Page

    from edge.web.fake import FakeDevice
    from tests.appliance import Appliance

BOARD = Board.parse("charuco:9x6:22:16")
EMPTY = render(np.full((8, 8), 210, np.uint8), PLANE)
KEY = "correct horse battery staple"
WISH = {"camera": "belt", "board": "charuco:9x6:22:16"}


class Operator:
    """Holds something before a camera: posts it again and again, as a camera would see it."""

    def __init__(self, port: int) -> None:
        self.held = EMPTY
        self.address = f"http://127.0.0.1:{port}/c"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._post, name="operator")
        self._thread.start()

    def _post(self) -> None:
        with httpx.Client() as client:
            while not self._over.wait(0.05):
                jpeg = cv2.imencode(".jpg", self.held, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
                try:
                    client.post(self.address, content=jpeg)
                except httpx.TransportError:  # the camera is not open yet, or no longer
                    continue

    def end(self) -> None:
        self._over.set()
        self._thread.join(10)


@pytest.fixture
def operator() -> Iterator[Operator]:
    made = Operator(free_port())
    yield made
    made.end()


@pytest.fixture
def daemon(start: Callable[..., Appliance], operator: Operator, tmp_path: Path) -> Appliance:
    (tmp_path / "key").write_text(f"{KEY}\n", encoding="utf-8")
    made = start(f"push:{operator.address}", web={"port": 0, "key_file": str(tmp_path / "key")})
    made.wait_for(lambda: made.camera().get("inspected"))
    made.wait_for((made.folder / "run" / "web.json").exists)
    return made


@pytest.fixture
def page(daemon: Appliance, open_page: Callable[..., Page]) -> Page:
    url = json.loads((daemon.folder / "run" / "web.json").read_text(encoding="utf-8"))["url"]
    page = open_page(f"{url}calibrate.html#c")
    page.fill("#key", KEY)
    page.get_by_role("button", name="Begin").click()
    return page


@pytest.fixture
def app(device: FakeDevice, folders: Any) -> FastAPI:
    """The application over a fake device, with a key."""
    device.tell(age_s=-60)  # a core may be silent for 5 s: a busy machine takes longer
    return open_app(folders.runtime, folders.state, "bench", lambda: KEY)


@pytest.fixture
def api(app: FastAPI, serve_app: Callable[..., AbstractContextManager[str]]) -> Iterator[httpx.Client]:
    with (
        serve_app(app) as url,
        httpx.Client(base_url=f"{url}/api/v1/", headers={"authorization": f"Bearer {KEY}"}, timeout=30) as client,
    ):
        yield client


def accessible(page: Page) -> None:
    """Have axe look at the page in both themes, where it is installed."""
    spec = find_spec("axe_playwright_python")
    if spec is None or spec.origin is None:
        return
    page.evaluate(next(Path(spec.origin).parent.rglob("axe.min.js")).read_text(encoding="utf-8"))
    for theme in ("light", "dark"):
        page.evaluate("(theme) => { document.documentElement.dataset.theme = theme; }", theme)
        faults = page.evaluate("() => axe.run()")["violations"]
        assert [(fault["id"], fault["nodes"][0]["target"]) for fault in faults] == []


def test_a_board_moved_before_the_camera_ends_in_a_calibration_file(
    page: Page, operator: Operator, daemon: Appliance
) -> None:
    expect(page.locator("#sighting-text")).to_have_text("Board not seen")
    expect(page.locator("#advice")).to_contain_text("Hold the board upright")
    for number, picture in enumerate(views(BOARD, 8), start=1):
        operator.held = picture
        expect(page.locator("#views-count")).to_have_text(f"{number} of 12")
        if number == 3:
            page.reload(wait_until="domcontentloaded")  # it goes on where it was
    expect(page.locator("#sighting-text")).to_contain_text("corners")
    accessible(page)
    page.click("#enough")
    expect(page.locator("#advice")).to_contain_text("Lay the board where parts will lie")
    operator.held = EMPTY
    expect(page.locator("#sighting-text")).to_have_text("Board not seen")
    operator.held = render(BOARD.draw(), PLANE)
    page.click("#measure")
    expect(page.locator("#judgement")).to_have_text("Good: at most 0.3 px.", timeout=120_000)  # it gives way to all
    expect(page.locator("#figures")).to_contain_text("mm/px")
    accessible(page)
    file = daemon.folder / "state" / "calibrations" / "c.json"
    assert not file.exists(), "nothing is written before the operator has seen the result"
    page.click("#save")
    expect(page.locator("#saved")).to_be_visible()
    expect(page.locator("#yaml")).to_contain_text(f"calibration: {file}")
    made = calibration.load(file)
    assert made.error_px <= 0.3
    assert (made.width, made.height) == SIZE
    assert made.mm_per_px is not None
    page.click("#finish")
    expect(page.locator("#step-board")).to_have_attribute("data-state", "now")
    accessible(page)


def test_measuring_is_told_before_it_begins_and_leaves_the_step_where_it_fails(tmp_path: Path) -> None:
    told: list[str] = []
    session = Session(
        camera="c", guide=Guide(BOARD), path=tmp_path / "c.json", tell=lambda session: told.append(session.phase)
    )
    session.heed("lens")
    assert told == ["fitting"]
    assert session.phase == "views"
    assert "seen in 0 pictures" in session.trouble


def test_only_who_holds_the_key_begins_and_only_one_at_a_time(api: httpx.Client) -> None:
    with httpx.Client(base_url=api.base_url) as stranger:
        for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": KEY}):
            for method, path in (("GET", ""), ("POST", ""), ("POST", "/save"), ("GET", "/picture.jpg"), ("DELETE", "")):
                answer = stranger.request(method, f"calibration{path}", headers=headers)
                assert answer.status_code == 401, (method, path)
    assert api.get("calibration").json() == {"phase": "none"}
    assert api.post("calibration/save").status_code == 409
    assert api.post("calibration", json={**WISH, "camera": "../belt"}).status_code == 404
    assert "write chess:9x6:25" in api.post("calibration", json={**WISH, "board": "none"}).json()["detail"]
    assert api.post("calibration", json=WISH).status_code == 201
    assert api.post("calibration", json=WISH).status_code == 409
    assert api.delete("calibration").status_code == 204
    assert api.get("calibration").json() == {"phase": "none"}


def test_a_calibration_that_dies_is_told_and_another_can_begin(api: httpx.Client, app: FastAPI) -> None:
    assert api.post("calibration", json=WISH).status_code == 201
    until(lambda: api.get("calibration").json()["phase"] == "views", "for it to begin")
    process = app.state.web.calibrator.process
    process.kill()
    until(lambda: api.get("calibration").json()["phase"] == "ended", "for its end to be told")
    assert api.post("calibration", json=WISH).status_code == 201


def test_a_calibration_ends_with_whoever_started_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "edge.web.calibrating", str(tmp_path), str(tmp_path), "belt", WISH["board"]]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        until((tmp_path / "calibration.slot").exists, "for it to begin")
        process.communicate(timeout=30)  # closes its input, as the end of the web process does
    assert process.returncode == 0


def test_a_camera_that_gives_no_picture_is_told(api: httpx.Client) -> None:
    assert api.post("calibration", json=WISH).status_code == 201
    trouble = "camera belt gives no picture: see its state on the dashboard"
    until(lambda: api.get("calibration").json().get("trouble") == trouble, "for the trouble to be told")


def test_a_device_without_a_key_lets_nobody_begin(device: FakeDevice, url: str, open_page: Callable[..., Page]) -> None:
    device.tell(age_s=-60)
    page = open_page(f"{url}/calibrate.html", quiet=False)
    page.fill("#key", KEY)
    page.get_by_role("button", name="Begin").click()
    expect(page.locator("#trouble")).to_contain_text("give the device a key with web.key_file")


@pytest.mark.parametrize("form", ["charuco:9x6:22:16", "chess:9x6:22", "aruco:6x4:24:8"])
def test_a_printed_board_has_its_true_size(url: str, open_page: Callable[..., Page], form: str) -> None:
    board, px_per_mm = Board.parse(form), 96 / 25.4  # of CSS
    page = open_page(f"{url}/api/v1/board.svg?board={form}", width=1000, height=800, quiet=False)
    seen = board.see(decode_picture(np.frombuffer(page.screenshot(), np.uint8), form))
    assert seen is not None
    assert len(seen.on_board_mm) == {"charuco": 40, "chess": 40, "aruco": 96}[board.kind]
    apart = [np.linalg.norm(points[0, :2] - points[-1, :2]) for points in (seen.in_picture_px, seen.on_board_mm)]
    assert abs(apart[0] / apart[1] / px_per_mm - 1) < 0.005


@pytest.mark.parametrize("width", [320, 390, 1280, 1920])
def test_no_width_scrolls_sideways(device: FakeDevice, url: str, open_page: Callable[..., Page], width: int) -> None:
    device.tell(age_s=-60)
    page = open_page(f"{url}/calibrate.html", width=width, height=900)
    expect(page.locator("#camera option")).to_have_count(1)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width


def test_nobody_begins_before_the_cameras_are_known(
    device: FakeDevice, url: str, open_page: Callable[..., Page]
) -> None:
    device.tell(age_s=-60)
    page = open_page(f"{url}/calibrate.html", quiet=False)
    begin = page.get_by_role("button", name="Begin")
    expect(begin).to_be_enabled()
    page.route("**/api/v1/cameras", lambda route: route.abort(), times=1)
    page.reload(wait_until="domcontentloaded")
    expect(page.locator("#trouble")).to_have_text("No connection to the device.")
    expect(begin).to_be_disabled()
    expect(begin).to_be_enabled()  # asked again
    expect(page.locator("#trouble")).to_have_text("")
