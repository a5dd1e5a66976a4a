"""Rig: the worker's own code on one camera, and behind it what the core does with each frame, in this process."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing import Pipe
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from edge import payload
from edge.camera_config import CameraConfig
from edge.capture.capture import FRAME_CAPACITY, frame_slot
from edge.capture.clip import CLIP_CAPACITY, clip_slot
from edge.child import collect_rarely
from edge.clock import SystemClock
from edge.config import RuleConfig
from edge.errors import BrokerError, EdgeloupeError
from edge.evidence.store import EvidenceStore
from edge.evidence.writer import EvidenceWriter
from edge.outbox.outbox import Outbox
from edge.pictures.image import pack
from edge.pictures.preview import TAKEN_CAPACITY, VIEW_CAPACITY, taken_slot, view_slot
from edge.segment import Segmenter
from edge.sinks.mqtt import MqttSink
from edge.slot import Slot
from edge.web.view import View
from edge.worker import Station

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

    from edge.bench.site import Site
    from edge.config import Config
    from edge.mask import Mask, Plane
    from edge.picture import Picture
    from edge.pictures.image import Image

_CAMERA = "bench"
_PATIENCE_S = 20.0
_SEAM = 2
"""Pixels of a border to either side, as training draws them."""


class Painted(Segmenter):
    """Runs a network, and then has its mask hold so many objects: each network has the same to do afterwards.

    They touch where the network draws borders between those that do.
    """

    def __init__(self, inner: Segmenter, class_id: int, objects: int) -> None:
        self._inner, self._class_id, self._objects = inner, class_id, objects
        self._drawn: tuple[Plane, Plane] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def prepare(self, picture: Image) -> Picture:
        """Leave it to the network's own."""
        return self._inner.prepare(picture)

    def infer(self, prepared: Picture, frame_width: int, frame_height: int) -> Mask:
        """Run the network and give a mask of its size."""
        mask = self._inner.infer(prepared, frame_width, frame_height)
        if self._drawn is None:
            height, width = mask.classes.shape
            plane, seams = draw(height, width, self._objects, touching=mask.borders is not None)
            self._drawn = plane * np.uint8(self._class_id), seams
        classes, seams = self._drawn
        borders = None if mask.borders is None else seams
        return replace(mask, classes=classes, scores=np.full_like(classes, 255), borders=borders)


