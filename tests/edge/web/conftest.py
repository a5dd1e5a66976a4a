"""Fixtures: a fake device's folders, the application over them, a real server, a real browser."""

from __future__ import annotations

import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from edge.web.fake import FakeDevice, play
from edge.web.server import listen, make_server, open_app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from fastapi import FastAPI
    from playwright.sync_api import Browser, Page

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass(frozen=True, slots=True)
class Folders:
    """Where a device leaves things."""

    runtime: Path
    state: Path


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders(tmp_path / "run", tmp_path / "state")


@pytest.fixture
def make_device(folders: Folders) -> Iterator[Callable[..., FakeDevice]]:
    with ExitStack() as stack:
        yield lambda *cameras: stack.enter_context(FakeDevice(folders.runtime, folders.state, cameras or ("belt",)))


@pytest.fixture
def device(make_device: Callable[..., FakeDevice]) -> FakeDevice:
    return make_device()


@contextmanager
def _serving(app: FastAPI, port: int = 0) -> Iterator[str]:
    with listen("127.0.0.1", port) as listener:
        server = make_server(app)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="web under test")
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)
            assert not thread.is_alive(), "the server must stop although streams are open"


@pytest.fixture
def serve_app() -> Callable[..., AbstractContextManager[str]]:
    """Give a context manager that serves an application and gives the address."""
    return _serving


@pytest.fixture
def serving(folders: Folders) -> Callable[..., AbstractContextManager[str]]:
    """Give a context manager that serves these folders and gives the address."""
    folders.runtime.mkdir(exist_ok=True)
    return lambda port=0: _serving(open_app(folders.runtime, folders.state, "bench"), port)


@pytest.fixture
def url(serving: Callable[..., AbstractContextManager[str]]) -> Iterator[str]:
    with serving() as address:
        yield address


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url) as made:
        yield made


@pytest.fixture
def playing(device: FakeDevice) -> Iterator[threading.Event]:
    """Let the device show leaves; setting the event stops it."""
    stop = threading.Event()
    device.show("belt")
    device.tell()
    thread = threading.Thread(target=play, args=(device, ["belt"], stop), name="fake device")
    thread.start()
    yield stop
    stop.set()
    thread.join(10)


@pytest.fixture(scope="module")  # no longer: its event loop would be in the way of other tests
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.fail(f"{CHROMIUM} is missing: the dashboard is tested in a real browser: apt-get install chromium")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=20_000)  # a busy machine
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield made
        made.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open the dashboard; at the end, no page may have logged an error or asked another host for anything."""
    pages: list[Page] = []
    faults: list[str] = []

    def make(url: str, *, width: int = 1280, height: int = 800, quiet: bool = True) -> Page:
        site = "/".join(url.split("/")[:3])
        page = browser.new_page(viewport={"width": width, "height": height}, color_scheme="light")
        pages.append(page)
        if quiet:
            page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "request",
            lambda request: None if request.url.startswith((site, "blob:")) else faults.append(request.url),
        )
        page.goto(url, wait_until="domcontentloaded")
        return page

    yield make
    for page in pages:
        page.close()
    assert faults == []
