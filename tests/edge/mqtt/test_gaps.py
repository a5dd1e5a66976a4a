from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest

from edge.clock import FakeClock
from edge.mqtt.gaps import MOST_ASKED, Ask, Gaps
from edge.mqtt.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with Ledger() as ledger:
        yield ledger


def make(ledger: Ledger, clock: FakeClock, since: Literal["now", "first"] = "now") -> Gaps:
    return Gaps(ledger, clock, since=since, grace_s=2.0)


def state(first: int, last: int, epoch: str = "e") -> dict[str, object]:
    return {"epoch": epoch, "first_seq": first, "last_seq": last}


def ask(first: int, last: int, epoch: str = "e") -> Ask:
    return Ask(device="line", epoch=epoch, first=first, last=last)


def test_a_new_device_owes_nothing_from_before(ledger: Ledger, clock: FakeClock) -> None:
    gaps = make(ledger, clock)
    gaps.state("line", state(1, 100))
    clock.advance(10)
    assert gaps.asks() == []
    assert gaps.alert("line", "e", 40)  # a backlog that it has not delivered yet is welcome


def test_a_new_device_is_asked_for_everything_it_keeps_when_wanted(ledger: Ledger, clock: FakeClock) -> None:
    gaps = make(ledger, clock, "first")
    gaps.state("line", state(51, 3000))
    assert gaps.asks() == []
    clock.advance(2.1)
    assert gaps.asks() == [ask(51, 50 + MOST_ASKED)]
    assert gaps.lost == 0


def test_a_jump_is_a_gap_when_it_stays_and_is_asked_for_with_growing_pauses(ledger: Ledger, clock: FakeClock) -> None:
    gaps = make(ledger, clock)
    for seq in (7, 10):
        assert gaps.alert("line", "e", seq)
        ledger.add("line", "e", seq, seq)
    assert not gaps.alert("line", "e", 7)
    assert gaps.asks() == []
    clock.advance(2.1)
    assert gaps.asks() == [ask(8, 9)]
    assert gaps.asks() == []
    clock.advance(5.1)
    assert gaps.asks() == [ask(8, 9)]
    clock.advance(5.1)
    assert gaps.asks() == []
    clock.advance(5)
    assert gaps.asks() == [ask(8, 9)]
    ledger.add("line", "e", 8, 8)  # it moves: what follows gets its own grace
    assert gaps.asks() == []
    clock.advance(2.1)
    assert gaps.asks() == [ask(9, 9)]


def test_alerts_that_nobody_sent_on_are_noticed_by_the_state(ledger: Ledger, clock: FakeClock) -> None:
    gaps = make(ledger, clock)
    gaps.state("line", state(1, 5))
    gaps.state("line", state(1, 8))
    gaps.asks()
    clock.advance(2.1)
    assert gaps.asks() == [ask(6, 8)]


def test_a_device_that_is_offline_is_not_asked(ledger: Ledger, clock: FakeClock) -> None:
    gaps = make(ledger, clock)
    gaps.state("line", state(1, 5))
    gaps.state("line", state(1, 8))
    gaps.asks()
    gaps.availability("line", "offline")
    clock.advance(2.1)
    assert gaps.asks() == []
    gaps.availability("line", "online")
    assert gaps.asks() == []
    clock.advance(2.1)
    assert gaps.asks() == [ask(6, 8)]


def test_what_a_device_no_longer_keeps_is_counted_as_lost_once(ledger: Ledger, clock: FakeClock) -> None:
    gaps = make(ledger, clock)
    gaps.state("line", state(1, 5))
    gaps.state("line", state(9, 12))
    gaps.state("line", state(9, 12))
    assert gaps.lost == 3
    gaps.reply("line", {**state(9, 12), "missing": [[10, 10], [11, 400], ["x", 1]], "error": None})
    assert gaps.lost == 6
    gaps.asks()
    clock.advance(2.1)
    assert gaps.asks() == [ask(9, 9)]


def test_a_new_epoch_of_a_known_device_is_wanted_from_its_beginning(ledger: Ledger, clock: FakeClock) -> None:
    gaps = make(ledger, clock)
    gaps.state("line", state(1, 100))
    gaps.state("line", state(1, 3, "f"))
    gaps.asks()
    clock.advance(2.1)
    assert gaps.asks() == [ask(1, 3, "f")]
    gaps.reply("line", {**state(1, 3, "f"), "error": "unknown epoch"})
    assert gaps.lost == 3
    clock.advance(100)
    assert gaps.asks() == []


def test_nonsense_is_ignored(ledger: Ledger, clock: FakeClock) -> None:
    gaps = make(ledger, clock)
    gaps.state("line", {})
    gaps.state("line", {"epoch": "e", "first_seq": True, "last_seq": "9"})
    gaps.reply("line", {"error": "last_seq: too small"})
    assert gaps.asks() == []
