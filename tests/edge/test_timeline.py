"""When a picture was taken, by clocks that are not ours."""

from __future__ import annotations

import pytest

from edge.timeline import ClockWentBackError, Timeline


def test_without_stamps_a_picture_is_as_old_as_its_arrival() -> None:
    assert Timeline().place(None, 7.0) == 7.0


def test_a_backlog_is_as_old_as_it_is() -> None:
    timeline = Timeline()
    for number in range(10):
        timeline.place(0.1 * number, 100.0 + 0.1 * number)
    late = [105.0 - timeline.place(0.1 * number, 105.0) for number in range(10, 20)]
    assert late[0] == pytest.approx(4.0, abs=0.01)
    assert late[-1] == pytest.approx(3.1, abs=0.01)


def test_a_clock_that_drifts_slowly_makes_no_picture_old() -> None:
    timeline = Timeline()
    ages = [at - timeline.place(at * (1 - 1e-4), at) for at in (float(second) for second in range(1, 20_000))]
    assert max(ages) < 0.01


@pytest.mark.parametrize("back_s", [0.0, 0.5, 3600.0])
def test_stamps_that_go_back_are_a_fault_of_that_picture_only(back_s: float) -> None:
    timeline = Timeline()
    timeline.place(5000.0, 1.0)
    with pytest.raises(ClockWentBackError):
        timeline.place(5000.0 - back_s, 1.1)
    assert timeline.place(5000.1 - back_s, 1.2) == pytest.approx(1.2)


def test_stamps_that_go_back_again_and_again_are_each_a_fault() -> None:
    timeline = Timeline()
    timeline.place(5000.0, 1.0)
    for number in range(1, 6):
        with pytest.raises(ClockWentBackError):
            timeline.place(-0.1 * number, 1.0 + number)
