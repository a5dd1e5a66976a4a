"""Frames: the whole pipeline in one process against the bare runtime, in alternating blocks on the same pictures."""

from __future__ import annotations

import copy
import statistics
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from typing import TYPE_CHECKING

from edge import cameras
from edge.bench.clips import held, images
from edge.bench.figures import Growth, Row, Stage
from edge.bench.rig import open_rig
from edge.camera_config import CameraConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from edge.bench.rig import Rig
    from edge.bench.site import Site
    from edge.pictures.image import Image
    from edge.segment import Segmenter

BLOCK = 10
"""Frames measured together: a single one would be lost in the clock's own cost."""
OBJECTS = 4


@dataclass(slots=True)
class _Block:
    """Seconds per frame of one block."""

    cpu: float
    wall: float
    read_cpu: float = 0.0
    read_wall: float = 0.0
    publish_cpu: float = 0.0


@dataclass(slots=True)
class _Blocks:
    """What was measured in turns."""

    whole: list[_Block] = field(default_factory=list)
    bare: list[_Block] = field(default_factory=list)
    prepare: list[_Block] = field(default_factory=list)

    def median(self, kind: str, of: str) -> float:
        """Give a median in milliseconds."""
        seconds: list[float] = [getattr(block, of) for block in getattr(self, kind)]
        return 1000 * statistics.median(seconds)


def decoded_row(site: Site, segmenter: Segmenter, name: str, source: str) -> Row:
    """Measure frames that are in memory, as `source` decodes them. Raises EdgeloupeError."""
    with _in_memory(source, site.wanted) as (frames, read), open_rig(site, segmenter, OBJECTS) as rig:
        return _row(rig, name, frames, read, site.plan.frames)


def source_row(site: Site, segmenter: Segmenter, name: str, source: str, *, shown: bool = False) -> Row:
    """Measure frames that are read and decoded one by one, perhaps each shown to a viewer. Raises EdgeloupeError."""
    frames = held(source, site.wanted)
    with (
        cameras.create(CameraConfig(source=source, loop=True)) as camera,
        open_rig(site, segmenter, OBJECTS, shown=shown) as rig,
    ):
        pictures = images(camera, site.wanted)
        return _row(rig, name, frames, lambda: next(pictures), site.plan.frames)


def regions_growth(site: Site, segmenter: Segmenter, source: str, counts: Sequence[int]) -> list[Growth]:
    """Measure masks that hold so many objects. Raises EdgeloupeError."""
    found = []
    for count in counts:
        with _in_memory(source, site.wanted) as (frames, read), open_rig(site, segmenter, count) as rig:
            found.append(_growth(f"{count} regions", _blocks(rig, frames, read, site.plan.frames)))
    return found


def size_growth(
    site: Site, segmenter: Segmenter, source: Callable[[tuple[int, int]], str], sizes: Sequence[tuple[int, int]]
) -> list[Growth]:
    """Measure frames of several sizes in memory. Raises EdgeloupeError."""
    found = []
    for size in sizes:
        with _in_memory(source(size), site.wanted) as (frames, read), open_rig(site, segmenter, OBJECTS) as rig:
            found.append(_growth(f"{size[0]}x{size[1]}", _blocks(rig, frames, read, site.plan.frames)))
    return found


@contextmanager
def _in_memory(source: str, wanted: tuple[int, int]) -> Iterator[tuple[list[Image], Callable[[], Image]]]:
    frames = held(source, wanted)
    turn = cycle(frames)
    yield frames, lambda: next(turn)


def _row(rig: Rig, name: str, frames: list[Image], read: Callable[[], Image], count: int) -> Row:
    blocks = _blocks(rig, frames, read, count)
    pairs = list(zip(blocks.whole, blocks.bare, strict=True))
    height, width = frames[0].shape[:2]
    return Row(
        frames_from=name,
        width=width,
        height=height,
        frames=len(blocks.whole) * BLOCK,
        raw_cpu_ms=blocks.median("bare", "cpu"),
        whole_cpu_ms=blocks.median("whole", "cpu"),
        ratio=statistics.median(whole.cpu / bare.cpu for whole, bare in pairs),
        ratio_decoded=statistics.median((whole.cpu - whole.read_cpu) / bare.cpu for whole, bare in pairs),
        raw_wall_ms=blocks.median("bare", "wall"),
        whole_wall_ms=blocks.median("whole", "wall"),
        stages=_stages(rig, blocks),
    )


