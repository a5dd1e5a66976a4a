"""Metrics: the device's health in Prometheus text format 0.0.4; base units, counters end in `_total`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from edge import __version__
from edge.camera_state import SOUND

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.web.core_health import Told

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(slots=True)
class Metric:
    """One family of samples."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    samples: list[tuple[dict[str, str], float]] = field(default_factory=list)

    def add(self, value: float | None, **labels: object) -> None:
        """Take one sample; None is left out, for what is not known is not zero."""
        if value is not None:
            self.samples.append(({key.rstrip("_"): str(v) for key, v in labels.items()}, float(value)))

    def text(self) -> str:
        """Write the family; empty without samples."""
        if not self.samples:
            return ""
        name = f"edgeloupe_{self.name}"
        lines = [f"# HELP {name} {self.help}", f"# TYPE {name} {self.kind}"]
        lines += [f"{name}{_labels(labels)} {value:.15g}" for labels, value in self.samples]
        return "\n".join(lines) + "\n"


def exposition(told: Told) -> str:
    """Write everything the core told; when it does not answer, only that, so that no old figure looks new."""
    core_up = Metric("core_up", "gauge", "Whether the inspecting process answers.")
    core_up.add(told.answering)
    build = Metric("build_info", "gauge", "Version of edgeloupe; always 1.")
    build.add(1, version=__version__)
    families = [core_up, build]
    if told.answering:
        families += [
            *_device(told),
            *_sinks(told.document.get("sinks") or {}),
            *_cameras(told.document.get("cameras") or {}),
        ]
    return "".join(family.text() for family in families)


def _device(told: Told) -> list[Metric]:
    document = told.document
    part = {name: document.get(name) or {} for name in ("model", "mqtt", "outbox", "storage", "processes")}
    ready = Metric("ready", "gauge", "Whether the device is ready to inspect.")
    ready.add(not told.not_ready())
    start = Metric("start_time_seconds", "gauge", "When the core started, in seconds since the epoch.")
    start.add(document.get("started_at"))
    model = Metric("model_info", "gauge", "The network in use; always 1.")
    if part["model"]:
        keys = ("name", "release", "sha256", "target", "precision")
        model.add(1, **{key: part["model"].get(key, "") for key in keys})
    connected = Metric("mqtt_connected", "gauge", "Whether the broker is connected; absent without one.")
    published = Metric("mqtt_published_total", "counter", "Messages the broker acknowledged.")
    if part["mqtt"].get("configured"):
        connected.add(bool(part["mqtt"].get("connected")))
        published.add(part["mqtt"].get("published"))
    pending = Metric("outbox_pending", "gauge", "Alerts committed and not yet delivered.")
    pending.add(part["outbox"].get("pending"))
    last = Metric("outbox_last_sequence", "gauge", "Number of the newest alert in the store.")
    last.add(part["outbox"].get("last_seq"))
    free = Metric("storage_free_bytes", "gauge", "Space left on the disk of the state folder.")
    free.add(part["storage"].get("free_bytes"))
    evidence = Metric("storage_evidence_bytes", "gauge", "Space taken by evidence pictures.")
    evidence.add(part["storage"].get("evidence_bytes"))
    lost = Metric("storage_evidence_lost_total", "counter", "Alerts whose evidence was not kept, since the start.")
    lost.add(part["storage"].get("evidence_lost"))
    memory = Metric("process_resident_memory_bytes", "gauge", "Memory held, by process.")
    for name, process in part["processes"].items():
        memory.add(process.get("rss_bytes"), process=name)
    heat = Metric("cpu_temperature_celsius", "gauge", "The hottest thermal zone.")
    heat.add(document.get("cpu_temperature_c"))
    return [ready, start, model, connected, published, pending, last, free, evidence, lost, memory, heat]


def _sinks(sinks: Mapping[str, Mapping[str, Any]]) -> list[Metric]:
    connected = Metric("sink_connected", "gauge", "Whether the other side of a sink is reached.")
    taken = Metric("sink_alerts_total", "counter", "Alerts the other side of a sink took since the start.")
    behind = Metric("sink_pending", "gauge", "Alerts committed that a sink has not delivered.")
    refused = Metric("sink_refused_total", "counter", "Refusals by the other side of a sink since the start.")
    for name, sink in sinks.items():
        connected.add(sink.get("connected"), sink=name)
        taken.add(sink.get("published"), sink=name)
        behind.add(sink.get("behind"), sink=name)
        refused.add(sink.get("refused"), sink=name)
    return [connected, taken, behind, refused]


_CAMERA_GAUGES = {
    "frame_age_s": ("frame_age_seconds", "Age of the last inspected picture."),
    "missed": ("camera_missed_ratio", "Share of the last pictures that were dropped or judged late."),
    "fps": ("camera_inspections_per_second", "Inspections per second, averaged over the last ones."),
    "inference_s": ("inference_seconds", "Time the network took for the last picture."),
    "total_s": ("processing_seconds", "Time from capture to verdict of the last picture."),
    "temperature_c": ("camera_temperature_celsius", "Of the camera's sensor, where it tells."),
    "drift": (
        "camera_drift_levels",
        "Grey levels of brightness or colour outside the calibration set's; 0 within.",
    ),
}
_CAMERA_COUNTERS = {
    "frames": ("frames_captured_total", "Pictures the camera gave."),
    "dropped": ("frames_dropped_total", "Pictures not inspected because a newer one was there."),
    "inspected": ("frames_inspected_total", "Pictures inspected."),
    "late": ("frames_late_total", "Pictures whose verdict came after it was due."),
    "restarts": ("camera_restarts_total", "How often the camera's process was replaced."),
}


def _cameras(cameras: Mapping[str, Mapping[str, Any]]) -> list[Metric]:
    up = Metric("camera_up", "gauge", "Whether the camera gives pictures.")
    results = Metric("results_total", "counter", "Inspections by verdict.")
    defects = Metric("defects_total", "counter", "Defect regions in pictures that are NotOK, by class.")
    state = Metric("camera_state", "gauge", "The camera's state as a label; always 1.")
    troubles = Metric("camera_troubles_total", "counter", "How often each fault of a camera began.")
    plain = {key: Metric(name, "counter", text) for key, (name, text) in _CAMERA_COUNTERS.items()}
    plain |= {key: Metric(name, "gauge", text) for key, (name, text) in _CAMERA_GAUGES.items()}
    for name, camera in cameras.items():
        up.add(camera.get("state") in SOUND, camera=name)
        state.add(1, camera=name, state=camera.get("state", "connecting"))
        for kind, count in (camera.get("troubles") or {}).items():
            troubles.add(count, camera=name, kind=kind)
        for evaluation, count in (camera.get("verdicts") or {}).items():
            results.add(count, camera=name, evaluation=evaluation)
        for label, count in (camera.get("defects") or {}).items():
            defects.add(count, camera=name, class_=label)
        for key, metric in plain.items():
            metric.add(camera.get(key), camera=name)
    return [up, state, troubles, results, defects, *plain.values()]


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    escaped = {k: v.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"") for k, v in labels.items()}
    return "{" + ",".join(f'{key}="{value}"' for key, value in escaped.items()) + "}"
