"""Figures: what the bench found, as plain values; CPU times are of all threads, medians unless said."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage of the way of a frame."""

    name: str
    cpu_ms: float
    wall_ms: float | None  # None where it runs beside the next frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One way of getting frames, measured against the bare runtime on the same pictures."""

    frames_from: str
    width: int
    height: int
    frames: int
    raw_cpu_ms: float
    whole_cpu_ms: float
    ratio: float  # of CPU, median over pairs taken back to back
    ratio_decoded: float  # the same without reading and decoding
    raw_wall_ms: float
    whole_wall_ms: float
    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How long something took."""

    name: str
    count: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningDaemon:
    """The daemon with one camera, as it runs."""

    start_cpu_s: float  # of all processes until the first verdict
    start_wall_s: float
    memory_mb: dict[str, float]  # by process; shared pages by their share
    views_unseen: int  # pictures prepared for viewers while there was none


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """As many frames as go through."""

    bare_fps: float
    whole_fps: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewers:
    """The daemon while so many look."""

    viewers: int
    shown_fps: float  # frames that each viewer got, mean
    cpu_ms_per_s: float  # of all processes of the daemon
    web_cpu_ms_per_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cameras:
    """The daemon with so many cameras."""

    cameras: int
    inspected_fps: float
    dropped: int
    cpu_ms_per_s: float  # of all processes
    memory_mb: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """One more of something, frames in memory."""

    name: str  # as `20 regions` or `1920x1080`
    raw_cpu_ms: float
    whole_cpu_ms: float
    ratio: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What a figure should be."""

    what: str
    measured: str
    goal: str
    holds: bool


@dataclass(slots=True, kw_only=True)
class Report:
    """Everything, with where it was measured. What could not be measured is empty, and `notes` says why."""

    machine: dict[str, str]
    model: dict[str, str]
    command: str
    instances: bool = False  # objects are kept apart, in pictures of 640x640 or more: other goals
    rows: list[Row] = field(default_factory=list)
    latency: list[Spread] = field(default_factory=list)
    daemon: RunningDaemon | None = None
    throughput: Throughput | None = None
    viewers: list[Viewers] = field(default_factory=list)
    cameras: list[Cameras] = field(default_factory=list)
    regions: list[Growth] = field(default_factory=list)
    sizes: list[Growth] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
