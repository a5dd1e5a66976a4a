"""Interrupts wait until work can be put down."""

from __future__ import annotations

import signal

import pytest

from models.interrupt import interrupts


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
