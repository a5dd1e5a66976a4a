"""Running: the daemon with all its processes, watched from outside while it works."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from edge.child import become_child
from edge.daemon import Daemon
from edge.errors import EdgeloupeError
from edge.health import health_slot
from edge.pictures.preview import view_slot
from edge.processes import cpu_s, descendants, pss_bytes
from edge.slot import Slot
from edge.supervise import SPAWN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge.config import Config

_TOLD_S = 5.0
START_S = 180.0
"""Opening and compiling a model on a slow device may take minutes."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The daemon at one moment."""

    at_s: float
    cpu_s: Mapping[str, float]  # by process
    inspected: int  # of all cameras
    dropped: int

    @property
    def all_cpu_s(self) -> float:
        """CPU of all processes."""
        return sum(self.cpu_s.values())


class Running:
    """A daemon, started on entering from the main thread, and stopped on leaving."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._process = SPAWN.Process(target=_run, args=(config,), name="bench daemon")
        self.began_s = 0.0

    def __enter__(self) -> Self:
        self.began_s = time.monotonic()
        self._process.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.terminate()
        self._process.join(20.0)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def health(self) -> dict[str, Any]:
        """Give what the daemon tells of itself; empty at first."""
        try:
            with Slot(health_slot(self.config.storage.runtime_dir), read_only=True) as slot:
                snapshot = slot.newest()
        except (OSError, ValueError):
            return {}
        return {} if snapshot is None else snapshot.meta

    def wait_for(self, frames: int, limit_s: float = START_S) -> None:
        """Wait until each camera gave so many frames that were inspected. Raises EdgeloupeError."""
        self.wait(lambda told: min(one["inspected"] for one in told["cameras"].values()) >= frames, limit_s)

    def wait(self, true: Callable[[dict[str, Any]], bool], limit_s: float = START_S) -> None:
        """Wait until what the daemon tells is so. Raises EdgeloupeError."""
        until = time.monotonic() + limit_s
        while not ((told := self.health()) and true(told)):
            if not self._process.is_alive():
                raise EdgeloupeError("the daemon ended: try `edgeloupe run` with this bundle")
            if time.monotonic() > until:
                why = "; ".join(told.get("reasons", ())) or "it does not say why"
                raise EdgeloupeError(f"the daemon inspected nothing within {limit_s:.0f} s: {why}")
            time.sleep(0.02)

    def first_verdict(self, camera: str) -> Reading:
        """Wait for the first frame that was inspected and shown. Raises EdgeloupeError."""
        until = time.monotonic() + START_S
        while not self._shown(camera):
            if not self._process.is_alive() or time.monotonic() > until:
                self.wait_for(1, 0.0)  # tells why
            time.sleep(0.005)
        return self._read({})

    def reading(self) -> Reading:
        """Read all clocks and counters, as soon as the daemon has told the latter anew."""
        before = self.health()["written_mono_s"]
        until = time.monotonic() + _TOLD_S
        while (told := self.health())["written_mono_s"] == before and time.monotonic() < until:
            time.sleep(0.005)
        return self._read(told)

    def memory_mb(self) -> dict[str, float]:
        """Give the memory of each process, pages they share by their share."""
        return self._sums(self.health(), lambda pid: pss_bytes(pid) / 1e6)

    def _read(self, told: dict[str, Any]) -> Reading:
        cameras = told.get("cameras", {}).values()
        return Reading(
            time.monotonic(),
            self._sums(told, cpu_s),
            sum(one["inspected"] for one in cameras),
            sum(one["dropped"] for one in cameras),
        )

    def _sums(self, told: dict[str, Any], measure: Callable[[int], float]) -> dict[str, float]:
        """Measure every process below the daemon's, those it does not name itself together as `others`."""
        core = self._process.pid or 0
        names = {one["pid"]: name for name, one in told.get("processes", {}).items()} | {core: "core"}
        sums = dict.fromkeys(names.values(), 0.0)
        for pid in (core, *descendants(core)):
            name = names.get(pid, "others")
            sums[name] = sums.get(name, 0.0) + measure(pid)
        return sums

    def _shown(self, camera: str) -> bool:
        try:
            with Slot(view_slot(self.config.storage.runtime_dir, camera), read_only=True) as slot:
                return slot.latest > 0
        except (OSError, ValueError):
            return False


def _run(config: Config) -> None:
    become_child("edgeloupe core")
    Daemon(config).run()
