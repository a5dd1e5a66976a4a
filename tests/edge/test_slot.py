"""One value shared between processes: the newest wins, and torn reads are noticed."""

from __future__ import annotations

import multiprocessing
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge.slot import Slot

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def slot(tmp_path: Path) -> Slot:
    return Slot.create(tmp_path / "a.slot", 10_000)


def test_an_empty_slot_has_nothing(slot: Slot) -> None:
    assert slot.newest() is None


def test_what_was_written_is_read(slot: Slot) -> None:
    picture = np.arange(300, dtype=np.uint8).reshape(10, 10, 3)
    assert slot.write({"id": 7}, {"picture": picture, "empty": np.zeros((0,), np.float32)}) == 1
    snapshot = slot.newest()
    assert snapshot is not None
    assert snapshot.meta == {"id": 7}
    assert np.array_equal(snapshot.arrays["picture"], picture)
    assert snapshot.arrays["empty"].shape == (0,)
    assert snapshot.intact()


def test_the_newest_wins_and_is_given_once(slot: Slot) -> None:
    for number in range(5):
        slot.write({"id": number}, {})
    snapshot = slot.newest()
    assert snapshot is not None
    assert snapshot.meta["id"] == 4
    assert slot.newest(after=snapshot.sequence) is None


def test_a_view_that_was_overtaken_knows_it(slot: Slot) -> None:
    slot.write({}, {"x": np.full(10, 1, np.uint8)})
    snapshot = slot.newest()
    assert snapshot is not None
    slot.write({}, {"x": np.full(10, 2, np.uint8)})
    slot.write({}, {"x": np.full(10, 3, np.uint8)})
    assert snapshot.intact()
    slot.write({}, {"x": np.full(10, 4, np.uint8)})
    assert not snapshot.intact()


def test_views_can_not_be_written_to(slot: Slot) -> None:
    slot.write({}, {"x": np.zeros(3, np.uint8)})
    snapshot = slot.newest()
    assert snapshot is not None
    with pytest.raises(ValueError, match="read-only"):
        snapshot.arrays["x"][0] = 1


def test_a_reader_needs_no_right_to_write(slot: Slot, tmp_path: Path) -> None:
    slot.write({"id": 1}, {"x": np.arange(5)})
    with Slot(tmp_path / "a.slot", read_only=True) as reader:
        snapshot = reader.newest()
        assert snapshot is not None
        assert snapshot.arrays["x"].tolist() == [0, 1, 2, 3, 4]
        assert snapshot.intact()
        with pytest.raises(TypeError):
            reader.mark_consumed(1)


def test_a_reader_says_what_size_is_enough_and_a_new_writer_hears_it(slot: Slot, tmp_path: Path) -> None:
    assert slot.wanted == (0, 0)
    Slot(tmp_path / "a.slot").want(512, 256)
    assert slot.wanted == Slot(tmp_path / "a.slot").wanted == (512, 256)


def test_rows_that_lie_apart_are_written_without_the_gaps(slot: Slot) -> None:
    wide = np.arange(200, dtype=np.uint8).reshape(10, 20)
    slot.write({}, {"y": wide[:, :13]})
    snapshot = slot.newest()
    assert snapshot is not None
    assert np.array_equal(snapshot.arrays["y"], wide[:, :13])


def test_making_a_slot_anew_leaves_readers_of_the_old_one_in_peace(slot: Slot, tmp_path: Path) -> None:
    slot.write({"id": 1}, {})
    Slot.create(tmp_path / "a.slot", 500).close()
    snapshot = slot.newest()
    assert snapshot is not None
    assert snapshot.meta == {"id": 1}


def test_a_value_too_large_is_refused_and_the_old_one_stays(slot: Slot) -> None:
    slot.write({"id": 1}, {})
    with pytest.raises(ValueError, match="does not fit"):
        slot.write({"id": 2}, {"x": np.zeros(20_000, np.uint8)})
    snapshot = slot.newest()
    assert snapshot is not None
    assert snapshot.meta == {"id": 1}


def test_a_new_writer_goes_on_where_the_old_one_died(slot: Slot, tmp_path: Path) -> None:
    slot.write({}, {})
    other = Slot(tmp_path / "a.slot")
    assert other.write({"from": "other"}, {}) == 2
    assert slot.latest == 2


def test_a_file_that_is_no_slot_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"nothing" * 100)
    with pytest.raises(ValueError, match="is not a slot"):
        Slot(tmp_path / "x")


def _write_for_ever(path: Path) -> None:
    slot = Slot(path)
    number = 0
    while True:
        number += 1
        slot.write({"n": number}, {"x": np.full(100_000, number % 251, np.uint8)})


def test_no_torn_value_passes_for_whole_while_another_process_writes(tmp_path: Path) -> None:
    path = tmp_path / "busy.slot"
    slot = Slot.create(path, 120_000)
    writer = multiprocessing.get_context("spawn").Process(target=_write_for_ever, args=(path,), daemon=True)
    writer.start()
    whole = 0
    try:
        while whole < 300:
            snapshot = slot.newest()
            if snapshot is None:
                continue
            copied = snapshot.arrays["x"].copy()
            if snapshot.intact():
                whole += 1
                assert (copied == snapshot.meta["n"] % 251).all()
    finally:
        writer.kill()
        writer.join()
