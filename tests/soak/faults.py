"""Twelve faults of cameras, a hundred times each, in a running daemon: `python -m tests.soak.faults [ROUNDS]`."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from tqdm import tqdm

from edge.table import table
from tests.faults import DETECTED_S, FAULTS, RECOVERED_S, FaultyCameras, Figures
from tests.scripted import make_bundle

_FPS = 6.0
_WARM_UP = 3
_STEADY_S = 20.0


def main(rounds: int) -> int:
    """Play all faults so often; give 1 when a limit was broken."""
    figures = Figures()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundle = make_bundle(folder / "scripted.loupe")
        with FaultyCameras(folder, bundle, FAULTS, fps=_FPS) as cameras:
            for _ in range(_WARM_UP):
                cameras.play(Figures())
            before = cameras.holdings()
            calm = _rate_for(cameras, _STEADY_S)
            count, began = cameras.steady_frames()
            for _ in tqdm(range(rounds), unit="round", disable=None):
                cameras.play(figures)
            (count_after, ended), after = cameras.steady_frames(), cameras.holdings()
            alerts = len(cameras.alerts())
    troubled = (count_after - count) / (ended - began)
    rows = []
    for word, state in FAULTS.items():
        told, live = figures.detected_s[word], figures.recovered_s[word]
        late = sum(s > DETECTED_S[word] for s in told) + sum(s > RECOVERED_S for s in live)
        rows.append([word, state, str(len(told)), f"{max(told):.2f}", f"{max(live):.2f}", str(late)])
    print(table(["fault", "state", "times", "told at most s", "live again at most s", "too late"], rows))
    print(f"steady camera: {calm:.3f} frames/s in peace, {troubled:.3f} meanwhile ({troubled / calm - 1:+.2%})")
    print(f"before: {before}\nafter:  {after}")
    print(f"alerts: {alerts}; pictures called OK in the middle of a fault: {len(figures.ok_while_faulty)}")
    for result in figures.ok_while_faulty:
        print(f"  {result['camera']}: {result['frame']}")
    late = sum(int(row[-1]) for row in rows)
    grown = (
        after.processes > before.processes or after.descriptors > before.descriptors or after.threads > before.threads
    )
    return int(bool(late or alerts or figures.ok_while_faulty or grown))


def _rate_for(cameras: FaultyCameras, seconds: float) -> float:
    count, began = cameras.steady_frames()
    time.sleep(seconds)
    count_after, ended = cameras.steady_frames()
    return (count_after - count) / (ended - began)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100))
