"""The event stream: what viewers are pushed, and what it costs when nobody looks."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from base64 import b64decode
from typing import TYPE_CHECKING, Any

from edge.clock import SystemClock
from edge.outbox.outbox import OutboxReader
from edge.web.calibrator import Calibrator
from edge.web.core_health import CoreHealth
from edge.web.fake import FakeDevice
from edge.web.live import Live, Viewer
from edge.web.look_out import FRAME_S
from edge.web.state import WebState
from edge.web.view import Views

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    import httpx


def events(response: httpx.Response) -> Iterator[tuple[str, dict[str, Any], str | None]]:
    """Read server-sent events as kind, data, id."""
    told: dict[str, str] = {}
    for line in response.iter_lines():
        if line:
            key, _, value = line.partition(": ")
            told[key] = value
        elif told:
            if "event" in told:
                yield told["event"], json.loads(told["data"]), told.get("id")
            told = {}


def first(response: httpx.Response, kind: str) -> tuple[dict[str, Any], str | None]:
    """Wait for the first event of a kind."""
    return next((data, number) for name, data, number in events(response) if name == kind)


def test_a_viewer_gets_the_newest_frame_and_the_health_at_once(client: httpx.Client, device: FakeDevice) -> None:
    device.show("belt", lesions=2)
    device.tell()
    found: dict[str, dict[str, Any]] = {}
    with client.stream("GET", "/api/v1/stream") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        for kind, data, _ in events(response):
            found[kind] = data
            if {"frame", "health"} <= set(found):
                break
    frame = found["frame"]
    assert (frame["camera"], frame["sequence"], frame["result_evaluation"]) == ("belt", 1, "NotOK")
    assert (frame["labels"], frame["defects"]) == (["background", "leaf", "lesion"], ["lesion"])
    assert "segmentation" not in frame["regions"][0]
    assert found["health"]["core"]["answering"] is True


def test_frames_of_other_cameras_stay_away(client: httpx.Client, make_device: Callable[..., FakeDevice]) -> None:
    device = make_device("left", "right")
    device.show("left")
    device.show("right")
    device.tell()
    with client.stream("GET", "/api/v1/stream?camera=right") as response:
        seen = []
        for kind, data, _ in events(response):
            if kind == "frame":
                seen.append(data["camera"])
            if kind == "health" and seen:
                break
    assert set(seen) == {"right"}


def test_frames_come_with_picture_and_mask_for_those_who_ask(client: httpx.Client, device: FakeDevice) -> None:
    device.show("belt", lesions=2)
    device.tell()
    with client.stream("GET", "/api/v1/stream?pictures=true") as response:
        frame, _ = first(response, "frame")
    assert b64decode(frame["picture"]) == client.get("/api/v1/cameras/belt/picture.jpg?sequence=1").content
    assert b64decode(frame["mask"]) == client.get("/api/v1/cameras/belt/mask.png?sequence=1").content
    with client.stream("GET", "/api/v1/stream") as response:
        bare, _ = first(response, "frame")
    assert frame.keys() - bare.keys() == {"picture", "mask"}


def test_a_viewer_on_a_slow_line_is_not_sent_what_is_old(url: str, device: FakeDevice) -> None:
    host, port = url.removeprefix("http://").split(":")
    shown = 60
    with socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.connect((host, int(port)))
        line.sendall(f"GET /api/v1/stream?pictures=true HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        for _ in range(shown):  # and nothing is read meanwhile
            device.show("belt", lesions=2)
            time.sleep(1.2 * FRAME_S)
        read = b""
        while f'"sequence":{shown},'.encode() not in read:
            read += line.recv(1 << 16)
    assert read.count(b"event: frame") < shown / 2


def test_an_old_frame_comes_with_its_age(client: httpx.Client, device: FakeDevice) -> None:
    device.show("belt", age_s=30)
    device.tell()
    with client.stream("GET", "/api/v1/stream") as response:
        frame, _ = first(response, "frame")
    assert frame["age_s"] >= 30
    assert frame["age_s"] > frame["stale_after_s"]


def test_an_alert_is_pushed_with_its_number(client: httpx.Client, device: FakeDevice) -> None:
    device.alert("belt")
    device.tell()
    with client.stream("GET", "/api/v1/stream") as response:
        source = events(response)
        next(data for kind, data, _ in source if kind == "health")
        time.sleep(0.7)
        device.alert("belt")
        data, number = next((data, number) for kind, data, number in source if kind == "alert")
    assert (data["seq"], data["type"]) == (2, "new")
    assert number == f"{data['epoch']}:2"


def test_alerts_missed_while_away_are_pushed_on_return(client: httpx.Client, device: FakeDevice) -> None:
    device.alert("belt", "new", "update", "end")
    epoch = client.get("/api/v1/alerts").json()[0]["epoch"]
    with client.stream("GET", "/api/v1/stream", headers={"last-event-id": f"{epoch}:1"}) as response:
        source = events(response)
        seen = [next(data["seq"] for kind, data, _ in source if kind == "alert") for _ in range(2)]
    assert seen == [2, 3]


def test_open_streams_do_not_keep_the_server_from_stopping(
    serving: Callable[..., AbstractContextManager[str]], device: FakeDevice
) -> None:
    import httpx

    device.tell()
    with serving() as url, httpx.stream("GET", f"{url}/api/v1/stream") as response:
        first(response, "health")
        began = time.monotonic()
    assert time.monotonic() - began < 5


def _state(folder: Path) -> WebState:
    clock = SystemClock()
    return WebState(
        device="bench",
        views=Views(folder, clock),
        health=CoreHealth(folder, clock),
        alerts=OutboxReader(folder / "outbox.sqlite"),
        evidence_dir=folder,
        clock=clock,
        calibrator=Calibrator(folder, folder),
        key=lambda: None,
    )


def test_a_slow_viewer_loses_frames_and_no_alert(tmp_path: Path) -> None:
    async def scenario(device: FakeDevice) -> str:
        live, viewer = Live(_state(tmp_path)), Viewer(camera=None)
        stream = live.events(viewer)
        await anext(stream)  # it is in, and then reads nothing for a while
        reading = asyncio.ensure_future(anext(stream))
        await reading
        await asyncio.sleep(0.7)
        for _ in range(6):
            device.alert("belt")
            await asyncio.sleep(0.15)
        await asyncio.sleep(0.6)
        text = await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]
        assert live.viewers == 0
        return text

    with FakeDevice(tmp_path, tmp_path) as device:
        device.show("belt")
        device.tell()
        text = asyncio.run(scenario(device))
    assert text.count("event: frame\n") == 1
    assert text.count("event: health\n") == 1
    assert text.count("event: alert\n") == 6
    assert text.index("event: alert") < text.index("event: frame")


def test_nobody_looking_costs_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        live = Live(_state(tmp_path))
        stream = live.events(Viewer(camera=None))
        await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]

    asyncio.run(scenario())
    until = time.monotonic() + 30
    while any(thread.name == "live" for thread in threading.enumerate()):
        assert time.monotonic() < until
        time.sleep(0.01)


def test_too_many_waiting_alerts_become_one_word_to_read_the_list() -> None:
    async def scenario() -> str:
        viewer = Viewer(camera=None)
        for number in range(201):
            viewer.put_alert(f"event: alert\ndata: {number}\n\n")
        return await viewer.take()

    assert asyncio.run(scenario()) == "event: missed\ndata: {}\n\n"
