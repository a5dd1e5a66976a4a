"""A trigger that something outside pulls."""

from __future__ import annotations

from edge.pulses import Pulses
from tests.brokers import until


def test_what_nobody_foresaw_is_told_and_tried_again() -> None:
    times = iter([ValueError("odd"), None])

    def watch(pulses: Pulses) -> None:
        error = next(times)
        if error:
            raise error
        pulses.sound()
        pulses.stopping.wait()

    with Pulses("bell", watch) as trigger:
        until(lambda: "bell: unforeseen: odd" in trigger.ask(None, 0.0).trouble, "for the trouble to be told")
        until(lambda: not trigger.ask(None, 0.0).trouble, "for the second try")
