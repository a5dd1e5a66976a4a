"""The bell between the cameras and the inspection."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import TYPE_CHECKING

from edge.bell import Bell
from edge.supervise import SPAWN

if TYPE_CHECKING:
    from pathlib import Path

LONG_S = 30.0


def waited_s(bell: Bell, seconds: float) -> float:
    began = time.monotonic()
    bell.wait(seconds)
    return time.monotonic() - began


def test_whoever_waits_is_woken_from_another_process(tmp_path: Path) -> None:
    with Bell(tmp_path / "bell") as ours:
        other = SPAWN.Process(target=ring, args=(tmp_path / "bell",))
        other.start()
        assert waited_s(ours, LONG_S) < LONG_S
        other.join()


def test_a_ring_before_anybody_waits_is_not_lost(tmp_path: Path) -> None:
    with Bell(tmp_path / "bell") as ours, Bell(tmp_path / "bell") as theirs:
        theirs.ring()
        assert waited_s(ours, LONG_S) < LONG_S


def test_many_rings_are_one(tmp_path: Path) -> None:
    with Bell(tmp_path / "bell") as ours, Bell(tmp_path / "bell") as theirs:
        for _ in range(100_000):  # more than the pipe holds
            theirs.ring()
        ours.wait(LONG_S)
        assert waited_s(ours, 0.01) >= 0.01


def test_threads_ring_for_the_one_that_waits(tmp_path: Path) -> None:
    with Bell(tmp_path / "bell") as bell:
        timer = threading.Timer(0.01, bell.ring)
        timer.start()
        assert waited_s(bell, LONG_S) < LONG_S
        timer.join()


def test_it_goes_on_when_the_process_that_rang_was_killed(tmp_path: Path) -> None:
    with Bell(tmp_path / "bell") as ours:
        other = SPAWN.Process(target=ring, args=(tmp_path / "bell", LONG_S))
        other.start()
        ours.wait(LONG_S)
        os.kill(other.pid or 0, signal.SIGKILL)
        other.join()
        assert waited_s(ours, 0.01) >= 0.01  # an end that is gone is no ring
        with Bell(tmp_path / "bell") as its_successor:
            its_successor.ring()
            assert waited_s(ours, LONG_S) < LONG_S


def ring(path: Path, stays_s: float = 0.0) -> None:
    with Bell(path) as bell:
        bell.ring()
        time.sleep(stays_s)
