"""Tuning: how a network is best spread over this chip's cores; measured once, kept, and read at every start."""

from __future__ import annotations

import hashlib
import logging
import os
import statistics
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field, ValidationError

from edge import runtimes
from edge.cache import cache_folder, write_whole
from edge.errors import ConfigError, ModelError
from edge.machine import fast_cores, processor
from edge.picture import read_picture
from edge.segment import open_segmenter
from edge.strict_yaml import Strict
from edge.supervise import SPAWN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from edge.bundle import Bundle
    from edge.config import ModelConfig
    from edge.picture import Picture
    from edge.segment import Segmenter

log = logging.getLogger(__name__)

_ALIKE = 0.05
"""What differs by less is the same."""


class Plan(Strict):
    """How the work is spread; what is 0 or empty is left to the runtime and the system."""

    threads: Annotated[int, Field(ge=0)] = 0  # for one inference
    lanes: Annotated[int, Field(ge=1)] = 1  # inferences at once
    cores: tuple[int, ...] = ()  # that the process keeps to


class Measured(Strict):
    """What one plan gave."""

    plan: Plan
    latency_ms: Annotated[float, Field(gt=0)]  # of one inference at a time, median
    per_second: Annotated[float, Field(gt=0)]  # inferences while all lanes are busy


class Key(Strict):
    """What the figures hold for."""

    model: str  # sha256 of the manifest
    target: str
    runtime: str
    version: str | None  # of the runtime
    chip: str

    @classmethod
    def of(cls, bundle: Bundle, target: str) -> Key:
        """Describe this machine with `bundle` run for `target`."""
        runtime = bundle.manifest.targets[target].runtime
        version = runtimes.installed(runtime)
        return cls(model=bundle.sha256, target=target, runtime=runtime, version=version, chip=processor())

    @property
    def path(self) -> Path:
        """The file that holds its figures."""
        name = hashlib.sha256(self.model_dump_json().encode()).hexdigest()
        return cache_folder("tuning") / f"{name}.json"


class Tuning(Strict):
    """The figures of one key."""

    schema_version: Literal["edgeloupe.tuning/1"] = "edgeloupe.tuning/1"
    key: Key
    measured: tuple[Measured, ...]

    def best(self, cameras: int) -> Plan:
        """Choose for a number of cameras.

        For one the least latency, and of plans that are alike in this the most inferences per second; for several the
        other way round. A camera keeps two lanes busy at most.
        """
        fitting = [one for one in self.measured if one.plan.lanes <= 2 * cameras]
        if not fitting:
            return Plan()
        least_ms = min(one.latency_ms for one in fitting)
        most = max(one.per_second for one in fitting)
        quick = [one for one in fitting if one.latency_ms <= (1 + _ALIKE) * least_ms]
        many = [one for one in fitting if one.per_second >= (1 - _ALIKE) * most]
        if cameras == 1:
            return max(quick, key=lambda one: one.per_second).plan
        return min(many, key=lambda one: one.latency_ms).plan


def plans(runtime: str, cores: int, fast: Sequence[int] = ()) -> list[Plan]:
    """Say what is worth measuring: threads and lanes by doubling, up to twice all cores; the fast ones by themselves.

    Twice, because a lane that is alone for a moment may use the cores of the others.
    """
    if runtime not in runtimes.ON_CORES:
        return [Plan()]
    found = []
    for kept in (tuple(fast), ()) if 0 < len(fast) < cores else ((),):
        most = len(kept) or cores
        steps = sorted({*(2**i for i in range(most.bit_length())), most})
        found += [Plan(threads=t, lanes=n, cores=kept) for n in steps for t in steps if n * t <= 2 * most]
    return found


def tune(bundle: Bundle, target: str, seconds: float, progress: Callable[[Sequence[Plan]], Iterable[Plan]]) -> Tuning:
    """Measure every plan for `seconds` on the bundle's probe picture.

    Raises:
        BundleError: as `open_segmenter` does.
        ConfigError: that is no time.
        ModelError: as `open_segmenter` does.
    """
    if not seconds > 0:
        raise ConfigError(f"--seconds {seconds:g}: must be more than 0, such as 2")
    key = Key.of(bundle, target)
    ways = plans(key.runtime, len(os.sched_getaffinity(0)), fast_cores())
    return Tuning(key=key, measured=tuple(_measure(bundle, target, plan, seconds) for plan in progress(ways)))


