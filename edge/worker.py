"""Worker: the process that holds the network; inspects the cameras' newest frames by turns, tells the core."""

from __future__ import annotations

import logging
import signal
import threading
from contextlib import ExitStack, nullcontext
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import cv2

from edge import payload
from edge.alert import AlertLife
from edge.bell import Bell, inspection_bell, taken_bell
from edge.bundle import open_bundle
from edge.bundle_store import chosen_bundle
from edge.capture.burst import Burst, Seen
from edge.capture.capture import frame_slot
from edge.capture.clip import ClipWishes
from edge.child import become_child
from edge.clock import SystemClock
from edge.errors import EdgeloupeError
from edge.evidence.retention import name_of
from edge.evidence.store import EvidenceStore, place
from edge.evidence.writer import EvidenceWriter, Job
from edge.fitness.picture_check import PictureCheck
from edge.frame import Frame
from edge.inspect import Inspector
from edge.lanes import Lanes
from edge.people import open_people
from edge.pictures.image import unpack
from edge.pictures.preview import Preview
from edge.recipe import first_recipe, served_recipes
from edge.segment import open_segmenter
from edge.selftest import calibration_light, selftest
from edge.slot import Slot
from edge.thresholds import Thresholds
from edge.tiles.looks import open_looks
from edge.tuning import keep_to, plan
from edge.zones import Zones

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from multiprocessing.connection import Connection

    from edge.camera_config import CameraConfig
    from edge.clock import Clock
    from edge.config import Config, RuleConfig
    from edge.evidence_config import EvidenceKind
    from edge.inspection import Event
    from edge.lanes import Told
    from edge.pictures.image import Image
    from edge.recipe import Recipe
    from edge.segment import Sees
    from edge.slot import Snapshot
    from edge.written import Written

log = logging.getLogger(__name__)

_IDLE_S = 0.05
"""Whoever comes to look while no picture comes is seen so soon."""
_REST_S = 0.5
"""The same where pictures come from time to time only: a battery pays for each look."""
_BEAT_S = 1.0


def run_worker(config: Config, core: Connection) -> None:
    """Be the inspection process: load the model, prove it on its probe pictures, inspect until killed.

    Sends the core dictionaries: `{"kind": "loading" | "ready" | "failed"}`, `{"kind": "beat", "evidence_lost"}`,
    `{"kind": "inspected", "camera", "result", "defects", "alerts", "dropped"}` and
    `{"kind": "image", "camera", "image"}`.
    """
    become_child("edgeloupe worker")
    cv2.setNumThreads(1)
    core.send({"kind": "loading"})
    try:
        bundle = open_bundle(chosen_bundle(config), trusted=config.model.trusted_keys)
        recipes = served_recipes(config)
        contexts = [
            payload.Context.of(
                bundle, config.model.target, device=config.device, rules=recipe.rules, recipe=recipe.name
            )
            for recipe in recipes.values()
        ]
        context = next(one for one in contexts if one.recipe == first_recipe(config))
        target = context.model.target
        spread = plan(config.model, bundle, target, len(config.cameras))
        keep_to(spread.cores)
        trusted, people = config.model.trusted_keys, config.storage.blur_people
        with (
            open_segmenter(bundle, target, spread.threads, lanes=spread.lanes) as segmenter,
            open_people(people, trusted) if people else nullcontext() as hide,
            ExitStack() as stack,
        ):
            looks = {
                name: stack.enter_context(
                    open_looks(
                        segmenter,
                        bundle,
                        recipe.cameras,
                        recipe.rules,
                        threads=spread.threads,
                        lanes=spread.lanes,
                        trusted=trusted,
                    )
                )
                for name, recipe in recipes.items()
            }
            selftest(bundle, segmenter, target)
            model = {
                **asdict(context.model),
                "labels": context.labels,
                "colours": [c.colour for c in bundle.manifest.classes],
            }
            core.send({"kind": "ready", "model": model, "light": calibration_light(bundle)})
            _inspect_for_ever(config, core, context, model["colours"], looks, spread.lanes, hide)
    except EdgeloupeError as error:
        core.send({"kind": "failed", "detail": str(error)})
    except BrokenPipeError:  # the core is gone
        return