def _growth(name: str, blocks: _Blocks) -> Growth:
    ratio = statistics.median(whole.cpu / bare.cpu for whole, bare in zip(blocks.whole, blocks.bare, strict=True))
    whole, bare = blocks.median("whole", "cpu"), blocks.median("bare", "cpu")
    return Growth(name=name, raw_cpu_ms=bare, whole_cpu_ms=whole, ratio=ratio)


def _blocks(rig: Rig, frames: list[Image], read: Callable[[], Image], count: int) -> _Blocks:
    """Alternate blocks of whole frames, of bare inferences and of preparing alone; the first of each warms up."""
    found = _Blocks()
    inputs = [copy.deepcopy(rig.segmenter.prepare(picture)) for picture in frames]
    height, width = frames[0].shape[:2]
    for _ in range(max(count // BLOCK, 1) + 1):
        found.whole.append(_whole(rig, read))
        turn, picture_turn = cycle(inputs), cycle(frames)
        found.bare.append(_time(lambda turn=turn: rig.segmenter.infer(next(turn), width, height)))  # type: ignore[misc]
        found.prepare.append(_time(lambda turn=picture_turn: rig.segmenter.prepare(next(turn))))  # type: ignore[misc]
    for blocks in (found.whole, found.bare, found.prepare):
        del blocks[0]
    return found


def _whole(rig: Rig, read: Callable[[], Image]) -> _Block:
    """Read, share, inspect, commit, publish and show a block of frames, until the broker has them."""
    block = _Block(0.0, 0.0)
    began, cpu, publish_cpu = time.perf_counter(), time.process_time(), _mqtt_cpu_s()
    for _ in range(BLOCK):
        at, at_cpu = time.perf_counter(), time.process_time()
        picture = read()
        block.read_cpu += (time.process_time() - at_cpu) / BLOCK
        block.read_wall += (time.perf_counter() - at) / BLOCK
        rig.put(picture)
        rig.take()
        rig.show()
    rig.core.settle()
    block.cpu, block.wall = (time.process_time() - cpu) / BLOCK, (time.perf_counter() - began) / BLOCK
    block.publish_cpu = (_mqtt_cpu_s() - publish_cpu) / BLOCK
    return block


def _time(action: Callable[[], object]) -> _Block:
    began, cpu = time.perf_counter(), time.process_time()
    for _ in range(BLOCK):
        action()
    return _Block((time.process_time() - cpu) / BLOCK, (time.perf_counter() - began) / BLOCK)


def _mqtt_cpu_s() -> float:
    """Give the CPU seconds of the thread that publishes."""
    found = [thread.ident for thread in threading.enumerate() if thread.name == "mqtt" and thread.ident is not None]
    return time.clock_gettime(time.pthread_getcpuclockid(found[0])) if found else 0.0


def _stages(rig: Rig, blocks: _Blocks) -> tuple[Stage, ...]:
    """Say where the time went; what no clock stood beside is the rest."""
    results, core = rig.results[BLOCK:], rig.core
    wall = {
        name: 1000 * statistics.median(result["processing_times"][name] for result in results)
        for name in ("preprocess", "inference", "postprocess")
    }
    stages = [
        Stage(
            name="read and decode",
            cpu_ms=blocks.median("whole", "read_cpu"),
            wall_ms=blocks.median("whole", "read_wall"),
        ),
        _stage("share", *zip(*rig.shared_s[BLOCK:], strict=True)),
        Stage(name="prepare", cpu_ms=blocks.median("prepare", "cpu"), wall_ms=wall["preprocess"]),
        Stage(name="infer", cpu_ms=blocks.median("bare", "cpu"), wall_ms=wall["inference"]),
        _stage("commit", core.cpu_s[BLOCK:], core.commits_s[BLOCK:]),
        Stage(name="publish", cpu_ms=blocks.median("whole", "publish_cpu"), wall_ms=None),
        _stage("show", *zip(*rig.shown_s[BLOCK:], strict=True)),
    ]
    rest = blocks.median("whole", "cpu") - sum(stage.cpu_ms for stage in stages)
    stages.insert(4, Stage(name="look and judge", cpu_ms=max(rest, 0.0), wall_ms=wall["postprocess"]))
    return tuple(stages)


def _stage(name: str, cpu_s: Sequence[float], wall_s: Sequence[float]) -> Stage:
    return Stage(name=name, cpu_ms=1000 * statistics.median(cpu_s), wall_ms=1000 * statistics.median(wall_s))
