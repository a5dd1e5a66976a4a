from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge.clock import FakeClock
from edge.mqtt.delivery import BACKLOG_PER_S, BUSY_S, FLUSH_ROWS, FLUSH_S, MOST_REFUSED, Delivery
from edge.mqtt.link import WINDOW, Backoff
from edge.outbox.outbox import Outbox, OutboxDrain

if TYPE_CHECKING:
    from collections.abc import Iterator

PAYLOAD = {"camera": "belt", "alert_id": "a", "type": "update"}
STEADY = Backoff(first_s=1.0, most_s=1.0)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def outbox(tmp_path: Path, clock: FakeClock) -> Iterator[Outbox]:
    with Outbox(tmp_path / "outbox.sqlite", clock) as outbox:
        yield outbox


def seqs(delivery: Delivery, room: int = 1000) -> list[int]:
    return [row.seq for row in delivery.take(room)]


def test_at_most_a_window_is_on_its_way_oldest_first(outbox: Outbox, clock: FakeClock) -> None:
    outbox.commit([PAYLOAD] * 50)
    delivery = Delivery(outbox, clock)
    assert seqs(delivery) == list(range(1, WINDOW + 1))
    assert seqs(delivery) == []
    delivery.delivered(2)
    delivery.delivered(1)
    assert seqs(delivery) == []  # a crash now would send all twenty again
    delivery.flush(now=True)
    assert seqs(delivery) == [WINDOW + 1, WINDOW + 2]
    assert outbox.pending_count == 48


def test_a_new_connection_begins_with_what_was_never_answered(outbox: Outbox, clock: FakeClock) -> None:
    outbox.commit([PAYLOAD] * 5)
    delivery = Delivery(outbox, clock)
    assert seqs(delivery, 3) == [1, 2, 3]
    delivery.delivered(2)
    delivery.begin()
    assert seqs(delivery) == [1, 3, 4, 5]


def test_answers_are_stored_together(outbox: Outbox, clock: FakeClock) -> None:
    outbox.commit([PAYLOAD] * 5)
    delivery = Delivery(outbox, clock)
    seqs(delivery)
    delivery.delivered(1)
    delivery.flush()
    assert outbox.pending_count == 5
    clock.advance(FLUSH_S / 4)
    assert delivery.pause_s == FLUSH_S - FLUSH_S / 4
    clock.advance(delivery.pause_s)
    delivery.flush()
    assert outbox.pending_count == 4
    outbox.commit([PAYLOAD] * 20)
    seqs(delivery)
    for seq in range(2, 2 + FLUSH_ROWS):
        delivery.delivered(seq)
    assert delivery.pause_s == BUSY_S
    delivery.flush()  # many wait
    assert outbox.pending_count == 24 - FLUSH_ROWS


def test_answers_wait_while_the_core_writes_and_come_later(outbox: Outbox, clock: FakeClock, tmp_path: Path) -> None:
    outbox.commit([PAYLOAD] * 5)
    with OutboxDrain(tmp_path / "outbox.sqlite") as drain:
        delivery = Delivery(drain, clock)
        seqs(delivery)
        delivery.delivered(1)
        clock.advance(1.5 * FLUSH_S)
        with outbox._transaction:  # noqa: SLF001 - the core is in the middle of a commit
            delivery.flush()
            assert (delivery.unstored, delivery.pause_s) == (1, BUSY_S)
        delivery.flush()
        assert (delivery.unstored, outbox.pending_count) == (0, 4)


def test_a_refused_alert_waits_while_those_behind_it_go_on(outbox: Outbox, clock: FakeClock) -> None:
    outbox.commit([PAYLOAD] * 3)
    delivery = Delivery(outbox, clock, STEADY)
    assert seqs(delivery, 2) == [1, 2]
    delivery.refused(1)
    delivery.delivered(2)
    assert seqs(delivery) == [3]
    assert (delivery.refusals, delivery.held_back, delivery.published) == (1, 1, 1)
    clock.advance(1.1)
    assert seqs(delivery) == [1]
    delivery.delivered(1)
    delivery.delivered(3)
    delivery.flush(now=True)
    assert (delivery.held_back, outbox.pending_count) == (0, 0)


def test_a_broker_that_refuses_everything_is_not_offered_the_whole_backlog(outbox: Outbox, clock: FakeClock) -> None:
    outbox.commit([PAYLOAD] * 100)
    delivery = Delivery(outbox, clock, STEADY)
    tried: set[int] = set()
    for _ in range(20):
        for seq in seqs(delivery, 7):
            tried.add(seq)
            delivery.refused(seq)
        clock.advance(0.7)
    assert len(tried) < 2 * MOST_REFUSED
    clock.advance(2)
    for _ in range(50):
        for seq in seqs(delivery):
            delivery.delivered(seq)
        delivery.flush()
        clock.advance(0.7)
    assert outbox.pending_count == 0


def test_what_was_committed_just_now_is_not_read_back(outbox: Outbox, clock: FakeClock, tmp_path: Path) -> None:
    with OutboxDrain(tmp_path / "outbox.sqlite") as drain:
        delivery = Delivery(drain, clock, newest=outbox.newest)
        outbox.commit([PAYLOAD])
        assert seqs(delivery) == [1]  # the first is: it might be an old one
        outbox.commit([PAYLOAD, PAYLOAD | {"type": "end"}])
        stored = outbox.pending(2, above=1)
        drain.close()
        assert delivery.take(1000) == stored


