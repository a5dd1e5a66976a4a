"""Daemon: the core. Starts and replaces the other processes, commits alerts, tells the world; sees no picture."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import threading
from typing import TYPE_CHECKING, Any

from edge.camera_state import STATE_CAPACITY, state_slot
from edge.capture.capture import FRAME_CAPACITY, frame_slot, run_capture
from edge.capture.clip import CLIP_CAPACITY, clip_slot
from edge.capture.raw import ASKED_CAPACITY, asked_slot, raw_slot
from edge.capture.watch import CameraWatch
from edge.child import collect_rarely, signals_call
from edge.clock import SystemClock
from edge.errors import ConfigError, OutboxDamagedError, OutboxError
from edge.evidence.store import EvidenceStore
from edge.health import HEALTH_CAPACITY, DeviceHealth, health_slot
from edge.inspection import Verdict
from edge.mailbox import Mailbox
from edge.notify import notify, watchdog_interval_s
from edge.orders import Orders
from edge.outbox.fold import ends, squeeze
from edge.outbox.follow import Places
from edge.outbox.outbox import Outbox
from edge.outbox.room import Room
from edge.pictures.preview import TAKEN_CAPACITY, VIEW_CAPACITY, taken_slot, view_slot
from edge.sinks import Site, create
from edge.sinks.mqtt import MqttSink
from edge.slot import Slot
from edge.succession import Succession
from edge.supervise import Supervised, share
from edge.web.server import run_web
from edge.worker import run_worker

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.clock import Clock
    from edge.config import Config, MqttConfig
    from edge.manifest import LightInfo
    from edge.outputs.courier import Courier

log = logging.getLogger(__name__)

WATCH_S = 0.2
REST_S = 0.5
"""Between two looks where pictures come from time to time only: a battery pays for each look."""
TEND_S = 1.0
TRIM_S = 60.0
LOADING_S = 180.0
"""Opening and compiling a model on a slow device may take minutes."""
HANG_S = 10.0
CAMERA_WAIT_S = 4.0
"""Pause at most before a camera's process that ended by itself is started again."""
LEFT_S = 30.0
"""The worker takes the newest frame of each camera well within this time."""
LINGER_S = 0.02
"""So long after a commit the next one waits for others to share its flush; an alert that comes alone waits for none."""
MOST_TICKED_OFF = 6400
"""Alerts noted at once as taken by every sink, where there is no broker to acknowledge them."""
MOST_UNCOMMITTED = 256
"""Alerts held in memory while the disk fails; beyond that they are folded into counted summaries."""


