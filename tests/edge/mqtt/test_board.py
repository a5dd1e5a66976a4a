from __future__ import annotations

from edge.mqtt.board import PASSING, Board


def test_only_the_newest_value_of_a_topic_is_published_and_only_when_it_changes() -> None:
    board = Board()
    assert board.hold("a", b"1")
    assert board.hold("b", b"1")
    assert board.hold("a", b"2")
    assert not board.hold("a", b"2")
    assert board.changed(1) == [("a", b"2")]
    assert board.changed(9) == [("b", b"1")]
    assert board.changed(9) == []


def test_everything_is_renewed_in_the_order_of_its_first_appearance() -> None:
    board = Board()
    for topic in ("availability", "state", "belt"):
        board.hold(topic, b"x")
    board.changed(9)
    board.hold("belt", b"y")
    board.renew()
    assert [topic for topic, _ in board.changed(9)] == ["availability", "state", "belt"]
    board.renew("state", "unknown")
    assert board.changed(9) == [("state", b"x")]


def test_passing_values_are_bounded_and_what_is_dropped_is_counted() -> None:
    board = Board()
    for number in range(PASSING + 3):
        board.say("result", {"n": number})
    assert board.dropped == 3
    assert board.passing() == ("result", {"n": 3})
    board.forget_passing()
    assert board.passing() is None
    assert board.dropped == 3 + PASSING - 1
