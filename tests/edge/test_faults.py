"""Twelve faults of cameras, each once, in a running daemon; a hundred times each stand in tests/soak/faults.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.faults import DETECTED_S, FAULTS, RECOVERED_S, FaultyCameras, Figures

if TYPE_CHECKING:
    from pathlib import Path

_SHARED_MACHINE = 4.0
"""Times are for the soak to hold; here a stuck one must show."""


def test_every_fault_is_told_and_cured_and_no_alert_comes_of_it(tmp_path: Path, scripted_bundle: Path) -> None:
    figures = Figures()
    with FaultyCameras(tmp_path, scripted_bundle, FAULTS, fps=6) as cameras:
        cameras.play(figures)
        assert cameras.alerts() == []
        counted = cameras.appliance.health
        cameras.appliance.wait_for(lambda: all(counted()["cameras"][w]["troubles"].get(s) for w, s in FAULTS.items()))
    assert figures.ok_while_faulty == []
    for word in FAULTS:
        assert max(figures.detected_s[word]) < _SHARED_MACHINE * DETECTED_S[word]
        assert max(figures.recovered_s[word]) < _SHARED_MACHINE * RECOVERED_S
