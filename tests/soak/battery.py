"""A field camera on battery: CPU seconds and bytes written per cycle of ten minutes: `python -m tests.soak.battery`."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from edge.demo.appliance import BUNDLE, PICTURES
from edge.processes import cpu_s
from edge.table import table
from tests.appliance import Appliance
from tests.brokers import Mosquitto

CYCLE_S = 600.0
SHORT_S = 20.0
"""Cycles are played so short; what rest costs is measured apart and scaled to the long one."""
CYCLES = 4
LIMIT_CPU_S = 3.0
Spent = dict[str, tuple[float, int]]
"""CPU seconds and bytes written, by process."""


def main() -> int:
    """Play some cycles; give 1 when one of ten minutes would take more than three CPU seconds."""
    with tempfile.TemporaryDirectory() as name, tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
        folder = Path(name)
        (folder / "run").symlink_to(memory, target_is_directory=True)  # as /run on a device
        with Mosquitto(folder) as broker:
            appliance = Appliance(
                folder,
                BUNDLE,
                f"belt:{PICTURES}",
                trigger={"kind": "interval", "every_s": SHORT_S},
                burst=3,
                pick="worst",
                alert_per="part",
                mqtt={"port": broker.port},
                rules={"lesion": {"min_area_px": 60}},
                web={"enabled": False},
            )
            try:
                return _measure(appliance)
            finally:
                appliance.stop()


def _measure(appliance: Appliance) -> int:
    appliance.wait_for(lambda: appliance.camera().get("inspected", 0) >= 2, 120)
    _wait_for_rest(appliance)
    rest_s = SHORT_S * 0.6
    began = _spent(appliance)
    time.sleep(rest_s)
    rest = _less(_spent(appliance), began)
    _wait_for_cycle(appliance)
    began, count, at = _spent(appliance), appliance.camera()["inspected"], time.monotonic()
    for _ in range(CYCLES):
        _wait_for_cycle(appliance)
    whole, lasted = _less(_spent(appliance), began), time.monotonic() - at
    cycles = appliance.camera()["inspected"] - count
    rows, total_s = list[list[str]](), 0.0
    for process in whole:
        active = (whole[process][0] - rest[process][0] * lasted / rest_s) / cycles
        long = active + rest[process][0] * CYCLE_S / rest_s
        total_s += long
        written = whole[process][1] / cycles
        rows.append(
            [process, f"{active:.3f}", f"{rest[process][0] / rest_s:.5f}", f"{long:.2f}", f"{written / 1024:.0f}"]
        )
    print(
        table(["process", "CPU s per capture", "CPU s/s at rest", "CPU s per 10 min", "KiB written per capture"], rows)
    )
    print(f"{cycles} captures of 3 pictures each; all processes together: {total_s:.2f} CPU s per 10 minutes")
    return int(total_s > LIMIT_CPU_S)


def _wait_for_rest(appliance: Appliance) -> None:
    appliance.wait_for(lambda: appliance.camera()["state"] == "waiting")
    time.sleep(2)


def _wait_for_cycle(appliance: Appliance) -> None:
    before = appliance.camera()["inspected"]
    appliance.wait_for(lambda: appliance.camera()["inspected"] > before)
    _wait_for_rest(appliance)


def _spent(appliance: Appliance) -> Spent:
    """Give CPU seconds and bytes written so far, by process."""
    spent = {}
    for name, process in appliance.health()["processes"].items():
        io = dict(
            line.split(": ") for line in Path(f"/proc/{process['pid']}/io").read_text(encoding="ascii").splitlines()
        )
        spent[name] = (cpu_s(process["pid"]), int(io["write_bytes"]))
    return spent


def _less(after: Spent, before: Spent) -> Spent:
    return {name: (after[name][0] - before[name][0], after[name][1] - before[name][1]) for name in after}


if __name__ == "__main__":
    sys.exit(main())
