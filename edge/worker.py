"""Worker: the process that holds the network; takes the newest frame of each camera, inspects it, tells the core."""

from __future__ import annotations

import logging
import time
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import cv2

from edge import payload
from edge.alert import AlertLife
from edge.bundle import open_bundle
from edge.burst import Burst, Seen
from edge.capture import frame_slot
from edge.child import become_child
from edge.clip import ClipWishes
from edge.clock import SystemClock
from edge.draw import thumbnail
from edge.errors import EdgeloupeError
from edge.evidence import EvidenceStore
from edge.frame import Frame
from edge.inspect import Inspector
from edge.picture_check import PictureCheck
from edge.preview import Preview
from edge.segment import open_segmenter
from edge.selftest import calibration_look, selftest
from edge.slot import Slot

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from edge.clock import Clock
    from edge.config import Config
    from edge.frame import Picture
    from edge.inspection import Event
    from edge.segment import Segmenter
    from edge.slot import Snapshot

log = logging.getLogger(__name__)

_IDLE_S = 0.004
_REST_S = 0.2
"""The same where pictures come from time to time only: nobody waits for a verdict, and a battery pays for each look."""
_BEAT_S = 0.25


def run_worker(config: Config, core: Connection, parent_pid: int) -> None:
    """Be the inspection process: load the model, prove it on its probe pictures, inspect until killed.

    Sends the core dictionaries: `{"kind": "loading" | "ready" | "beat" | "failed"}` and
    `{"kind": "inspected", "camera", "result", "alerts", "dropped", "image"}`.
    """
    become_child("edgeloupe worker", parent_pid)
    cv2.setNumThreads(1)
    core.send({"kind": "loading"})
    try:
        bundle = open_bundle(config.model.bundle, trusted=config.model.trusted_keys)
        context = payload.Context.of(bundle, config.model.target, device=config.device, rules=config.rules)
        with open_segmenter(bundle, context.model.target, config.model.threads) as segmenter:
            selftest(bundle, segmenter, context.model.target)
            colours = [c.colour for c in bundle.manifest.classes]
            _inspect_for_ever(config, core, context, colours, calibration_look(bundle), segmenter)
    except EdgeloupeError as error:
        core.send({"kind": "failed", "detail": str(error)})
    except BrokenPipeError:  # the core is gone
        return


def _inspect_for_ever(
    config: Config,
    core: Connection,
    context: payload.Context,
    colours: list[Any],
    look: tuple[float, float, float] | None,
    segmenter: Segmenter,
) -> None:
    model = {**asdict(context.model), "labels": context.labels, "colours": colours}
    core.send({"kind": "ready", "model": model, "look": look})
    clock = SystemClock()
    stations = [
        Station(name=name, config=config, context=context, colours=colours, segmenter=segmenter, clock=clock)
        for name in config.cameras
    ]
    beaten = clock.monotonic_s()
    idle_s = _REST_S if all(c.trigger.kind == "interval" for c in config.cameras.values()) else _IDLE_S
    while True:
        busy = [station.take(core) for station in stations]
        if clock.monotonic_s() - beaten > _BEAT_S:
            beaten = clock.monotonic_s()
            core.send({"kind": "beat"})
        if not any(busy):
            time.sleep(idle_s)


class Told(Protocol):
    """Where a station's messages go: the core's end of a pipe."""

    def send(self, message: dict[str, Any], /) -> None:
        """Pass one message on; may wait. Raises BrokenPipeError when nobody is there."""
        ...


@dataclass(slots=True, kw_only=True)
class Station:
    """One camera's place at the worker."""

    name: str
    config: Config
    context: payload.Context
    colours: list[Any]
    segmenter: Segmenter
    clock: Clock
    _frames: Slot = field(init=False)
    _preview: Preview = field(init=False)
    _inspector: Inspector = field(init=False)
    _alerts: AlertLife = field(init=False)
    _evidence: EvidenceStore = field(init=False)
    _last: int = field(init=False)
    _dropped: int = field(init=False, default=0)
    _burst: Burst = field(init=False)
    _clips: ClipWishes = field(init=False)

    def __post_init__(self) -> None:
        config, runtime_dir = self.config, self.config.storage.runtime_dir
        self._frames = Slot(frame_slot(runtime_dir, self.name))
        told = {"labels": self.context.labels, "colours": self.colours, "defects": list(config.rules)}
        self._preview = Preview(runtime_dir, self.name, told)
        self._last = self._frames.consumed
        check = PictureCheck(config.picture)
        self._inspector = Inspector(self.segmenter, self.context.labels, config.rules, check, self.clock)
        self._alerts = AlertLife(config.alerts, per_part=config.cameras[self.name].alert_per == "part")
        self._evidence = EvidenceStore(config.storage.state_dir / "evidence")
        self._burst = Burst(config.cameras[self.name].pick)
        self._clips = ClipWishes(config.cameras[self.name].clip, runtime_dir, self.name)

    def take(self, core: Told) -> bool:
        """Inspect the newest frame if there is one; give whether there was."""
        snapshot = self._frames.newest(self._last)
        if snapshot is None:
            self._preview.tend()
            return False
        self._frames.mark_consumed(snapshot.sequence)  # before the network: a picture that kills it is not tried again
        frame = _frame(self.name, snapshot)
        seen = Seen(*self._inspector.inspect(frame), frame.picture)
        if not snapshot.intact():  # overtaken while we looked: what we saw may be two pictures
            self._dropped += 1
            self._last = snapshot.sequence
            return True
        self._dropped += max(snapshot.sequence - self._last - 1, 0)
        self._last = snapshot.sequence
        chosen = self._burst.take(seen, frame.burst)
        if chosen is not None:
            result = self._tell(core, chosen, frame.captured_mono_s)
            self._preview.offer(result, chosen.picture, chosen.mask, snapshot.intact)
        return True

    def _tell(self, core: Told, seen: Seen, captured_mono_s: float) -> dict[str, Any]:
        events = self._alerts.step(seen.inspection, self.clock.monotonic_s())
        if any(event.type != "end" for event in events):
            events = self._keep_picture(events, seen.picture, captured_mono_s)
        wanted = self.config.mqtt is not None and self.config.mqtt.publish_images
        begins = wanted and any(event.type == "new" for event in events)
        result = payload.result(seen.inspection, self.context)
        core.send(
            {
                "kind": "inspected",
                "camera": self.name,
                "result": result,
                "alerts": [payload.alert(event, self.context) for event in events],
                "dropped": self._dropped,
                "image": thumbnail(seen.picture, seen.inspection) if begins else None,
            }
        )
        return result

    def _keep_picture(self, events: list[Event], picture: Picture, captured_mono_s: float) -> list[Event]:
        seen = events[0].inspection
        kept = self._evidence.save(picture, seen.captured_at, self.name, seen.result_id)
        begins = any(event.type == "new" for event in events)
        clip = self._clips.ask(kept, captured_mono_s) if begins else None
        return [replace(event, evidence=kept, clip=clip) for event in events]


def _frame(camera: str, snapshot: Snapshot) -> Frame:
    meta = dict(snapshot.meta)
    for name in ("faults", "burst"):
        meta[name] = None if meta.get(name) is None else tuple(meta[name])
    return Frame(camera=camera, picture=snapshot.arrays["picture"], **meta)
