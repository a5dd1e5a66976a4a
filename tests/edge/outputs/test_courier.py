from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

import pytest

from edge.errors import OutboxError, RefusedError, SinkError
from edge.outbox.outbox import Outbox
from edge.outputs.courier import MOST_PASSED_OVER, PASSING, TRIES, Courier
from tests.brokers import until
from tests.sites import CLOCK, QUICK, alerts, result

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge.outputs.courier import Desk


class Scripted:
    """Another side that does what it is told to."""

    def __init__(self) -> None:
        self.taken: list[int] = []
        self.results: list[int] = []
        self.faults: list[Exception] = []
        self.open = self.turns = 0
        self.waiting = False
        self.gate = threading.Event()
        self.gate.set()

    def __enter__(self) -> Self:
        self.open += 1
        return self

    def __exit__(self, *exc: object) -> None:
        self.open -= 1

    def __str__(self) -> str:
        return "script"

    def turn(self, desk: Desk) -> float:
        self.waiting = not self.gate.is_set()
        self.gate.wait(10)
        self.waiting = False
        if self.faults:
            raise self.faults.pop(0)
        self.results += [passing.result["frame"]["id"] for passing in desk.results()]
        for alert in desk.alerts(10):
            self.taken.append(alert.seq)
            desk.take(alert)
        self.turns += 1
        return 1.0


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    with Outbox(tmp_path / "outbox.sqlite", CLOCK) as outbox:
        yield outbox


@pytest.fixture
def peer() -> Scripted:
    return Scripted()


def courier(tmp_path: Path, peer: Scripted) -> Courier:
    return Courier("it", lambda: peer, outbox_path=tmp_path / "outbox.sqlite", clock=CLOCK, pause_s=QUICK.delay_s)


def test_whatever_the_other_side_raises_is_told_and_it_is_opened_anew(
    tmp_path: Path, outbox: Outbox, peer: Scripted
) -> None:
    peer.gate.clear()
    with courier(tmp_path, peer) as sink:
        for fault in (SinkError("out of reach"), ZeroDivisionError("a bug"), OutboxError("the disk")):
            peer.faults.append(fault)
            peer.gate.set()
            until(lambda fault=fault: str(fault) in sink.status()["detail"])  # type: ignore[misc]
            peer.gate.clear()
        peer.gate.set()
        outbox.commit(alerts(2))
        until(lambda: peer.taken == [1, 2])
        assert sink.status()["connected"]
    assert peer.open == 0
    assert sink.status()["detail"] == "stopped"


def test_an_alert_refused_for_good_is_passed_over_and_told(
    tmp_path: Path, outbox: Outbox, peer: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    outbox.commit(alerts(1))
    peer.faults = [RefusedError("not this one")] * TRIES
    peer.gate.clear()
    with courier(tmp_path, peer) as sink:
        outbox.commit(alerts(2))
        peer.gate.set()
        until(lambda: peer.taken)
        assert sink.status()["refused"] == TRIES
    assert peer.taken == [3]
    assert "alert 2 was refused 5 times and is passed over: not this one" in caplog.text
    assert [row.seq for row in outbox.pending(9)] == [1, 2, 3]  # it stays in the outbox


def test_a_side_that_refuses_everything_does_not_make_us_pass_over_everything(
    tmp_path: Path, outbox: Outbox, peer: Scripted
) -> None:
    peer.faults = [RefusedError("no")] * (TRIES * (MOST_PASSED_OVER + 3))
    peer.gate.clear()
    with courier(tmp_path, peer) as sink:
        outbox.commit(alerts(MOST_PASSED_OVER + 2))
        peer.gate.set()
        until(lambda: peer.taken)
        assert sink.status()["refused"] == TRIES * (MOST_PASSED_OVER + 3)
    assert peer.taken == [MOST_PASSED_OVER + 1, MOST_PASSED_OVER + 2]


def test_a_refusal_while_nothing_waits_passes_over_nothing(tmp_path: Path, outbox: Outbox, peer: Scripted) -> None:
    peer.faults = [RefusedError("confused")] * TRIES
    with courier(tmp_path, peer) as sink:
        until(lambda: sink.status()["refused"] == TRIES)
        outbox.commit(alerts(1))
        sink.wake()
        until(lambda: peer.taken == [1])


def test_a_side_that_hangs_blocks_nobody_and_loses_only_results_that_pass(
    tmp_path: Path, outbox: Outbox, peer: Scripted
) -> None:
    with courier(tmp_path, peer) as sink:
        until(lambda: peer.turns)  # from its first turn on, results are kept for it
        peer.gate.clear()
        sink.wake()
        until(lambda: peer.waiting)
        for n in range(PASSING + 10):
            sink.pass_on("belt", result("OK", frame={"id": n, "age_s": 0.0}))
        outbox.commit(alerts(1))
        sink.wake()
        assert sink.status()["dropped"] == 10
        peer.gate.set()
        until(lambda: len(peer.results) == PASSING)
        until(lambda: peer.taken == [1])
    assert peer.results[0] == 10


def test_after_a_restart_it_goes_on_where_it_was(tmp_path: Path, outbox: Outbox, peer: Scripted) -> None:
    with courier(tmp_path, peer) as sink:
        outbox.commit(alerts(3))
        sink.wake()
        until(lambda: peer.taken == [1, 2, 3])
    outbox.commit(alerts(2))
    with courier(tmp_path, peer):
        until(lambda: peer.taken == [1, 2, 3, 4, 5])


def test_without_an_outbox_it_does_not_start(tmp_path: Path, peer: Scripted) -> None:
    with pytest.raises(OutboxError, match="does not exist"):
        courier(tmp_path, peer).__enter__()
