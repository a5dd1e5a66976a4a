"""Faults of cameras, played in a running daemon by writing a word into a file, and what a broker hears of them."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from edge.health import resident_bytes
from tests.appliance import Appliance
from tests.brokers import Ear, Mosquitto

if TYPE_CHECKING:
    from collections.abc import Iterable

FAULTS = {
    "unplug": "failed",
    "end": "failed",
    "stall": "stalled",
    "torn": "damaged",
    "empty": "damaged",
    "dark": "dark",
    "bright": "saturated",
    "same": "frozen",
    "noise": "noise",
    "small": "wrong_format",
    "grey": "wrong_format",
    "backwards": "clock",
}
"""The twelve faults, as `synthetic:` plays them, and the state that tells each."""
DETECTED_S = {word: 5.0 if word == "same" else 2.0 for word in FAULTS}
RECOVERED_S = 3.0
_GIVE_UP_S = 30.0
_FROZEN_S = 3.0  # the default of picture.frozen_s
_SLACK_S = 0.5  # a picture may be on its way while the word changes, and the machine be busy


@dataclass(slots=True)
class Figures:
    """Seconds from fault to state and from cure to `live`, by fault; what must not have happened."""

    detected_s: dict[str, list[float]] = field(default_factory=dict)
    recovered_s: dict[str, list[float]] = field(default_factory=dict)
    ok_while_faulty: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """What the processes of a daemon hold together."""

    processes: int
    threads: int
    descriptors: int
    resident_bytes: int


class FaultyCameras:
    """A daemon with one camera per fault, and one more that must not notice."""

    def __init__(self, folder: Path, bundle: Path, words: Iterable[str], fps: float) -> None:
        self._cues = {word: folder / f"{word}.cue" for word in words}
        self._broker = Mosquitto(folder)
        self._folder = folder
        self._bundle = bundle
        self._fps = fps
        self._status: dict[str, str] = {}

    def __enter__(self) -> Self:
        for cue in self._cues.values():
            cue.write_text("plain", encoding="utf-8")
        self._broker.start()
        others: dict[str, Any] = {
            word: {"source": f"synthetic:@{cue}", "fps": self._fps} for word, cue in self._cues.items()
        }
        self.appliance = Appliance(
            self._folder,
            self._bundle,
            "synthetic:plain",
            loop=True,
            fps=self._fps,
            others=others,
            mqtt={"port": self._broker.port},
        )
        self._ear = Ear(self._broker.port, "edgeloupe/test/+/status", "edgeloupe/test/+/result")
        self.alerts = self.appliance.alerts
        self.hear(lambda: all(self._status.get(word) == "live" for word in self._cues), "for all to be live")
        return self

    def __exit__(self, *exc: object) -> None:
        self._ear.__exit__()
        self.appliance.process.kill()
        self.appliance.process.wait()
        self._broker.kill()

    def hear(self, enough: Any, what: str) -> None:
        """Listen until there is enough."""
        until = time.monotonic() + _GIVE_UP_S
        while not enough():
            assert time.monotonic() < until, f"waited in vain {what}: {self._status}"
            self._pump()

    def _pump(self) -> list[dict[str, Any]]:
        results = []
        heard = len(self._ear.heard)
        self._ear.hark(0.02)
        for received in self._ear.heard[heard:]:
            _, _, camera, what = received.topic.split("/")
            if what == "status":
                self._status[camera] = received.payload.decode()
            else:
                results.append(json.loads(received.payload))
        self._ear.heard.clear()
        return results

    def play(self, figures: Figures) -> None:
        """Break all cameras at once, each its own way, and cure each a moment after its fault was told."""
        began, began_at = self._set(dict.fromkeys(self._cues, "")), time.time()
        waiting, cured = set(self._cues), dict[str, float]()
        until = time.monotonic() + _GIVE_UP_S
        while waiting or cured:
            assert time.monotonic() < until, f"{waiting} not told, {set(cured)} not cured: {self._status}"
            results = self._pump()
            now = time.monotonic()
            figures.ok_while_faulty += [r for r in results if r["camera"] in waiting and _wrongly_ok(r, began_at)]
            for word in [word for word in waiting if self._status[word] == FAULTS[word]]:
                figures.detected_s.setdefault(word, []).append(now - began)
                waiting.discard(word)
                cured[word] = self._set({word: "plain"})
            for word in [word for word in cured if self._status[word] == "live"]:
                figures.recovered_s.setdefault(word, []).append(now - cured.pop(word))

    def _set(self, words: dict[str, str]) -> float:
        for word, scene in words.items():
            partial = self._cues[word].with_suffix(".partial")
            partial.write_text(scene or word, encoding="utf-8")
            partial.replace(self._cues[word])
        return time.monotonic()

    def steady_frames(self) -> tuple[int, float]:
        """Count the frames of the camera that must not notice, and say when that was told."""
        told = self.appliance.health()
        return int(told["cameras"]["c"]["frames"]), float(told["written_mono_s"])

    def holdings(self) -> Holdings:
        """Count what the daemon and its processes hold."""
        pids = [process["pid"] for process in self.appliance.health()["processes"].values()]
        return Holdings(
            processes=len(pids),
            threads=sum(_count(pid, "task") for pid in pids),
            descriptors=sum(_count(pid, "fd") for pid in pids),
            resident_bytes=sum(resident_bytes(pid) for pid in pids),
        )


def _count(pid: int, what: str) -> int:
    return len(list(Path(f"/proc/{pid}/{what}").iterdir()))


def _wrongly_ok(result: dict[str, Any], began_at: float) -> bool:
    """Say whether a picture taken in the middle of a fault was called OK; a frozen one is known by its age only."""
    taken_at = datetime.fromisoformat(result["frame"]["captured_at"]).timestamp()
    allowed_s = _FROZEN_S + _SLACK_S if result["camera"] == "same" else _SLACK_S
    return bool(result["result_evaluation"] == "OK" and taken_at > began_at + allowed_s)
