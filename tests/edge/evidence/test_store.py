"""Evidence: whole or not at all, oldest deleted first."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import numpy as np

from edge.evidence.store import EvidenceStore, encoded
from edge.evidence_config import RetentionConfig
from edge.picture import read_picture
from tests import forms

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

PICTURE = np.full((40, 60, 3), 90, np.uint8)
NOON = 1_800_014_400.0  # 2027-01-15 12:00 UTC


def test_a_picture_lies_under_day_hour_and_camera(tmp_path: Path) -> None:
    relative = EvidenceStore(tmp_path).save(PICTURE, NOON, "belt", "abc")
    assert relative == "2027-01-15/12/belt/abc.jpg"
    assert read_picture(tmp_path / relative).shape == (40, 60, 3)


def test_a_cameras_own_jpeg_is_kept_as_it_came(tmp_path: Path) -> None:
    picture = forms.reduced(np.random.default_rng(1).integers(0, 256, (96, 128, 3), np.uint8), 32, 24)
    relative = EvidenceStore(tmp_path).save(picture, NOON, "belt", "abc")
    assert relative is not None
    assert (tmp_path / relative).read_bytes() == picture.data.tobytes()


def test_planes_are_kept_whole(tmp_path: Path) -> None:
    relative = EvidenceStore(tmp_path).save(forms.planes(PICTURE), NOON, "belt", "abc")
    assert relative is not None
    assert abs(int(read_picture(tmp_path / relative)[20, 30, 0]) - 90) < 3


def test_nothing_half_written_is_left(tmp_path: Path) -> None:
    EvidenceStore(tmp_path).save(PICTURE, NOON, "belt", "abc")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["abc.jpg"]


def test_a_folder_that_can_not_be_written_costs_the_picture_not_the_alert(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "2027-01-15").write_text("in the way", encoding="utf-8")
    assert EvidenceStore(tmp_path).save(PICTURE, NOON, "belt", "abc") is None
    assert "evidence not kept" in caplog.text


def test_the_oldest_go_first_and_their_empty_folders_with_them(tmp_path: Path) -> None:
    store = EvidenceStore(tmp_path)
    for hour in range(4):
        store.save(PICTURE, NOON + 86_400 * (hour - 1000), "belt", f"p{hour}")
    size = store.size_bytes()
    left = store.trim(size // 2)
    assert left == store.size_bytes() <= size // 2
    assert sorted(path.stem for path in tmp_path.rglob("*.jpg")) == ["p2", "p3"]
    assert len(list(tmp_path.iterdir())) == 2


def test_trimming_what_is_not_there_is_no_fault(tmp_path: Path) -> None:
    assert EvidenceStore(tmp_path / "never").trim(1) == 0


def test_the_last_of_the_disk_is_left_to_alerts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = EvidenceStore(tmp_path)
    assert store.save(PICTURE, NOON, "belt", "abc")
    monkeypatch.setattr("edge.evidence.store.KEEP_FREE_BYTES", 1 << 60)
    assert store.save(PICTURE, NOON, "belt", "def") is None
    assert store.trim(1 << 60) == 0
    assert store.size_bytes() == 0


def test_files_of_one_name_go_together(tmp_path: Path) -> None:
    store = EvidenceStore(tmp_path)
    for stem in ("2027-01-15/12/belt/a", "2027-01-15/13/belt/b"):
        for suffix in (".jpg", ".mask.png", ".overlay.jpg", ".mp4"):
            store.write(stem + suffix, encoded(PICTURE))
    store.trim(store.size_bytes() - 1)
    assert {path.name.partition(".")[0] for path in tmp_path.rglob("*") if path.is_file()} == {"b"}
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 4


def test_deleting_begins_above_the_high_mark_and_goes_on_to_the_low_one(tmp_path: Path) -> None:
    store = EvidenceStore(tmp_path)
    for hour in range(10):
        store.save(PICTURE, NOON + 3600 * hour, "belt", f"p{hour}")
    size = store.size_bytes()
    assert store.trim(size, size // 2) == size
    assert store.trim(size - 1, size // 2) == size // 2
    assert sorted(path.stem for path in tmp_path.rglob("*.jpg")) == [f"p{hour}" for hour in range(5, 10)]


def test_what_is_being_written_is_not_deleted_and_what_a_power_cut_left_is(tmp_path: Path) -> None:
    store = EvidenceStore(tmp_path)
    assert store.save(PICTURE, NOON, "belt", "whole")
    folder = tmp_path / "2027-01-15/12/belt"
    (folder / "now.jpg.partial").write_bytes(bytes(5000))
    (folder / "left.jpg.partial").write_bytes(bytes(5000))
    os.utime(folder / "left.jpg.partial", (time.time() - 3600,) * 2)
    store.trim(1)
    assert [path.name for path in folder.iterdir()] == ["now.jpg.partial"]


def test_evidence_of_a_class_is_deleted_after_its_days(tmp_path: Path) -> None:
    store = EvidenceStore(tmp_path, {"dust": RetentionConfig(days=1), "crack": RetentionConfig(days=30)})
    for name in ("a~new~dust", "b~new~crack", "c~new~dust~crack", "d~new~other", "e"):
        store.save(PICTURE, NOON, "belt", name)
    store.expire(NOON + 2 * 86_400)
    assert sorted(path.stem[0] for path in tmp_path.rglob("*.jpg")) == ["b", "c", "d", "e"]
    store.expire(NOON + 31 * 86_400)
    assert sorted(path.stem[0] for path in tmp_path.rglob("*.jpg")) == ["d", "e"]