def draw(height: int, width: int, objects: int, *, touching: bool) -> tuple[Plane, Plane]:
    """Draw so many squares, a quarter of the plane in all; 1 inside, 0 elsewhere, and 255 where two touch."""
    plane, seams = np.zeros((2, height, width), np.uint8)
    columns = max(int(np.ceil(np.sqrt(objects))), 1)
    side = max(min(height, width) // columns // 2, 1)
    for number in range(objects):
        row, column = divmod(number, columns)
        apart = row * height // columns, column * width // columns
        top, left = (row * side, column * side) if touching else apart
        plane[top : top + side, left : left + side] = 1
        if touching and column:
            seams[top : top + side, left - _SEAM : left + _SEAM] = 255
        if touching and row:
            seams[top - _SEAM : top + _SEAM, left : left + side] = 255
    return plane, seams


class Core:
    """Takes the worker's messages out of a pipe, commits one alert for each frame, and has MQTT send it."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._ours, self._theirs = Pipe(duplex=False)
        self._handled = threading.Semaphore(0)
        self._stack = ExitStack()
        self._error: EdgeloupeError | None = None
        self.cpu_s: list[float] = []  # per frame: pipe and commit
        self.commits_s: list[float] = []

    def __enter__(self) -> Self:
        """Open outbox and broker. Raises OutboxError, BrokerError."""
        thread = threading.Thread(target=self._run, name="bench core", daemon=True)
        thread.start()
        self._stack.callback(self._ours.close)
        self._stack.callback(thread.join)
        self._stack.callback(self._theirs.close)
        self._wait()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def send(self, message: dict[str, Any]) -> None:
        """Pass a message on as the worker does, and wait until it is committed."""
        self._theirs.send(message)
        self._wait()

    def settle(self) -> None:
        """Wait until the broker has everything. Raises BrokerError."""
        until = time.monotonic() + _PATIENCE_S
        while self.sink.status()["published"] < len(self.commits_s):
            if time.monotonic() > until:
                raise BrokerError(f"broker: took no alerts: {self.sink.status()['detail']}")
            time.sleep(0.001)

    def _wait(self) -> None:
        self._handled.acquire()
        if self._error is not None:
            self._stack.close()
            raise self._error

    def _run(self) -> None:
        try:
            self._open()
        except EdgeloupeError as error:
            self._error = error
            self._handled.release()

    def _open(self) -> None:
        path = self._config.storage.state_dir / "outbox.sqlite"
        clock, mqtt = SystemClock(), self._config.mqtt
        if mqtt is None:
            return
        with (
            Outbox(path, clock) as outbox,
            MqttSink(
                mqtt, device="bench", cameras=[_CAMERA], outbox_path=path, newest=outbox.newest, clock=clock
            ) as self.sink,
        ):
            self._handled.release()
            self._serve(self._ours, outbox)

    def _serve(self, connection: Connection, outbox: Outbox) -> None:
        while True:
            try:
                message = connection.recv()
            except (EOFError, OSError):
                return
            began, cpu = time.perf_counter(), time.thread_time()
            result = message["result"]
            outbox.commit([result.but(type="update", alert_id="bench", evidence=None, clip=None)])
            self.commits_s.append(time.perf_counter() - began)
            self.cpu_s.append(time.thread_time() - cpu)
            self.sink.set_verdict(_CAMERA, result["result_evaluation"])
            self.sink.wake()
            self._handled.release()


@dataclass(slots=True)
class Rig:
    """One station on frames that are handed to it."""

    station: Station
    core: Core
    frames: Slot
    segmenter: Segmenter  # bare
    view: View | None  # where each frame is shown
    results: list[dict[str, Any]] = field(default_factory=list)
    shared_s: list[tuple[float, float]] = field(default_factory=list)  # CPU, wall
    shown_s: list[tuple[float, float]] = field(default_factory=list)
    _clock: SystemClock = field(default_factory=SystemClock)

    def put(self, picture: Image) -> None:
        """Lay a frame where a camera's process lays it."""
        began, cpu = time.perf_counter(), time.thread_time()
        now = self._clock.monotonic_s()
        meta = {"id": self.frames.latest + 1, "captured_at": self._clock.wall_s(), "captured_mono_s": now}
        words, arrays = pack(picture)
        self.frames.write({**meta, "simulated": True, "image": words}, arrays)
        self.shared_s.append((time.thread_time() - cpu, time.perf_counter() - began))

    def take(self) -> None:
        """Inspect it, tell the core, and wait until it is committed."""
        self.station.take(self)

    def show(self) -> None:
        """Take the view of the last frame as the dashboard does, and encode picture and mask for viewers, if any."""
        began, cpu = time.perf_counter(), time.thread_time()
        if self.view is not None and (seen := self.view.latest()) is not None:
            seen.pair()
        self.shown_s.append((time.thread_time() - cpu, time.perf_counter() - began))

    def send(self, message: dict[str, Any]) -> None:
        """Take what the station says."""
        self.results.append(message["result"])
        self.core.send(message)


@contextmanager
def open_rig(site: Site, segmenter: Segmenter, objects: int, *, shown: bool = False) -> Iterator[Rig]:
    """Make a rig whose masks hold so many objects, and whose frames may be shown. Raises BundleError, OutboxError."""
    manifest = site.bundle.manifest
    tolerated = {manifest.focus: RuleConfig(min_score=0.0, max_share=1.0)}  # alerts are made here, one a frame
    config = site.config("rig", {_CAMERA: CameraConfig(source="file:bench")}).model_copy(update={"rules": tolerated})
    folder = config.storage.runtime_dir
    context = payload.Context.of(site.bundle, None, device="bench", rules=config.rules)
    collect_rarely()
    with ExitStack() as stack:
        stack.enter_context(Slot.create(view_slot(folder, _CAMERA), VIEW_CAPACITY))
        stack.enter_context(Slot.create(taken_slot(folder, _CAMERA), TAKEN_CAPACITY))
        stack.enter_context(Slot.create(clip_slot(folder, _CAMERA), CLIP_CAPACITY))
        frames = stack.enter_context(Slot.create(frame_slot(folder, _CAMERA), FRAME_CAPACITY))
        station = Station(
            name=_CAMERA,
            config=config,
            context=context,
            colours=[one.colour for one in manifest.classes],
            segmenter=Painted(segmenter, manifest.focus_id, objects),
            clock=SystemClock(),
            evidence=EvidenceWriter(EvidenceStore(site.disk), (), show=lambda *_: None),  # no event asks for any
        )
        view = View(folder, _CAMERA, SystemClock()) if shown else None
        yield Rig(station, stack.enter_context(Core(config)), frames, segmenter, view)
