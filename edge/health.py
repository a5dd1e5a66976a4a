"""Health: what the device knows about itself, counted by the core and shown to everybody else."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge import __version__
from edge.camera_state import SOUND
from edge.inspection import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from edge.camera_state import CameraState, CameraTold
    from edge.clock import Clock
    from edge.manifest import LightInfo

HEALTH_CAPACITY = 256 * 1024
_LOW_DISK_BYTES = 50 << 20
_MACHINE_S = 5.0
"""Memory and temperature are told as read then: they change slowly, and reading them costs more than the rest."""
_FOLLOW, _BEHIND = 0.05, 0.1
BEHIND = "does not keep up: pictures are left out or judged late: ask for fewer with fps, or use fewer cameras"


def health_slot(runtime_dir: Path) -> Path:
    """Say where the device's health is told."""
    return runtime_dir / "health.slot"


@dataclass(slots=True)
class CameraHealth:
    """What happened at one camera since the daemon started."""

    state: CameraState = "connecting"
    detail: str = ""
    began_with: str = ""  # the detail as the state began: it is published once, not with each figure that changes in it
    frames: int = 0
    troubles: dict[str, int] = field(default_factory=dict)  # how often each fault began
    temperature_c: float | None = None
    colour: tuple[float, float, float] | None = None  # mean blue, green, red of the last seconds
    drift: float | None = None  # grey levels outside the calibration set's, the worst of brightness and colours
    drift_detail: str = ""
    due_s: float = 0.5  # how long after its picture a verdict is due
    dropped: int = 0
    late: int = 0  # verdicts that came after they were due
    missed: float = 0.0  # share of the last pictures that were dropped, or judged late
    behind: bool = False  # that share is more than a tenth
    inspected: int = 0
    result_evaluation: str | None = None  # of the last inspection
    verdicts: dict[str, int] = field(default_factory=lambda: {v.name: 0 for v in Verdict if v is not Verdict.Undefined})
    defects: dict[str, int] = field(default_factory=dict)
    restarts: int = 0
    fps: float = 0.0
    inference_s: float | None = None
    total_s: float | None = None
    seen_mono_s: float | None = None  # capture time of the last inspected frame
    taken: int = 0  # number of the last inspected frame
    ahead_since_s: float | None = None  # since when a later frame lies ready

    @property
    def sound(self) -> bool:
        """Say whether what is told about this camera can be relied on."""
        return self.state in SOUND

    def take(self, told: CameraTold) -> None:
        """Take the account of its process; a fault stays until a picture disproves it."""
        if told.state != "connecting" or self.state in SOUND:
            self._enter(told.state, told.detail)
        self.frames, self.temperature_c, self.colour = told.frames, told.temperature_c, told.colour
        self.troubles |= {kind: max(count, self.troubles.get(kind, 0)) for kind, count in told.troubles.items()}

    def trouble(self, state: CameraState, detail: str) -> None:
        """Take what the core found out about it."""
        if self.state != state:
            self.troubles[state] = self.troubles.get(state, 0) + 1
        self._enter(state, detail)

    def stop(self) -> None:
        """Take note that an operator stopped it."""
        self._enter("stopped", "by command, until it is started")

    def _enter(self, state: CameraState, detail: str) -> None:
        if state != self.state:
            self.began_with = detail
        self.state, self.detail = state, detail

    def compare(self, meant: LightInfo | None, limit: float) -> None:
        """Compare the pictures' mean colour with those of the calibration set."""
        self.drift, self.drift_detail = None, ""
        if meant is None or self.colour is None or self.state != "live":
            return
        names = ("brightness", "blue", "green", "red")
        off = meant.off(self.colour)
        worst = max(range(len(off)), key=lambda i: abs(off[i]))
        self.drift = round(off[worst], 1)
        if abs(self.drift) > limit:
            self.drift_detail = (
                f"{names[worst]} is {self.drift:+.0f} grey levels off all that the network was calibrated with: "
                "check the light"
            )

    def waiting_s(self, now_mono_s: float) -> float:
        """Say for how long a frame has been lying ready without any being inspected; to be asked regularly."""
        if self.state != "live" or self.frames <= self.taken:
            self.ahead_since_s = None
        elif self.ahead_since_s is None:
            self.ahead_since_s = now_mono_s
        return 0.0 if self.ahead_since_s is None else now_mono_s - self.ahead_since_s

    def count(self, result: Mapping[str, Any], dropped: int, now_mono_s: float, defects: Iterable[str] = ()) -> None:
        """Take one inspection into account, with the classes of its defects, each as often as it was found."""
        self.inspected += 1
        self.taken, self.ahead_since_s = result["frame"]["id"], None
        late = result["frame"]["age_s"] > self.due_s
        self._keep_up(max(dropped - self.dropped, 0) + late, kept=not late)
        self.late += late
        self.dropped = dropped
        self.result_evaluation = result["result_evaluation"]
        self.verdicts[result["result_evaluation"]] += 1
        for label in defects:
            self.defects[label] = self.defects.get(label, 0) + 1
        times = result["processing_times"]
        self.inference_s, self.total_s = times["inference"], times["total"]
        seen = now_mono_s - result["frame"]["age_s"]
        if self.seen_mono_s is not None and seen > self.seen_mono_s:
            self.fps += 0.1 * (1 / (seen - self.seen_mono_s) - self.fps)
        self.seen_mono_s = seen

    def _keep_up(self, missed: int, *, kept: bool) -> None:
        """Follow how many of the last pictures were judged in time."""
        self.missed += _FOLLOW * (missed / (missed + kept) - self.missed)
        if self.missed > _BEHIND:
            self.behind = True
        elif self.missed < _BEHIND / 2:
            self.behind = False

    @property
    def reason(self) -> str:
        """Why the camera is in its state, in words that stay while it lasts."""
        return self.began_with or ("" if self.state != "live" or not self.behind else BEHIND)

    def told(self, now_mono_s: float) -> dict[str, Any]:
        """Write as plain values."""
        age = None if self.seen_mono_s is None else round(max(now_mono_s - self.seen_mono_s, 0.0), 3)
        names = (
            "state",
            "frames",
            "dropped",
            "late",
            "behind",
            "inspected",
            "result_evaluation",
            "restarts",
            "inference_s",
            "total_s",
            "temperature_c",
            "drift",
            "drift_detail",
        )
        return {
            **{name: getattr(self, name) for name in names},
            "detail": self.detail or self.reason,
            "missed": round(self.missed, 3),
            "verdicts": dict(self.verdicts),
            "defects": dict(self.defects),
            "troubles": dict(self.troubles),
            "fps": round(self.fps, 2),
            "frame_age_s": age,
        }


