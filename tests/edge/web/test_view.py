"""What a camera saw last, read from a slot that comes and goes."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from edge.clock import FakeClock, SystemClock, rfc3339
from edge.pictures.preview import TAKEN_CAPACITY, Preview, taken_slot, view_slot
from edge.slot import Slot
from edge.web.fake import FakeDevice, draw
from edge.web.view import KEPT, Views
from tests.brokers import until

if TYPE_CHECKING:
    from pathlib import Path


def test_nothing_is_seen_before_the_first_frame(tmp_path: Path) -> None:
    views = Views(tmp_path, FakeClock())
    assert views.latest("belt") is None
    assert views.to_show("belt", None) is None
    assert views.names() == []


def test_the_newest_frame_is_seen_with_its_result(tmp_path: Path) -> None:
    with FakeDevice(tmp_path, tmp_path) as device:
        views = Views(tmp_path, FakeClock())
        device.show("belt")
        result = device.show("belt", lesions=1)
        seen = views.latest("belt")
        assert seen is not None
        assert (seen.sequence, seen.result) == (2, result)
        assert views.names() == ["belt"]


def test_picture_and_mask_of_one_number_belong_together(tmp_path: Path) -> None:
    with FakeDevice(tmp_path, tmp_path) as device:
        views = Views(tmp_path, FakeClock())
        device.show("belt", lesions=1)
        views.latest("belt")
        device.show("belt", lesions=3)
        views.latest("belt")
        first = views.to_show("belt", 1)
        assert first is not None
        mask = cv2.imdecode(np.frombuffer(first.pair().png, np.uint8), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(mask, draw(1, 1).mask.classes)
        picture = cv2.imdecode(np.frombuffer(first.pair().jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert picture is not None
        assert np.abs(picture.astype(int) - draw(1, 1).picture).mean() < 3


def test_a_frame_is_encoded_once_for_all(tmp_path: Path) -> None:
    with FakeDevice(tmp_path, tmp_path) as device:
        views = Views(tmp_path, FakeClock())
        device.show("belt")
        one, other = views.to_show("belt", 1), views.to_show("belt", None)
        assert one is not None
        assert one is other
        assert one.pair() is one.pair()


def test_a_frame_that_was_asked_for_is_kept_longer_than_one_that_was_not(tmp_path: Path) -> None:
    with FakeDevice(tmp_path, tmp_path) as device:
        views = Views(tmp_path, FakeClock())
        device.show("belt")
        views.to_show("belt", None)
        for _ in range(KEPT + 2):
            device.show("belt")
            views.latest("belt")
        asked, gone = views.to_show("belt", 1), views.to_show("belt", 2)
        assert asked is not None
        assert gone is not None
        assert (asked.sequence, gone.sequence) == (1, KEPT + 3)


def test_a_slot_that_is_replaced_is_followed(tmp_path: Path) -> None:
    views = Views(tmp_path, FakeClock())
    with FakeDevice(tmp_path, tmp_path) as device:
        for _ in range(5):
            device.show("belt")
        views.latest("belt")
    (tmp_path / "belt.view").unlink()
    with FakeDevice(tmp_path, tmp_path) as device:
        result = device.show("belt", lesions=1)
        seen = views.latest("belt")
        assert seen is not None
        assert (seen.sequence, seen.result["result_id"]) == (1, result["result_id"])


def test_a_slot_begun_anew_in_place_is_followed(tmp_path: Path) -> None:
    views = Views(tmp_path, FakeClock())
    with FakeDevice(tmp_path, tmp_path) as device:
        for _ in range(5):
            device.show("belt")
        views.latest("belt")
    with FakeDevice(tmp_path, tmp_path) as device:
        device.show("belt")
        seen = views.latest("belt")
        assert seen is not None
        assert seen.sequence == 1


def test_the_age_is_the_larger_of_what_both_clocks_say(tmp_path: Path) -> None:
    clock = FakeClock()
    with FakeDevice(tmp_path, tmp_path, clock=clock) as device:
        views = Views(tmp_path, clock)
        device.show("belt", age_s=0.5)
        clock.advance(7)  # nobody looked meanwhile: only the wall clock knows
        seen = views.latest("belt")
        assert seen is not None
        assert abs(seen.age_s(clock) - 7.5) < 0.01
        clock.advance(2)
        clock.set_wall(1.0)  # the wall clock jumps back: the monotonic one knows
        assert abs(seen.age_s(clock) - 2.5) < 0.01


def test_a_name_that_is_no_camera_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "secret.view").write_bytes(b"not a slot")
    views = Views(tmp_path / "run", FakeClock())
    assert views.latest("../secret") is None
    assert Views(tmp_path, FakeClock()).latest("secret") is None


def tend(preview: Preview, stop: threading.Event) -> None:
    while not stop.wait(0.001):
        preview.tend()


def seen_at(number: int, captured_at: float) -> dict[str, Any]:
    return {"number": number, "frame": {"captured_at": rfc3339(captured_at), "age_s": 0.01}}


def test_whoever_looks_again_gets_what_is_seen_now_and_not_what_was_left_for_the_last(tmp_path: Path) -> None:
    picture = np.zeros((90, 160, 3), np.uint8)
    with Slot.create(view_slot(tmp_path, "belt"), 1 << 20), Slot.create(taken_slot(tmp_path, "belt"), TAKEN_CAPACITY):
        preview = Preview(tmp_path, "belt", {})
        preview.offer(seen_at(1, time.time() - 60), picture, None, lambda: True)
        preview.offer(seen_at(2, time.time()), picture, None, lambda: True)
        stop = threading.Event()
        worker = threading.Thread(target=tend, args=(preview, stop))
        worker.start()
        views = Views(tmp_path, SystemClock())
        try:
            until(lambda: (seen := views.latest("belt")) is not None and seen.result["number"] == 2)
        finally:
            stop.set()
            worker.join()
        assert views.latest("belt") is views.to_show("belt", 2)
