"""The writer: alerts first, their files behind them, and what is lost is counted."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from edge.config import RuleConfig
from edge.errors import PictureError
from edge.evidence import writer as module
from edge.evidence.store import EvidenceStore
from edge.evidence.writer import EvidenceWriter, Job
from edge.inspection import Inspection, Timings, Verdict
from edge.mask import Mask
from edge.picture import Picture, read_picture
from edge.regions import regions
from tests import forms
from tests.brokers import until

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from edge.evidence_config import EvidenceKind
    from edge.pictures.image import Image

PICTURE = np.full((40, 60, 3), 90, np.uint8)
ALL: tuple[EvidenceKind, ...] = ("picture", "mask", "overlay")


def job(files: Mapping[EvidenceKind, str], picture: Image = PICTURE, *, shown: bool = False) -> Job:
    classes = np.zeros((20, 30), np.uint8)
    classes[5:10, 10:20] = 1
    mask = Mask(classes=classes, scores=np.full_like(classes, 250), frame_width=60, frame_height=40)
    inspection = Inspection(
        result_id="r", camera="belt", verdict=Verdict.NotOK, reasons=("spot",),
        regions=tuple(regions(mask, ("background", "spot"), {"spot": RuleConfig()})),
        frame_id=1, frame_width=60, frame_height=40, captured_at=0.0, created_at=0.0, age_s=0.0, timings=Timings(),
    )  # fmt: skip
    return Job(files=files, picture=picture, mask=mask, inspection=inspection, shown=shown)


def nobody(camera: str, image: bytes) -> None:
    pytest.fail(f"{camera} was shown")


def test_picture_mask_and_overlay_lie_side_by_side(tmp_path: Path) -> None:
    with EvidenceWriter(EvidenceStore(tmp_path), ALL, show=nobody) as writer:
        files = writer.promise("d/h/belt/r", masked=True)
        assert files == {
            "picture": "d/h/belt/r.jpg",
            "mask": "d/h/belt/r.mask.png",
            "overlay": "d/h/belt/r.overlay.jpg",
        }
        writer.keep(job(files))
    drawn = cv2.imread(str(tmp_path / files["mask"]), cv2.IMREAD_UNCHANGED)
    assert drawn is not None
    assert drawn.shape == (40, 60)
    assert (drawn[15, 30], drawn[0, 0]) == (1, 0)
    plain, overlaid = read_picture(tmp_path / files["picture"]), read_picture(tmp_path / files["overlay"])
    assert np.abs(plain.astype(int) - 90).max() < 3
    assert np.abs(overlaid[15, 30].astype(int) - 90).max() > 10
    assert writer.take_lost() == 0


def test_a_file_waits_for_its_alert_to_be_on_its_way_but_stopping_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AFTER_S", 60.0)
    with EvidenceWriter(EvidenceStore(tmp_path), ("picture",), show=nobody) as writer:
        for name in ("one", "two"):
            files = writer.promise(name, masked=True)
            assert files
            writer.keep(job(files))
        assert list(tmp_path.iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.jpg", "two.jpg"]


def test_a_cameras_own_jpeg_is_kept_as_it_came(tmp_path: Path) -> None:
    picture = forms.reduced(np.random.default_rng(1).integers(0, 256, (96, 128, 3), np.uint8), 32, 24)
    with EvidenceWriter(EvidenceStore(tmp_path), ("picture",), show=nobody) as writer:
        files = writer.promise("r", masked=True)
        assert files
        writer.keep(job(files, picture))
    assert (tmp_path / "r.jpg").read_bytes() == picture.data.tobytes()


def test_what_waits_is_bounded_and_what_finds_no_room_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 3 * PICTURE.nbytes)
    go, begun = threading.Event(), threading.Event()

    def hold(picture: Image) -> Picture:
        begun.set()
        assert go.wait(30)
        return PICTURE

    with EvidenceWriter(EvidenceStore(tmp_path), ("picture",), show=nobody, hide=hold) as writer:
        named = []
        for number in range(6):
            files = writer.promise(str(number), masked=True)
            if files:
                named.append(files["picture"])
                writer.keep(job(files))
        assert begun.wait(30)
        assert named == ["0.jpg", "1.jpg", "2.jpg"]
        assert writer.take_lost() == 3
        go.set()
        until(lambda: all((tmp_path / name).is_file() for name in named))
        until(lambda: writer.promise("6", masked=True))
    assert writer.take_lost() == 0


def test_after_a_failure_alerts_name_nothing_for_a_while(tmp_path: Path) -> None:
    (tmp_path / "d").write_text("in the way", encoding="utf-8")
    with EvidenceWriter(EvidenceStore(tmp_path), ("picture",), show=nobody) as writer:
        writer.keep(job({"picture": "d/r.jpg"}))
        until(lambda: writer.take_lost() == 1)
        assert writer.promise("x", masked=True) is None
        assert writer.take_lost() == 1
        until(lambda: writer.promise("x", masked=True) == {"picture": "x.jpg"})


def test_on_a_full_disk_alerts_name_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.evidence.store.KEEP_FREE_BYTES", 1 << 60)
    with EvidenceWriter(EvidenceStore(tmp_path), ("picture",), show=nobody) as writer:
        assert writer.promise("x", masked=True) is None


def test_a_picture_from_which_nobody_could_be_hidden_is_not_kept(tmp_path: Path) -> None:
    def fail(picture: Image) -> Picture:
        raise PictureError("damaged")

    with EvidenceWriter(EvidenceStore(tmp_path), ALL, show=nobody, hide=fail) as writer:
        writer.keep(job({"picture": "r.jpg"}, shown=True))
        until(lambda: writer.take_lost() == 1)
    assert list(tmp_path.iterdir()) == []


def test_the_small_picture_goes_to_viewers_without_any_file(tmp_path: Path) -> None:
    shown: dict[str, bytes] = {}
    with EvidenceWriter(EvidenceStore(tmp_path), (), show=shown.__setitem__) as writer:
        assert writer.promise("r", masked=True) == {}
        writer.keep(job({}, shown=True))
    assert shown["belt"].startswith(b"\xff\xd8")
    assert list(tmp_path.iterdir()) == []