def _inspect_for_ever(
    config: Config,
    core: Connection,
    context: payload.Context,
    colours: list[Any],
    looks: Mapping[str | None, Mapping[str, Sees]],
    count: int,
    hide: Callable[[Image], Image] | None,
) -> None:
    clock, line, stopping = SystemClock(), Line(core), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())  # so that what was begun is still told and written
    store = EvidenceStore(config.storage.state_dir / "evidence")
    with EvidenceWriter(store, config.storage.evidence, show=line.show, hide=hide) as writer:
        stations = {
            name: Station(
                name=name,
                config=config,
                context=context,
                colours=colours,
                segmenter=looks[context.recipe][name],
                clock=clock,
                looks={recipe: cameras[name] for recipe, cameras in looks.items()},
                evidence=writer,
            )
            for name in config.cameras
        }
        beaten = clock.monotonic_s()
        idle_s = _REST_S if config.seldom else _IDLE_S
        bell = Bell(inspection_bell(config.storage.runtime_dir))
        lanes = Lanes(stations, {name: camera.priority for name, camera in config.cameras.items()}, count, line, bell)
        while not stopping.is_set():
            if clock.monotonic_s() - beaten > _BEAT_S:
                beaten = clock.monotonic_s()
                line.send({"kind": "beat", "evidence_lost": writer.take_lost()})
            if not lanes.turn():
                for station in stations.values():
                    station.rest()
                lanes.rest(idle_s)
        lanes.finish()