class DeviceHealth:
    """The whole device's health; belongs to the core's main thread."""

    def __init__(self, device: str, cameras: Mapping[str, object], state_dir: Path, clock: Clock) -> None:
        self.cameras = {name: CameraHealth() for name in cameras}
        self.model: dict[str, Any] | None = None
        self.model_detail = "starting"
        self.storage_detail = ""  # why alerts can't be committed
        self.evidence_lost = 0  # alerts whose files were not kept, since the start
        self._device = device
        self._state_dir = state_dir
        self._clock = clock
        self._started_at = clock.wall_s()
        self._started_mono_s = clock.monotonic_s()
        self._resident: dict[int, int] = {}  # bytes by process
        self._temperature_c: float | None = None
        self._machine_read_s = self._started_mono_s

    def reasons(self) -> list[str]:
        """Say why the device is not ready; empty when it is."""
        found = [] if self.model else [f"model: {self.model_detail}"]
        found += [f"storage: {self.storage_detail}"] if self.storage_detail else []
        found += [
            f"camera {name}: {camera.state}{': ' if camera.detail else ''}{camera.detail}"
            for name, camera in self.cameras.items()
            if not camera.sound
        ]
        return found

    def told(
        self,
        *,
        mqtt: Mapping[str, Any],
        sinks: Mapping[str, Mapping[str, Any]],
        outbox: Mapping[str, Any],
        evidence_bytes: int,
        processes: Mapping[str, int | None],
    ) -> dict[str, Any]:
        """Write everything as plain values."""
        now = self._clock.monotonic_s()
        reasons = self.reasons()
        free = shutil.disk_usage(self._state_dir).free
        pids = {name: pid for name, pid in processes.items() if pid}
        if now - self._machine_read_s >= _MACHINE_S or {*pids.values()} != self._resident.keys():
            self._read_machine(pids.values(), now)
        return {
            "device": self._device,
            "version": __version__,
            "written_mono_s": now,
            "started_at": self._started_at,
            "uptime_s": round(now - self._started_mono_s, 1),
            "ready": not reasons,
            "reasons": reasons,
            "model": self.model,
            "cameras": {name: camera.told(now) for name, camera in self.cameras.items()},
            "mqtt": dict(mqtt),
            "sinks": {name: dict(status) for name, status in sinks.items()},
            "outbox": dict(outbox),
            "storage": {
                "free_bytes": free,
                "evidence_bytes": evidence_bytes,
                "evidence_lost": self.evidence_lost,
                "detail": self.storage_detail or ("nearly full" if free < _LOW_DISK_BYTES else ""),
            },
            "processes": {name: {"pid": pid, "rss_bytes": self._resident[pid]} for name, pid in pids.items()},
            "cpu_temperature_c": self._temperature_c,
        }

    def _read_machine(self, pids: Iterable[int], now_mono_s: float) -> None:
        self._resident = {pid: resident_bytes(pid) for pid in pids}
        self._temperature_c = cpu_temperature_c()
        self._machine_read_s = now_mono_s


def resident_bytes(pid: int) -> int:
    """Give the memory a process holds; 0 when it is gone."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def cpu_temperature_c() -> float | None:
    """Read the hottest thermal zone; None where there is none."""
    readings = []
    for zone in Path("/sys/class/thermal").glob("thermal_zone*/temp"):
        try:
            readings.append(int(zone.read_text(encoding="ascii")) / 1000)
        except (OSError, ValueError):
            continue
    return max(readings, default=None)