def test_an_alert_that_was_folded_meanwhile_is_not_sent(outbox: Outbox, clock: FakeClock) -> None:
    delivery = Delivery(outbox, clock, newest=outbox.newest)
    outbox.commit([PAYLOAD | {"type": "end"}])
    assert seqs(delivery) == [1]
    outbox.commit([PAYLOAD | {"type": "end"}] * 3)
    outbox.fold(10, lambda rows: [PAYLOAD | {"type": "summary", "count": len(rows)}])
    assert seqs(delivery) == [5]


def test_a_replay_sends_delivered_alerts_again_and_those_under_way_once(outbox: Outbox, clock: FakeClock) -> None:
    outbox.commit([PAYLOAD] * 6)
    delivery = Delivery(outbox, clock)
    assert seqs(delivery, 4) == [1, 2, 3, 4]
    delivery.delivered(1)
    delivery.delivered(2)
    assert delivery.replay(2, 5) == 1
    assert seqs(delivery) == [2, 5, 6]


def test_a_silent_broker_is_noticed(outbox: Outbox, clock: FakeClock) -> None:
    outbox.commit([PAYLOAD])
    delivery = Delivery(outbox, clock)
    assert delivery.overdue_s() == 0
    seqs(delivery)
    clock.advance(31)
    assert delivery.overdue_s() == 31


def test_the_newest_alerts_pass_a_large_backlog_which_goes_on_in_order(outbox: Outbox, clock: FakeClock) -> None:
    outbox.commit([PAYLOAD] * 3000)
    delivery = Delivery(outbox, clock)
    first = seqs(delivery)
    assert first == [*range(2981, 2996), *range(1, 6)]
    sent = first.copy()
    fresh_after = 0
    for number in range(400):
        if number == 100:
            outbox.commit([PAYLOAD])
        for seq in first:
            delivery.delivered(seq)
        delivery.flush(now=True)
        clock.advance(WINDOW / BACKLOG_PER_S)
        first = seqs(delivery)
        sent += first
        fresh_after += number >= 100 and 3001 not in sent
    assert fresh_after == 0
    assert sorted(sent) == list(range(1, 3002))
    old = [seq for seq in sent if seq <= 2980]
    assert old == sorted(old)


def test_a_large_backlog_is_paced_and_new_alerts_are_not(outbox: Outbox, clock: FakeClock) -> None:
    outbox.commit([PAYLOAD] * 3000)
    delivery = Delivery(outbox, clock)
    clock.advance(1)
    sent = 0
    for _ in range(200):
        for seq in seqs(delivery):
            sent += seq <= 2980
            delivery.delivered(seq)
        delivery.flush(now=True)
        clock.advance(0.001)
    assert 200 <= sent <= 250
    outbox.commit([PAYLOAD] * 3)
    assert set(seqs(delivery)) >= {3001, 3002, 3003}


_Step = tuple[Literal["commit", "ack", "refuse", "lose", "replay", "wait"], int]
_STEPS = st.lists(
    st.tuples(st.sampled_from(["commit", "ack", "refuse", "lose", "replay", "wait"]), st.integers(0, 30)), max_size=40
)


@settings(max_examples=60, deadline=None)
@given(steps=_STEPS, in_memory=st.booleans())
@example(steps=[("commit", 1), ("ack", 0)], in_memory=False)
@example(steps=[("commit", 5), ("ack", 4), ("refuse", 0), ("commit", 3), ("lose", 0), ("commit", 2)], in_memory=True)
def test_whatever_happens_everything_is_delivered_and_nothing_twice_at_a_time(
    steps: list[_Step], *, in_memory: bool
) -> None:
    clock = FakeClock()
    with tempfile.TemporaryDirectory() as folder, Outbox(Path(folder) / "outbox.sqlite", clock) as outbox:
        delivery = Delivery(outbox, clock, STEADY, outbox.newest if in_memory else None)
        under_way: list[int] = []
        got: set[int] = set()
        asked_for: set[int] = set()  # may come though the broker has them

        def take() -> None:
            taken = seqs(delivery)
            assert not set(taken) & (set(under_way) | got - asked_for)
            asked_for.difference_update(taken)
            under_way.extend(taken)
            assert len(under_way) <= WINDOW

        for what, number in steps:
            match what:
                case "commit":
                    outbox.commit([PAYLOAD] * number)
                case "ack" if under_way:
                    seq = under_way.pop(number % len(under_way))
                    got.add(seq)
                    delivery.delivered(seq)
                case "refuse" if under_way:
                    seq = under_way.pop(number % len(under_way))
                    asked_for.add(seq)
                    delivery.refused(seq)
                case "lose":
                    asked_for.update(under_way)
                    under_way.clear()
                    delivery.begin()
                case "replay":
                    delivery.replay(max(number, 1), number + 5)
                    asked_for.update(range(max(number, 1), number + 6))
                case _:
                    clock.advance(number / 10)
            take()
            delivery.flush()
        for _ in range(2000):
            clock.advance(1.1)
            take()
            delivery.flush()  # as the sink does in every round; what was answered last is due by now
            if not under_way:
                break
            for seq in under_way:
                got.add(seq)
                delivery.delivered(seq)
            under_way.clear()
            delivery.flush(now=True)
        assert outbox.pending_count == 0
        assert got == set(range(1, outbox.last_seq + 1))
