from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.outputs.reject import COUNTER, Rejector
from edge.sink_config import RejectConfig
from tests.sites import result


def rejector(**more: Any) -> Rejector:
    measure = {} if "mm_per_count" in more else {"speed_mm_s": 200.0}
    return Rejector(RejectConfig(camera="belt", distance_mm=100, pulse_s=0.05, **measure, **more))


def test_the_pulse_comes_when_the_line_has_carried_the_part_there_and_ends_in_time() -> None:
    line = rejector()
    line.see("belt", result("NotOK"), captured_s=10.0, now_s=10.1)
    assert line.wait_s(10.1) == pytest.approx(0.4)
    assert [line.level(t) for t in (10.1, 10.499, 10.5, 10.549, 10.551)] == [False, False, True, True, False]
    assert (line.pulses, line.late) == (1, 0)
    assert line.wait_s(10.6) == 1.0


def test_good_parts_and_other_cameras_pass() -> None:
    line = rejector()
    line.see("belt", result("OK"), 10.0, 10.0)
    line.see("press", result("NotOK"), 10.0, 10.0)
    assert not any(line.level(10 + t / 100) for t in range(200))


def test_what_can_not_be_decided_is_rejected_unless_told_otherwise() -> None:
    for when, expected in ((("NotOK", "NotDecidable"), True), (("NotOK",), False)):
        line = rejector(when=when)
        line.see("belt", result("NotDecidable"), 10.0, 10.0)
        assert line.level(10.5) is expected


def test_a_part_judged_after_it_passed_is_counted_and_not_the_next_one_rejected() -> None:
    line = rejector()
    line.see("belt", result("NotOK"), captured_s=10.0, now_s=10.6)
    assert not line.level(10.6)
    assert line.late == 1


def test_pulses_of_parts_close_together_join() -> None:
    line = rejector()
    line.see("belt", result("NotOK"), 10.0, 10.0)
    line.see("belt", result("NotOK"), 10.03, 10.03)
    assert [line.level(t) for t in (10.5, 10.54, 10.57, 10.581)] == [True, True, True, False]


def test_with_an_encoder_a_line_that_stops_rejects_nothing_until_it_goes_on() -> None:
    line = rejector(mm_per_count=0.5)  # 200 counts to the ejector
    line.count(1000, 9.9)
    line.count(1010, 10.1)
    line.see("belt", result("NotOK"), captured_s=10.0, now_s=10.1)  # seen at 1005
    line.count(1100, 11.0)
    assert not line.level(1000.0)
    line.count(1204, 1000.0)
    assert not line.level(1000.0)
    line.count(1205, 1000.01)
    assert line.level(1000.01)
    assert line.level(1000.055)
    assert not line.level(1000.065)


def test_before_the_encoder_was_read_a_part_has_no_place() -> None:
    line = rejector(mm_per_count=0.5)
    line.see("belt", result("NotOK"), 10.0, 10.0)
    line.count(0, 10.1)
    line.see("belt", result("NotOK"), 10.0, 10.1)  # and not before its first reading either
    assert line.late == 2


@given(st.integers(0, COUNTER - 1), st.lists(st.integers(1, 500), min_size=1, max_size=60))
def test_wherever_the_counter_begins_the_pulse_comes_at_the_same_distance(start: int, steps: list[int]) -> None:
    line = rejector(mm_per_count=0.5)
    line.count(start, 0.0)
    line.see("belt", result("NotOK"), 0.0, 0.0)
    moved = 0
    for n, step in enumerate(steps, start=1):
        moved += step
        line.count((start + moved) % COUNTER, n)
        line.level(n)
        assert line.pulses == (moved >= 200)
