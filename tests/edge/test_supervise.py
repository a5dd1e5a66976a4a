"""Processes that end are started again, slower each time they end soon."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

from edge.clock import FakeClock
from edge.supervise import Supervised
from tests.brokers import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def sleeper() -> None:
    time.sleep(600)


def deaf(listening: Path) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    listening.touch()
    time.sleep(600)


def quitter() -> None:
    os._exit(3)


def supervised(target: Callable[[], None], clock: FakeClock) -> Supervised:
    return Supervised(name="child", target=target, arguments=tuple, clock=clock)


def wait_until_gone(child: Supervised) -> None:
    deadline = time.monotonic() + 30
    pid = child.pid
    while pid is not None and child.pid == pid:
        assert time.monotonic() < deadline
        child.tend()
        time.sleep(0.01)


def test_a_process_that_lives_is_left_alone() -> None:
    child = supervised(sleeper, FakeClock())
    assert child.tend()
    assert not child.tend()
    child.stop()
    assert child.pid is None


def test_a_process_that_ended_is_started_again_after_a_pause() -> None:
    clock = FakeClock()
    child = supervised(quitter, clock)
    child.tend()
    wait_until_gone(child)
    assert not child.tend()
    clock.advance(0.6)
    assert child.tend()
    assert child.restarts == 1
    child.stop()


def test_pauses_grow_and_are_short_again_after_a_sound_life() -> None:
    clock = FakeClock()
    child = supervised(sleeper, clock)
    pauses = []
    for life_s in (1, 1, 1, 100, 1):
        child.tend()
        clock.advance(life_s)
        child.replace("the test says so")
        pause = 0.0
        while not child.tend():
            clock.advance(0.25)
            pause += 0.25
        pauses.append(pause)
        child.replace("to begin anew")  # counts as a short life
        clock.advance(120)
    child.stop()
    assert pauses[0] < pauses[1] < pauses[2]
    assert pauses[3] == 0.5


def test_what_is_asked_to_end_is_listened_to_meanwhile_and_started_anew() -> None:
    clock = FakeClock()
    child = supervised(sleeper, clock)
    heard = []
    child.meanwhile = lambda _: heard.append(child.pid)
    child.tend()
    child.replace("the model is another one", at_once=True, gently=True)
    assert child.pid is None
    assert heard
    assert not child.died
    clock.advance(0.2)
    assert child.tend()
    child.stop()


def test_one_that_does_not_end_is_killed(tmp_path: Path) -> None:
    clock, listening = FakeClock(), tmp_path / "listening"
    waits = []

    def meanwhile(_: float) -> None:
        clock.advance(1.0)
        waits.append(clock.monotonic_s())

    child = Supervised(name="child", target=deaf, arguments=lambda: (listening,), clock=clock)
    child.meanwhile = meanwhile
    child.tend()
    until(listening.exists)
    child.stop()
    assert (len(waits), child.pid) == (3, None)


def test_replacing_kills_what_hangs() -> None:
    child = supervised(sleeper, FakeClock())
    child.tend()
    pid = child.pid
    assert pid is not None
    child.replace("it hangs")
    assert child.pid is None
    child.stop()