def _measure(bundle: Bundle, target: str, plan: Plan, seconds: float) -> Measured:
    """Measure in a process of its own: a runtime's threads outlive it, on the cores that they were given."""
    try:
        with ProcessPoolExecutor(1, SPAWN) as pool:
            return pool.submit(_measure_here, bundle, target, plan, seconds).result()
    except BrokenProcessPool as error:
        raise ModelError(
            f"{bundle.path}: its process ended by itself with {plan.threads} threads: see the log"
        ) from error


def _measure_here(bundle: Bundle, target: str, plan: Plan, seconds: float) -> Measured:
    keep_to(plan.cores)
    with open_segmenter(bundle, target, plan.threads, lanes=plan.lanes) as segmenter:
        picture = segmenter.prepare(_probe(bundle))
        alone = _run(segmenter, picture, seconds / 2, 1)
        together = _run(segmenter, picture, seconds / 2, plan.lanes)
    rate = sum(len(times) / sum(times) for times in together)
    return Measured(plan=plan, latency_ms=1000 * statistics.median(alone[0]), per_second=rate)


def _run(segmenter: Segmenter, picture: Picture, seconds: float, lanes: int) -> list[list[float]]:
    """Infer over and over in so many lanes at once; give how long each inference took, by lane."""
    gate = threading.Barrier(lanes)
    with ThreadPoolExecutor(lanes) as pool:
        return list(pool.map(lambda _: _infer(segmenter, picture, seconds, gate), range(lanes)))


def _infer(segmenter: Segmenter, picture: Picture, seconds: float, gate: threading.Barrier) -> list[float]:
    """Infer over and over; the first one warms up."""
    height, width = picture.shape[:2]
    segmenter.infer(picture, width, height)
    gate.wait()
    times = []
    now = began = time.perf_counter()
    while now - began < seconds:
        segmenter.infer(picture, width, height)
        before, now = now, time.perf_counter()
        times.append(now - before)
    return times


def _probe(bundle: Bundle) -> Picture:
    probe = next(iter(bundle.manifest.probe), None)
    shape = bundle.manifest.input
    if probe is None:
        return np.full((shape.height, shape.width, 3), 128, np.uint8)
    return read_picture(bundle.file(probe.picture))


def keep_to(cores: Sequence[int]) -> None:
    """Have this process and its threads to come run on those of the cores that it may; none: as it was."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, allowed & set(cores) or allowed)


def save(tuning: Tuning) -> Path:
    """Keep the figures for the next start, and say where. Raises ConfigError."""
    path = tuning.key.path
    try:
        write_whole(path, tuning.model_dump_json(indent=1).encode())
    except OSError as error:
        raise ConfigError(
            f"{path}: {error.strerror}: set EDGELOUPE_CACHE to a folder that this user may write"
        ) from error
    return path


def plan(config: ModelConfig, bundle: Bundle, target: str, cameras: int) -> Plan:
    """Give what the configuration says, else what was measured here, else what mostly does well."""
    if config.threads or config.lanes:
        return Plan(threads=config.threads, lanes=max(config.lanes, 1))
    tuning = load(bundle, target)
    if tuning is None:
        lanes = runtimes.LANES.get(bundle.manifest.targets[target].runtime, 1)
        return Plan(lanes=min(lanes, len(os.sched_getaffinity(0))))
    return tuning.best(cameras)


def load(bundle: Bundle, target: str) -> Tuning | None:
    """Give what was measured for this model, runtime and chip; None where nothing was, or the file is damaged."""
    key = Key.of(bundle, target)
    try:
        tuning = Tuning.model_validate_json(key.path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is damaged"
        log.warning("%s: %s, and ignored: run `edgeloupe tune` again", key.path, reason)
        return None
    return tuning if tuning.key == key else None