class Daemon:
    """Everything one device runs. Owned by the main thread; `run` returns after `stop`."""

    def __init__(self, config: Config, clock: Clock | None = None) -> None:
        self._config = config
        self._clock = clock or SystemClock()
        self._stopping = threading.Event()
        storage = config.storage
        self._outbox_path = storage.state_dir / "outbox.sqlite"
        self._evidence = EvidenceStore(storage.state_dir / "evidence", storage.retention)
        self._evidence_bytes = 0
        self._mailbox = Mailbox(self._clock)
        self._watch_s = REST_S if config.seldom else WATCH_S
        self._worker_beat = 0.0
        self._worker_ready = False
        self._commit_at = 0.0
        self._committed_mono_s = 0.0
        self._store: dict[str, Any] = {"epoch": None, "first_seq": 1, "last_seq": 0, "pending": 0}  # as last seen
        self._light: LightInfo | None = None  # of the calibration set
        self._uncommitted: list[Mapping[str, Any]] = []

    def stop(self) -> None:
        """Ask `run` to return; safe from a signal handler or another thread."""
        self._stopping.set()

    def run(self) -> None:
        """Run until stopped. Raises ConfigError, OutboxError."""
        config = self._config
        with contextlib.ExitStack() as stack:
            self._prepare_folders(stack)
            self._outbox = stack.enter_context(Outbox(self._outbox_path, self._clock))
            if self._outbox.recovered:
                log.error("%s", self._outbox.recovered)
            ballast_bytes = config.storage.ballast_mb << 20
            self._room = Room(self._outbox, self._evidence, config.storage.state_dir, ballast_bytes, self._clock)
            self._open_slots(stack)
            self._health = DeviceHealth(config.device, config.cameras, config.storage.state_dir, self._clock)
            self._sink = stack.enter_context(self._make_sink(config.mqtt)) if config.mqtt else None
            self._couriers = self._make_couriers()
            for courier in self._couriers.values():
                stack.enter_context(courier)
            share(camera.source for camera in config.cameras.values())
            self._children = self._make_children()
            self._succession = Succession(config, self._clock)
            self._orders = Orders(config, self._children, self._evidence, self._sink, self._succession, self._clock)
            self._watches = {name: self._make_watch(name) for name in config.cameras}
            stack.callback(self._stop_children)
            stack.callback(notify, "STOPPING=1")
            stack.enter_context(signals_call(self.stop))
            collect_rarely()
            self._loop()
            self._end_worker()

    # --- the loop

    def _loop(self) -> None:
        next_watch = next_tend = next_trim = next_ping = 0.0
        ping_s = watchdog_interval_s()
        while not self._stopping.is_set():
            self._take_messages(self._watch_s)
            now = self._clock.monotonic_s()
            if now >= next_watch:
                next_watch = now + self._watch_s
                self._tend_cameras()
                self._tend_worker(now)
                self._heed_orders()
                for child in self._children.values():
                    if not self._orders.idle(child.name) and child.tend() and child.name == "worker":
                        self._worker_beat, self._worker_ready = now, False
            if now >= next_tend:
                next_tend = now + TEND_S
                self._tell_health()
            if now >= next_trim:
                next_trim = now + TRIM_S
                self._make_room()
            if ping_s and now >= next_ping and self._progressing(now):
                next_ping = now + min(ping_s, 5.0)
                notify("WATCHDOG=1")

    def _progressing(self, now: float) -> bool:
        """Say whether systemd may leave us alone: frames progress, or we are replacing what holds them up."""
        return now - self._worker_beat < LOADING_S + HANG_S

    def _make_room(self) -> None:
        """Delete what is older or larger than agreed; a failing disk is told, and tried again."""
        storage = self._config.storage
        try:
            self._evidence.expire(self._clock.wall_s())
            self._evidence_bytes = self._evidence.trim(storage.evidence_mb << 20, storage.evidence_low_bytes)
            taken = Places(self._outbox_path).hindmost(self._couriers)
            if self._config.mqtt is None:  # nobody acknowledges: it is enough that every sink has them
                told = self._outbox.pending(MOST_TICKED_OFF)
                self._outbox.acknowledge(row.seq for row in told if taken is None or row.seq <= taken)
            self._outbox.prune(storage.replay_days * 86_400, keep_bytes=storage.replay_mb << 20, taken=taken)
        except OutboxDamagedError:
            raise
        except (OSError, OutboxError) as error:
            log.warning("making room failed: %s", error)

    def _take_messages(self, wait_s: float) -> bool:
        """Take what the worker sends, and say whether there was anything; all alerts that wait share one commit."""
        messages = self._mailbox.take(wait_s, linger_until_s=self._committed_mono_s + LINGER_S)
        for message in messages:
            self._uncommitted += message.get("alerts", ())
            self._heed(message)
        if self._uncommitted and self._clock.monotonic_s() >= self._commit_at:
            self._commit()
        return bool(messages)

    def _end_worker(self) -> None:
        """Let the worker finish what it has begun, and commit all that it told."""
        self._children["worker"].stop()
        while self._take_messages(0.0):  # what it left in the pipe
            pass
        if self._uncommitted:
            self._commit()

    def _commit(self) -> None:
        """Commit what waits; a disk that fails is told and tried again, and meanwhile memory stays bounded.

        Raises OutboxDamagedError: the process starts anew, and salvages.
        """
        try:
            self._room.commit(self._uncommitted)
        except OutboxDamagedError:
            raise
        except OutboxError as error:
            if self._health.storage_detail != str(error):
                log.error("%s", error)  # noqa: TRY400 - one line for the operator; it is tried again
            self._health.storage_detail = str(error)
            self._commit_at = self._clock.monotonic_s() + TEND_S
            if len(self._uncommitted) > MOST_UNCOMMITTED:
                self._uncommitted = squeeze(self._uncommitted)
            return
        self._uncommitted = []
        self._committed_mono_s = self._clock.monotonic_s()
        self._health.storage_detail = ""
        if self._sink:
            self._sink.wake()
        for courier in self._couriers.values():
            courier.wake()

    def _heed(self, message: Mapping[str, Any]) -> None:
        now = self._clock.monotonic_s()
        self._worker_beat = now
        match message["kind"]:
            case "ready":
                self._worker_ready = True
                self._succession.ready()
                self._health.model, self._light = message["model"], message["light"]
                log.info("model %(name)s release %(release)s on %(target)s is ready", message["model"])
                notify("READY=1", f"STATUS=inspecting {len(self._config.cameras)} cameras")
            case "failed":
                self._health.model, self._health.model_detail = None, message["detail"]
                log.error("%s", message["detail"])
                self._succession.failed(message["detail"], for_good=True)
                notify("READY=1", f"STATUS={message['detail']}")  # or systemd would kill what tells it
            case "beat":
                self._health.evidence_lost += message["evidence_lost"]
            case "image" if self._sink:
                self._sink.set_image(message["camera"], message["image"])
            case "inspected":
                camera, result = message["camera"], message["result"]
                self._health.cameras[camera].count(result, message["dropped"], now, message["defects"])
                self._orders.inspected(camera, result)
                if self._sink:
                    self._sink.set_verdict(camera, result["result_evaluation"])
                    if self._config.mqtt is not None and self._config.mqtt.publish_results:
                        self._sink.publish_result(camera, result)
                for courier in self._couriers.values():
                    courier.pass_on(camera, result)

    def _heed_orders(self) -> None:
        """Do what operators asked for. Raises OutboxDamagedError when the sink met damage: the core starts anew."""
        if self._sink and self._sink.damage is not None:
            raise self._sink.damage
        self._orders.tend()

    # --- the processes

    def _make_children(self) -> dict[str, Supervised]:
        config = self._config
        worker = Supervised(name="worker", target=run_worker, arguments=self._worker_arguments, clock=self._clock)
        worker.meanwhile = self._take_messages  # a pipe that nobody reads would hold it up
        children = {"worker": worker}
        for name in config.cameras:
            children[f"camera {name}"] = Supervised(
                name=f"camera {name}",
                target=run_capture,
                arguments=lambda name=name: (name, config),  # type: ignore[misc]
                clock=self._clock,
                longest_wait_s=CAMERA_WAIT_S,
            )
        if config.web.enabled:
            children["web"] = Supervised(name="web", target=run_web, arguments=lambda: (config,), clock=self._clock)
        return children

    def _make_watch(self, name: str) -> CameraWatch:
        return CameraWatch(
            config=self._config.cameras[name],
            health=self._health.cameras[name],
            child=self._children[f"camera {name}"],
            slot=self._camera_states[name],
            clock=self._clock,
        )

    def _worker_arguments(self) -> tuple[Any, ...]:
        """Make a fresh pipe for each worker, and end the alerts that its predecessor left open."""
        if self._children["worker"].died:
            self._succession.failed("its process ended by itself")
        self._close_open_alerts()
        return self._succession.opening(self._orders.config), self._mailbox.renew()

    def _close_open_alerts(self) -> None:
        """End alerts whose watcher is gone: the life of an alert never stays open by accident."""
        stored = (last for camera in self._config.cameras for last in self._outbox.open_alerts(camera))
        self._uncommitted += ends((*stored, *self._uncommitted), "the device restarted: the alert is no longer watched")

    def _tend_worker(self, now: float) -> None:
        """Replace a worker that is silent, or that beats but leaves frames lying."""
        limit = HANG_S if self._worker_ready else LOADING_S
        silent_s = now - self._worker_beat
        left_s = max(camera.waiting_s(now) for camera in self._health.cameras.values()) if self._worker_ready else 0.0
        if self._children["worker"].pid and (silent_s > limit or left_s > LEFT_S):
            self._worker_ready = False
            self._health.model, self._health.model_detail = None, "the inspection hung and is being replaced"
            self._succession.failed("its process hung")
            self._children["worker"].replace(f"silent for {silent_s:.0f} s, frames left lying for {left_s:.0f} s")
            self._worker_beat = now

    def _tend_cameras(self) -> None:
        for name, watch in self._watches.items():
            health = watch.health
            if self._orders.idle(f"camera {name}"):
                health.stop()
            else:
                watch.tend()
                health.compare(self._light, self._config.picture.drift_above)
            if self._sink:
                self._sink.set_camera_status(name, health.state)
                self._sink.set_camera_health(name, {"state": health.state, "detail": health.reason})
                if health.inspected and not (health.sound and self._worker_ready):
                    self._sink.set_verdict(name, Verdict.NotDecidable.name)  # the last one is about the past

    def _stop_children(self) -> None:
        for child in self._children.values():
            child.meanwhile = None  # where the worker still runs, something failed that its alerts need
            child.stop()

    # --- the outside

    def _make_sink(self, config: MqttConfig) -> MqttSink:
        own, path, clock = self._config, self._outbox_path, self._clock
        return MqttSink(
            config,
            device=own.device,
            cameras=[*own.cameras],
            recipes=[*own.recipes],
            outbox_path=path,
            newest=self._outbox.newest,
            clock=clock,
        )

    def _make_couriers(self) -> dict[str, Courier]:
        site = Site.of(self._config, self._clock)
        return {name: create(name, sink, site) for name, sink in self._config.sinks.items()}

    def _tell_health(self) -> None:
        outbox = self._look_at_store()
        mqtt: dict[str, Any] = {"configured": self._sink is not None}
        if self._sink:
            mqtt |= self._sink.status()
        told = self._health.told(
            mqtt={**mqtt, "pending": outbox["pending"]},
            sinks={name: courier.status() for name, courier in self._couriers.items()},
            outbox=outbox,
            evidence_bytes=self._evidence_bytes,
            processes={"core": os.getpid(), **{name: child.pid for name, child in self._children.items()}},
        )
        told |= self._orders.told()
        self._health_slot.write(told, {})
        if self._sink:
            self._sink.set_state(told)
        for courier in self._couriers.values():
            courier.set_state(told)

    def _look_at_store(self) -> dict[str, Any]:
        """Tell about the outbox, as it was last seen when it can't be read. Raises OutboxDamagedError."""
        try:
            self._room.tend()
            self._store = self._room.store()
        except OutboxDamagedError:
            raise
        except (OutboxError, OSError) as error:
            self._health.storage_detail = str(error)
        return self._store

    def _prepare_folders(self, stack: contextlib.ExitStack) -> None:
        storage = self._config.storage
        for name, folder in (("state_dir", storage.state_dir), ("runtime_dir", storage.runtime_dir)):
            try:
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                lock = stack.enter_context((folder / "lock").open("w"))
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ConfigError(
                    f"storage.{name} = {folder}: another edgeloupe uses it: stop that one first"
                ) from error
            except OSError as error:
                raise ConfigError(
                    f"storage.{name} = {folder}: {error.strerror}: give a folder that this user may write"
                ) from error

    def _open_slots(self, stack: contextlib.ExitStack) -> None:
        folder = self._config.storage.runtime_dir
        for stale in folder.glob("*"):
            if stale.name != "lock" and not stale.is_dir():
                stale.unlink()
        self._camera_states: dict[str, Slot] = {}
        for name in self._config.cameras:
            stack.enter_context(Slot.create(frame_slot(folder, name), FRAME_CAPACITY))
            stack.enter_context(Slot.create(view_slot(folder, name), VIEW_CAPACITY))
            stack.enter_context(Slot.create(taken_slot(folder, name), TAKEN_CAPACITY))
            stack.enter_context(Slot.create(clip_slot(folder, name), CLIP_CAPACITY))
            stack.enter_context(Slot.create(raw_slot(folder, name), FRAME_CAPACITY))
            stack.enter_context(Slot.create(asked_slot(folder, name), ASKED_CAPACITY))
            self._camera_states[name] = stack.enter_context(Slot.create(state_slot(folder, name), STATE_CAPACITY))
        self._health_slot = stack.enter_context(Slot.create(health_slot(folder), HEALTH_CAPACITY))
