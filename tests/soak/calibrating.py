"""What a calibration costs the other cameras, in turns with and without: `python -m tests.soak.calibrating [ROUNDS]`.

A round takes forty seconds, half of it in peace; three by default.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
from tqdm import tqdm

from edge.geometry.board import Board
from edge.table import table
from edge.web.calibrator import Calibrator
from tests.appliance import Appliance
from tests.boards import views
from tests.scripted import make_bundle

if TYPE_CHECKING:
    from collections.abc import Mapping

_BOARD = "charuco:9x6:22:16"
_HALF_S = 20.0
_FPS = 10.0
_WITHIN = 0.02


def main(rounds: int) -> int:
    """Measure the rate of a camera beside the one that is calibrated; give 1 when it changed by more than 2 %."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "board").mkdir()
        held = [view for view in views(Board.parse(_BOARD), 8) for _ in range(8)]
        for number, view in enumerate(held):
            cv2.imwrite(str(folder / "board" / f"{number:03}.jpg"), view)
        steady = {"source": "synthetic:plain", "loop": True, "fps": _FPS}
        source = f"file:{folder / 'board'}"
        bundle = make_bundle(folder / "scripted.loupe")
        appliance = Appliance(folder, bundle, source, loop=True, fps=10, others={"steady": steady})
        calibrator = Calibrator(folder / "run", folder / "state")
        rates: dict[bool, list[float]] = {False: [], True: []}
        told: Mapping[str, Any] = {}
        try:
            appliance.wait_for(lambda: appliance.camera("steady").get("inspected", 0) > 10 * _FPS)
            for _ in tqdm(range(rounds), unit="round", disable=None):
                for busy in (False, True):
                    if busy:
                        calibrator.start("c", _BOARD)
                    rate, told = _rate(appliance, calibrator)
                    rates[busy].append(rate)
                    calibrator.stop()
        finally:
            calibrator.stop()
            appliance.stop()
    peace, meanwhile = (statistics.median(rates[busy]) for busy in (False, True))
    print(table(["", "frames/s"], [["in peace", f"{peace:.3f}"], ["calibrating", f"{meanwhile:.3f}"]]))
    print(f"{meanwhile / peace - 1:+.2%}; the last calibration kept {told['kept']} views")
    return int(abs(meanwhile / peace - 1) > _WITHIN)


def _rate(appliance: Appliance, calibrator: Calibrator) -> tuple[float, Mapping[str, Any]]:
    """Count inspections of the steady camera, and ask how the calibration stands as a page does."""
    first, began = appliance.camera("steady")["inspected"], time.monotonic()
    told: Mapping[str, Any] = {}
    while (now := time.monotonic()) < began + _HALF_S:
        told = calibrator.told()
        calibrator.picture()
        time.sleep(0.2)
    return (appliance.camera("steady")["inspected"] - first) / (now - began), told


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 3))
