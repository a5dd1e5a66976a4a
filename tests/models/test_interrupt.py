"""Interrupts wait until work can be put down."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from models.interrupt import deaf, interrupts

if TYPE_CHECKING:
    from multiprocessing.connection import Connection


def load(told: Connection) -> None:
    deaf(0)
    told.send(os.getpgid(0))
    time.sleep(600)


def test_the_first_signal_is_a_wish_and_the_second_an_order() -> None:
    before = signal.getsignal(signal.SIGINT)
    with interrupts() as interrupt:
        wanted = [interrupt.wanted]
        signal.raise_signal(signal.SIGTERM)
        wanted.append(interrupt.wanted)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert wanted == [False, True]
    assert signal.getsignal(signal.SIGINT) is before


def test_a_loaders_process_hears_nothing_of_the_group_and_can_be_ended() -> None:
    here, there = multiprocessing.Pipe()
    with interrupts():
        worker = multiprocessing.get_context("fork").Process(target=load, args=(there,), daemon=True)
        worker.start()
        assert here.poll(60)
        assert here.recv() == worker.pid != os.getpgid(0)
        worker.terminate()
        worker.join(60)
    assert worker.exitcode == -signal.SIGTERM
