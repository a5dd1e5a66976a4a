"""Short forms of the fault tests in tests/soak, which say there how they work and how long the long forms are."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from tests.soak import corruption, disk_full, io_faults, kill, power_cut

if TYPE_CHECKING:
    from pathlib import Path


def test_no_power_cut_loses_a_committed_alert_or_makes_a_number_come_twice(tmp_path: Path) -> None:
    figures = power_cut.cut(250, 1, tmp_path)
    assert figures.cuts == 250
    assert figures.clean, figures


@pytest.mark.parametrize("damage", [False, True], ids=["sound", "damaged"])
def test_whatever_call_fails_once_is_tried_again_or_told(tmp_path: Path, *, damage: bool) -> None:
    found = io_faults.sites(tmp_path, damage=damage)
    assert {name for name, _ in found} >= {"openat", "pwrite64", "write", "fsync", "fdatasync", "rename", "fallocate"}
    for call, number in random.Random(3).sample(found, 8):
        assert io_faults.fail(tmp_path, call, number, damage=damage) is None, (call, number)


def test_a_full_disk_takes_alerts_for_a_long_time_then_folds_them_and_recovers() -> None:
    said = disk_full.run(8000)
    assert said["step"] == ["pictures"]
    assert said["steps"] == ["pictures", "delivered", "ballast", "folding"]
    assert int(said["stored"][0]) > 1200
    assert int(said["stored"][4]) > 0  # folded
    assert said["afterwards"] == ["ok", str(4 << 20)]


def test_no_kill_anywhere_loses_an_alert_or_tells_one_twice(tmp_path: Path) -> None:
    figures = kill.kill(2 * len(kill.SITES), tmp_path)
    assert figures.committed > 100
    assert figures.least_hits >= 1
    assert figures.clean, figures


def test_a_damaged_outbox_starts_with_every_row_that_can_be_read_and_new_numbers(tmp_path: Path) -> None:
    figures = corruption.corrupt(3 * len(corruption.KINDS), 1, tmp_path)
    assert figures.damaged > len(corruption.KINDS)
    assert figures.clean, figures
