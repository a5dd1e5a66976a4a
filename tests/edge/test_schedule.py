"""Cameras share one network by deadline and priority; none starves."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge.schedule import Schedule

PRIORITIES = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 10), min_size=1)
COSTS_S = st.lists(st.floats(0.001, 0.1), min_size=1, max_size=20)


def overloaded(
    priorities: dict[str, int], costs_s: list[float], periods_s: list[float], turns: int
) -> dict[str, float]:
    """Let every camera have a picture waiting always, and give the seconds each one got."""
    schedule, got, now = Schedule(priorities), dict.fromkeys(priorities, 0.0), 0.0
    patience = {camera: periods_s[i % len(periods_s)] for i, camera in enumerate(sorted(priorities))}
    for turn in range(turns):
        camera = schedule.choose({camera: now + patience[camera] for camera in priorities})
        cost_s = costs_s[turn % len(costs_s)]
        schedule.charge(camera, cost_s)
        got[camera] += cost_s
        now += cost_s
    return got


@given(PRIORITIES, COSTS_S, st.lists(st.floats(0.001, 100), min_size=1, max_size=8))
def test_each_camera_gets_its_share_whatever_the_deadlines(
    priorities: dict[str, int], costs_s: list[float], periods_s: list[float]
) -> None:
    got = overloaded(priorities, costs_s, periods_s, 300)
    whole, weight = sum(got.values()), sum(priorities.values())
    for camera, priority in priorities.items():
        assert abs(got[camera] - whole * priority / weight) <= len(priorities) * max(costs_s)


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0, 1e9), min_size=1))
def test_among_cameras_that_had_nothing_yet_the_earliest_deadline_is_first(deadlines: dict[str, float]) -> None:
    chosen = Schedule(dict.fromkeys("abcdefgh", 1)).choose(deadlines)
    assert deadlines[chosen] == min(deadlines.values())


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.floats(0.001, 0.1)), min_size=1, max_size=100))
def test_only_a_camera_with_a_picture_is_chosen(turns: list[tuple[str, float]]) -> None:
    schedule = Schedule(dict.fromkeys("abcd", 1))
    for camera, cost_s in turns:
        assert schedule.choose({camera: 0.0}) == camera
        schedule.charge(camera, cost_s)


def test_a_camera_that_was_quiet_has_saved_no_time_up() -> None:
    schedule = Schedule({"busy": 1, "quiet": 1})
    for _ in range(1000):
        schedule.charge(schedule.choose({"busy": 0.0}), 0.1)
    turns = []
    for _ in range(10):
        turns.append(schedule.choose({"busy": 1.0, "quiet": 0.0}))
        schedule.charge(turns[-1], 0.1)
    assert turns.count("quiet") <= 6


def test_a_rare_picture_with_a_near_deadline_is_not_kept_waiting_by_a_flood() -> None:
    schedule = Schedule({"flood": 1, "rare": 1})
    for _ in range(100):
        schedule.charge(schedule.choose({"flood": 5.0}), 0.1)
    assert schedule.choose({"flood": 5.0, "rare": 4.0}) == "rare"


def test_a_camera_of_twice_the_priority_gets_twice_the_time() -> None:
    got = overloaded({"first": 2, "second": 1}, [0.05], [0.1], 300)
    assert round(got["first"] / got["second"], 1) == 2.0