class Line:
    """The way to the core, for several threads."""

    def __init__(self, core: Connection) -> None:
        self._core = core
        self._lock = threading.Lock()

    def send(self, message: dict[str, Any]) -> None:
        """Pass one message on; may wait. Raises BrokenPipeError when nobody is there."""
        with self._lock:
            self._core.send(message)

    def show(self, camera: str, image: bytes) -> None:
        """Pass the picture behind an alert on, small, as JPEG."""
        self.send({"kind": "image", "camera": camera, "image": image})


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A frame that is being inspected."""

    frame: Frame
    context: payload.Context  # with the recipe and the thresholds that it is judged by
    inspector: Inspector
    snapshot: Snapshot
    copied: bool  # nothing can be written over it

    @property
    def intact(self) -> bool:
        """Say whether what was seen is one picture."""
        return self.copied or self.snapshot.intact()


@dataclass(slots=True, kw_only=True)
class Station:
    """One camera's place at the worker."""

    name: str
    config: Config
    context: payload.Context
    colours: list[Any]
    segmenter: Sees
    clock: Clock
    evidence: EvidenceWriter
    looks: Mapping[str | None, Sees] = field(default_factory=dict)  # by recipe; without any, `segmenter`
    _recipes: Mapping[str | None, Recipe] = field(init=False)
    _frames: Slot = field(init=False)
    _took: Bell = field(init=False)
    _preview: Preview = field(init=False)
    _inspector: Inspector = field(init=False)
    _alerts: AlertLife = field(init=False)
    _last: int = field(init=False)
    _next: Snapshot | None = field(init=False, default=None)  # looked at already, not taken yet
    _slow: bool = field(init=False, default=False)  # the camera came round before the last picture was inspected
    _dropped: int = field(init=False, default=0)
    _burst: Burst = field(init=False)
    _check: PictureCheck = field(init=False)
    _thresholds: Thresholds = field(init=False)
    _clips: ClipWishes = field(init=False)

    def __post_init__(self) -> None:
        config, runtime_dir = self.config, self.config.storage.runtime_dir
        self._frames = Slot(frame_slot(runtime_dir, self.name))
        self._took = Bell(taken_bell(runtime_dir, self.name))
        sizes = [(look.width, look.height) for look in (self.segmenter, *self.looks.values())]
        self._frames.want(*((0, 0) if (0, 0) in sizes else sizes[0]))
        self._recipes = served_recipes(config)
        outlines = {
            recipe.name or "": {zone: told.outline for zone, told in recipe.cameras[self.name].zones.items()}
            for recipe in self._recipes.values()
        }
        told = {"labels": self.context.labels, "colours": self.colours, "zones": outlines}
        self._preview = Preview(runtime_dir, self.name, told)
        self._last = self._frames.consumed
        self._check = PictureCheck(config.picture)
        self._thresholds = Thresholds(runtime_dir)
        self._inspector = self._judge_by(self.context.recipe, self.context.thresholds)
        self._alerts = AlertLife(config.alerts, per_part=config.cameras[self.name].alert_per == "part")
        self._burst = Burst(config.cameras[self.name].pick)
        self._clips = ClipWishes(config.cameras[self.name].clip, runtime_dir, self.name)

    @property
    def camera(self) -> CameraConfig:
        """What is configured for it."""
        return self.config.cameras[self.name]

    def take(self, core: Told) -> bool:
        """Inspect the newest frame, here and now, if there is one; give whether there was."""
        taken = self.begin()
        if taken is None:
            return False
        self.finish(taken, self.look(taken), core)
        return True

    def due_mono_s(self) -> float | None:
        """Say when the verdict of the newest frame is due; None while there is no new one."""
        if self._next is None or self._next.sequence != self._frames.latest:
            self._next = self._frames.newest(self._last)
        return None if self._next is None else self._next.meta["captured_mono_s"] + self.camera.due_s

    def begin(self) -> Taken | None:
        """Take the newest frame; None where there is none, or it was written over meanwhile."""
        if self.due_mono_s() is None or self._next is None:
            return None
        snapshot, self._next = self._next, None
        self._frames.mark_consumed(snapshot.sequence)  # before the network: a picture that kills it is not tried again
        if snapshot.meta.pop("awaited", False):
            self._took.ring()
        self._dropped += max(snapshot.sequence - self._last - 1, 0)
        self._last = snapshot.sequence
        if (told := self._thresholds.heard()) is not None and told.recipe in self._recipes:
            self.context = replace(self.context, recipe=told.recipe, thresholds=told.rules)
            self._inspector = self._judge_by(*told)
        frame = _frame(self.name, snapshot)
        taken = Taken(frame=frame, context=self.context, inspector=self._inspector, snapshot=snapshot, copied=False)
        if not self._slow:
            return taken
        copied = {name: array.copy() for name, array in snapshot.arrays.items()}
        if not taken.intact:
            self._dropped += 1
            return None
        return replace(taken, frame=_frame(self.name, replace(snapshot, arrays=copied)), copied=True)

    def look(self, taken: Taken) -> Seen:
        """Inspect a frame; the only part that other threads may do."""
        return Seen(*taken.inspector.inspect(taken.frame), taken.frame.picture)

    def finish(self, taken: Taken, seen: Seen, core: Told) -> None:
        """Tell what was seen of a frame, in the order in which frames were taken."""
        self._slow = not taken.snapshot.intact()
        if not taken.intact:  # overtaken while we looked: what we saw may be two pictures
            self._dropped += 1
            return
        chosen = self._burst.take(seen, taken.frame.burst)
        if chosen is not None:
            result = self._tell(core, chosen, taken)
            self._preview.offer(result, chosen.picture, chosen.mask, lambda: taken.intact)

    def rest(self) -> None:
        """Show viewers that came late what was seen last."""
        self._preview.tend()

    def _judge_by(self, recipe: str | None, rules: Mapping[str, RuleConfig]) -> Inspector:
        zones = self._recipes[recipe].cameras[self.name].zones
        look = self.looks.get(recipe, self.segmenter)
        return Inspector(look, self.context.labels, rules, self._check, self.clock, Zones(zones) if zones else None)

    def _tell(self, core: Told, seen: Seen, taken: Taken) -> Written:
        """Tell the core first, and have evidence written behind it."""
        told = seen.inspection
        events = self._alerts.step(told, self.clock.monotonic_s())
        steps = [event.type for event in events if event.type != "end"]
        defects = payload.defects(told, taken.context)
        files: Mapping[EvidenceKind, str] | None = None
        if steps:
            stem = place(told.captured_at, self.name, name_of(told.result_id, steps[0], defects))
            files = self.evidence.promise(stem, masked=seen.mask is not None)
            begins = files is not None and "new" in steps
            clip = self._clips.ask(stem, taken.frame.captured_mono_s) if begins else None
            events = [_naming(event, files or {}, clip) for event in events]
        result = payload.result(told, taken.context)
        core.send(
            {
                "kind": "inspected",
                "camera": self.name,
                "result": result,
                "defects": defects,
                "alerts": [payload.alert(event, result) for event in events],
                "dropped": self._dropped,
            }
        )
        shown = "new" in steps and self.config.mqtt is not None and self.config.mqtt.publish_images
        if files or shown:
            self._keep(files or {}, seen, taken, shown=shown)
        return result

    def _keep(self, files: Mapping[EvidenceKind, str], seen: Seen, taken: Taken, *, shown: bool) -> None:
        ours = taken.copied or seen.picture is not taken.frame.picture  # a burst's picture was copied as it was held
        picture = seen.picture if ours else seen.picture.copy()
        if ours or taken.intact:
            job = Job(files=files, picture=picture, mask=seen.mask, inspection=seen.inspection, shown=shown)
            self.evidence.keep(job)
        else:
            self.evidence.lose()


def _naming(event: Event, files: Mapping[EvidenceKind, str], clip: str | None) -> Event:
    return replace(
        event, evidence=files.get("picture"), mask=files.get("mask"), overlay=files.get("overlay"), clip=clip
    )


def _frame(camera: str, snapshot: Snapshot) -> Frame:
    meta = dict(snapshot.meta)
    for name in ("faults", "burst"):
        meta[name] = None if meta.get(name) is None else tuple(meta[name])
    picture = unpack(meta.pop("image", {}), snapshot.arrays)
    return Frame(camera=camera, picture=picture, **meta)
