"""Short forms of the fault tests in tests/soak, which say there how they work and how long the long forms are."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from tests.soak import bad_link, broker_kill, corruption, disk_full, hostile, io_faults, kill, offline, power_cut

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


def test_what_killed_brokers_forgot_reaches_the_consumer_all_the_same(tmp_path: Path) -> None:
    figures = broker_kill.kill(6, tmp_path)
    assert figures.clean, figures


def test_after_an_outage_all_is_delivered_in_order_and_new_alerts_pass_the_backlog(tmp_path: Path) -> None:
    figures = offline.away(4000, tmp_path)
    assert (figures.heard, figures.disorder) == (4000, 0)
    assert figures.fresh_s


def test_a_link_that_resets_and_swallows_loses_nothing(tmp_path: Path) -> None:
    figures = bad_link.drive(200, tmp_path, latency_s=0.2, black_hole_s=0.0, limit_s=60)
    assert figures.clean, figures


def test_hostile_messages_change_nothing(tmp_path: Path) -> None:
    figures = hostile.attack(2000, tmp_path)
    assert figures.sent == 2000
    assert figures.refused > 1000
    assert figures.clean, figures
