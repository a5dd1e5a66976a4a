"""Arrival: files are awaited for a while, and not for ever."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from edge.clock import FakeClock
from edge.evidence.arrival import COMES_WITHIN_S, Arrival
from edge.outbox.outbox import Stored

if TYPE_CHECKING:
    from pathlib import Path


def stored(committed_at: float, **fields: str | None) -> Stored:
    names: dict[str, Any] = {"epoch": "0" * 16, "seq": 1, "camera": "belt", "alert_id": "a", "type": "new"}
    return Stored(**names, committed_at=committed_at, payload=json.dumps(fields))


def test_a_file_is_awaited_until_it_is_there(tmp_path: Path) -> None:
    clock = FakeClock()
    alert, arrival = stored(clock.wall_s(), evidence="a.jpg", mask="a.png"), Arrival(tmp_path, clock)
    assert arrival.wait_s(alert) > 0
    (tmp_path / "a.jpg").touch()
    assert arrival.wait_s(alert) > 0
    (tmp_path / "a.png").touch()
    assert arrival.wait_s(alert) == 0


@pytest.mark.parametrize("age_s", [COMES_WITHIN_S, 1e6, -1.0])
def test_what_does_not_come_is_awaited_no_longer(tmp_path: Path, age_s: float) -> None:
    clock = FakeClock()
    assert Arrival(tmp_path, clock).wait_s(stored(clock.wall_s() - age_s, evidence="a.jpg")) == 0


def test_an_alert_that_names_nothing_is_not_waited_for(tmp_path: Path) -> None:
    clock = FakeClock()
    assert Arrival(tmp_path, clock, clip_s=9).wait_s(stored(clock.wall_s(), evidence=None, clip=None)) == 0


def test_a_clip_is_waited_for_where_it_is_wanted_and_as_long_as_it_takes(tmp_path: Path) -> None:
    clock = FakeClock()
    alert = stored(clock.wall_s() - COMES_WITHIN_S, evidence="gone.jpg", clip="a.mp4")
    assert Arrival(tmp_path, clock).wait_s(alert) == 0
    wanted = Arrival(tmp_path, clock, clip_s=10)
    assert wanted.wait_s(alert) > 0
    (tmp_path / "a.mp4").write_bytes(b"video")
    assert wanted.wait_s(alert) == 0
    assert list(wanted.contents(alert.fields())) == [("a.mp4", b"video")]
