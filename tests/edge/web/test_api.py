"""The API over folders that a fake device fills."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from edge.evidence.store import place

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    import httpx

    from edge.web.fake import FakeDevice


def test_without_a_core_the_process_is_neither_healthy_nor_ready(client: httpx.Client) -> None:
    assert client.get("/healthz").status_code == 503
    ready = client.get("/readyz")
    assert ready.status_code == 503
    assert "edgeloupe run" in ready.json()["reasons"][0]


def test_with_a_core_that_inspects_it_is_healthy_and_ready(client: httpx.Client, device: FakeDevice) -> None:
    device.tell()
    assert client.get("/healthz").json()["alive"] is True
    assert client.get("/readyz").json() == {"ready": True, "reasons": []}


def test_a_silent_core_is_told_with_its_silence(client: httpx.Client, device: FakeDevice) -> None:
    device.tell(age_s=9)
    assert client.get("/healthz").status_code == 503
    assert "silent for 9 s" in client.get("/readyz").json()["reasons"][0]
    told = client.get("/api/v1/health").json()
    assert told["core"]["answering"] is False
    assert told["cameras"][0]["state"] == "unknown"


def test_what_keeps_the_core_from_inspecting_is_a_reason(client: httpx.Client, device: FakeDevice) -> None:
    device.health.cameras["belt"].state = "stalled"
    device.health.cameras["belt"].detail = "no picture for 6.0 s"
    device.tell()
    ready = client.get("/readyz")
    assert ready.status_code == 503
    assert ready.json()["reasons"] == ["camera belt: stalled: no picture for 6.0 s"]
    assert client.get("/healthz").status_code == 200


def test_cameras_come_in_the_configurations_order(client: httpx.Client, make_device: Callable[..., FakeDevice]) -> None:
    device = make_device("top", "bottom")
    device.show("bottom", lesions=1)
    device.tell()
    top, bottom = client.get("/api/v1/cameras").json()
    assert (top["name"], top["live"], top["result_evaluation"]) == ("top", False, None)
    assert (bottom["name"], bottom["live"], bottom["result_evaluation"]) == ("bottom", True, "NotOK")


def test_the_latest_result_comes_whole_with_its_age(client: httpx.Client, device: FakeDevice) -> None:
    result = device.show("belt", lesions=2)
    device.tell()
    latest = client.get("/api/v1/cameras/belt/latest").json()
    assert latest["result"] == result
    assert latest["live"] is True
    assert latest["age_s"] < 2


def test_an_old_result_is_not_live(client: httpx.Client, device: FakeDevice) -> None:
    device.show("belt", age_s=60)
    device.tell()
    assert client.get("/api/v1/cameras/belt/latest").json()["live"] is False


def test_picture_and_mask_carry_their_number(client: httpx.Client, device: FakeDevice) -> None:
    device.show("belt", lesions=1)
    picture = client.get("/api/v1/cameras/belt/picture.jpg?sequence=1")
    mask = client.get("/api/v1/cameras/belt/mask.png?sequence=1")
    assert (picture.headers["content-type"], mask.headers["content-type"]) == ("image/jpeg", "image/png")
    assert picture.headers["x-sequence"] == mask.headers["x-sequence"] == "1"
    assert picture.headers["cache-control"] == "no-store"
    classes = cv2.imdecode(np.frombuffer(mask.content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert classes is not None
    assert sorted(np.unique(classes)) == [0, 1, 2]


@pytest.mark.parametrize("what", ["latest", "picture.jpg", "mask.png"])
def test_an_unknown_camera_is_not_found(client: httpx.Client, device: FakeDevice, what: str) -> None:
    answer = client.get(f"/api/v1/cameras/roof/{what}")
    assert answer.status_code == 404
    assert "camera roof" in answer.json()["detail"]


def test_there_are_no_alerts_before_there_is_a_store(client: httpx.Client) -> None:
    assert client.get("/api/v1/alerts").json() == []


def test_alerts_come_newest_first_and_page_by_number(client: httpx.Client, device: FakeDevice) -> None:
    numbers = [device.alert("belt")[0] for _ in range(5)]
    assert numbers == [1, 2, 3, 4, 5]
    newest = client.get("/api/v1/alerts?limit=2").json()
    assert [alert["seq"] for alert in newest] == [5, 4]
    older = client.get("/api/v1/alerts?limit=2&before=4").json()
    assert [alert["seq"] for alert in older] == [3, 2]
    assert newest[0]["epoch"]
    assert client.get("/api/v1/alerts?limit=0").status_code == 422


def test_outlines_can_be_left_out(client: httpx.Client, device: FakeDevice) -> None:
    device.alert("belt")
    assert "segmentation" in client.get("/api/v1/alerts").json()[0]["regions"][0]
    assert "segmentation" not in client.get("/api/v1/alerts?outlines=false").json()[0]["regions"][0]


def test_a_store_that_cannot_be_read_is_said_in_one_line(client: httpx.Client, folders: Any) -> None:
    folders.state.mkdir()
    (folders.state / "outbox.sqlite").write_bytes(b"this is no database, whatever its name says" * 40)
    answer = client.get("/api/v1/alerts")
    assert answer.status_code == 503
    assert "outbox.sqlite" in answer.json()["detail"]


def test_evidence_is_given_whole_or_small(client: httpx.Client, device: FakeDevice) -> None:
    device.alert("belt")
    path = client.get("/api/v1/alerts").json()[0]["evidence"]
    whole = client.get(f"/api/v1/evidence/{path}")
    small = client.get(f"/api/v1/evidence/{path}?width=160")
    assert whole.headers["content-type"] == small.headers["content-type"] == "image/jpeg"
    sizes = [cv2.imdecode(np.frombuffer(a.content, np.uint8), cv2.IMREAD_COLOR) for a in (whole, small)]
    assert [size.shape for size in sizes if size is not None] == [(320, 640, 3), (80, 160, 3)]
    assert client.get(f"/api/v1/evidence/{path}?width=9999").status_code == 422


def test_mask_and_overlay_lie_beside_the_picture(client: httpx.Client, device: FakeDevice) -> None:
    device.alert("belt")
    alert = client.get("/api/v1/alerts").json()[0]
    mask, overlay = (client.get(f"/api/v1/evidence/{alert[name]}") for name in ("mask", "overlay"))
    assert (mask.headers["content-type"], overlay.headers["content-type"]) == ("image/png", "image/jpeg")
    classes = cv2.imdecode(np.frombuffer(mask.content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert classes is not None
    assert classes.shape == (320, 640)
    assert set(np.unique(classes)) == {0, 1, 2}


def test_a_picture_that_follows_its_alert_is_waited_for(client: httpx.Client, evidence: Path) -> None:
    path = place(time.time(), "belt", "late.jpg")
    (evidence / path).parent.mkdir(parents=True)
    answers: list[httpx.Response] = []
    asking = threading.Thread(target=lambda: answers.append(client.get(f"/api/v1/evidence/{path}")))
    asking.start()
    (evidence / f"{path}.partial").write_bytes(b"\xff\xd8\xff late")
    (evidence / f"{path}.partial").replace(evidence / path)
    asking.join()
    assert answers[0].content == b"\xff\xd8\xff late"


@pytest.fixture
def evidence(folders: Any) -> Path:
    root: Path = folders.state / "evidence"
    root.mkdir(parents=True)
    (folders.state / "outside.jpg").write_bytes(b"\xff\xd8\xff outside")
    (root / "fine.jpg").write_bytes(b"\xff\xd8\xff fine")
    (root / "text.jpg").write_bytes(b"hello")
    (root / "notes.txt").write_bytes(b"\xff\xd8\xff")
    (root / "link.jpg").symlink_to(folders.state / "outside.jpg")
    (root / "folder.jpg").mkdir()
    return root


def test_a_video_beside_the_evidence_is_given(client: httpx.Client, evidence: Path) -> None:
    (evidence / "clip.mp4").write_bytes(b"\0\0\0\x18ftypisom")
    (evidence / "text.mp4").write_bytes(b"hello, this is no video")
    answer = client.get("/api/v1/evidence/clip.mp4")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "video/mp4")
    assert client.get("/api/v1/evidence/text.mp4").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "../outside.jpg",
        "..%2Foutside.jpg",
        "%2e%2e/outside.jpg",
        "a/..%2f..%2foutside.jpg",
        "link.jpg",
        "text.jpg",
        "notes.txt",
        "folder.jpg",
        "missing.jpg",
        "%2Fetc%2Fpasswd",
        "a%00b.jpg",
        "x" * 300 + ".jpg",
        "",
    ],
)
def test_evidence_gives_nothing_but_jpeg_files_of_its_folder(client: httpx.Client, evidence: Path, path: str) -> None:
    assert client.get("/api/v1/evidence/fine.jpg").content == b"\xff\xd8\xff fine"
    assert client.get(f"/api/v1/evidence/{path}").status_code == 404


def test_a_damaged_evidence_picture_has_no_thumbnail(client: httpx.Client, evidence: Path) -> None:
    assert client.get("/api/v1/evidence/fine.jpg?width=160").status_code == 404


def test_the_interface_describes_itself_offline(client: httpx.Client) -> None:
    described = client.get("/api/v1/openapi.json").json()
    assert "/api/v1/stream" in described["paths"]
    assert client.get("/docs").status_code == 404


def test_nothing_can_be_written(client: httpx.Client) -> None:
    for path in ("/api/v1/alerts", "/healthz", "/"):
        assert client.post(path).status_code == 405
