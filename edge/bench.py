"""Bench: what the whole pipeline costs on this machine, as ratios to the bare runtime taken in the same run."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from edge import cameras, payload
from edge.bundle import open_bundle
from edge.camera_config import CameraConfig
from edge.cameras import Nothing
from edge.capture import frame_slot
from edge.clip import CLIP_CAPACITY, clip_slot
from edge.clock import SystemClock
from edge.config import Config, ModelConfig, RuleConfig, StorageConfig
from edge.frame import read_picture
from edge.preview import TAKEN_CAPACITY, taken_slot, view_slot
from edge.segment import open_segmenter
from edge.slot import Slot
from edge.worker import Station

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from edge.frame import Picture
    from edge.segment import Segmenter

SIZE = (1920, 1080)
BLOCK = 10
"""Frames measured together."""
_SLOT_BYTES = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One way of getting frames, measured against the bare runtime; CPU times are of all threads."""

    frames_from: str
    raw_cpu_ms: float
    pipeline_cpu_ms: float
    cpu_ratio: float  # median over rounds of pipeline over raw, each pair taken back to back
    raw_wall_ms: float
    pipeline_wall_ms: float
    stages_ms: dict[str, float]  # wall, median
    frames: int


@dataclass(slots=True)
class _Sent:
    """The core's end of the pipe, for a worker that runs inside this process."""

    messages: list[dict[str, Any]] = field(default_factory=list)

    def send(self, message: dict[str, Any]) -> None:
        self.messages.append(message)


def bench(bundle_path: Path, *, pictures: Path, source: str | None, frames: int, threads: int) -> list[Row]:
    """Run the worker's own code on 1080p frames: held in memory, decoded from H.264, or from `source`.

    Args:
        bundle_path: whose target for this machine is measured.
        pictures: folder whose pictures are scaled to 1080p and shown in turn.
        source: a camera URL to measure instead.
        frames: how many per row, rounded to blocks of ten; each block is followed by bare inferences on its inputs.
        threads: of the runtime; 1 makes CPU times comparable between machines.

    Raises:
        EdgeloupeError: the bundle, the pictures or the source can't be used.
    """
    cv2.setNumThreads(1)
    bundle = open_bundle(bundle_path)
    rules = {bundle.manifest.focus: RuleConfig(min_area_px=60)}
    context = payload.Context.of(bundle, None, device="bench", rules=rules)
    rows = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=_memory_folder())))
        segmenter = stack.enter_context(open_segmenter(bundle, context.model.target, threads))
        config = Config(
            device="bench",
            model=ModelConfig(bundle=bundle_path),
            cameras={"bench": CameraConfig(source=source or "file:bench", alert_per="scene")},
            rules=rules,
            storage=StorageConfig(state_dir=folder / "state", runtime_dir=folder),
        )
        stack.enter_context(Slot.create(frame_slot(folder, "bench"), _SLOT_BYTES))
        stack.enter_context(Slot.create(view_slot(folder, "bench"), _SLOT_BYTES))
        stack.enter_context(Slot.create(taken_slot(folder, "bench"), TAKEN_CAPACITY))
        stack.enter_context(Slot.create(clip_slot(folder, "bench"), CLIP_CAPACITY))
        for name, reader in _readers(stack, folder, pictures, source):
            station = Station(
                name="bench", config=config, context=context, colours=[], segmenter=segmenter, clock=SystemClock()
            )
            rows.append(_measure(name, reader, station, segmenter, folder, max(frames // BLOCK, 1)))
    return rows


def _measure(
    name: str, read: Callable[[], Picture], station: Station, segmenter: Segmenter, folder: Path, blocks: int
) -> Row:
    """Alternate blocks of whole frames and of bare inferences on the same inputs; the first block warms up."""
    sent, clock = _Sent(), SystemClock()
    raw: list[tuple[float, float]] = []
    whole: list[tuple[float, float]] = []
    acquired: list[float] = []
    with Slot(frame_slot(folder, "bench")) as slot:
        for block in range(blocks + 1):
            prepared: list[Picture] = []

            def frame(number: int = block, prepared: list[Picture] = prepared) -> None:
                began = time.perf_counter()
                picture = read()
                meta = {"id": number + 1, "captured_at": clock.wall_s(), "captured_mono_s": clock.monotonic_s()}
                slot.write({**meta, "simulated": True}, {"picture": picture})
                acquired.append(time.perf_counter() - began)
                station.take(sent)
                prepared.append(picture)

            whole.append(_time(frame))
            inputs = iter([segmenter.prepare(picture) for picture in prepared])
            raw.append(_time(lambda inputs=inputs: segmenter.infer(next(inputs), *SIZE)))  # type: ignore[misc]
    raw, whole = raw[1:], whole[1:]
    results = [message["result"] for message in sent.messages[BLOCK:]]
    stages = {"read and share": statistics.median(acquired[BLOCK:])}
    for stage in ("preprocess", "inference", "postprocess"):
        stages[stage] = statistics.median(r["processing_times"][stage] for r in results)
    return Row(
        frames_from=name,
        raw_cpu_ms=1000 * statistics.median(cpu for cpu, _ in raw),
        pipeline_cpu_ms=1000 * statistics.median(cpu for cpu, _ in whole),
        cpu_ratio=statistics.median(w[0] / r[0] for w, r in zip(whole, raw, strict=True)),
        raw_wall_ms=1000 * statistics.median(wall for _, wall in raw),
        pipeline_wall_ms=1000 * statistics.median(wall for _, wall in whole),
        stages_ms={stage: 1000 * seconds for stage, seconds in stages.items()},
        frames=blocks * BLOCK,
    )


def _time(action: Callable[[], object]) -> tuple[float, float]:
    """Give CPU and wall seconds of one of `BLOCK` calls; a single one would be lost in the clock's own cost."""
    began, cpu = time.perf_counter(), time.process_time()
    for _ in range(BLOCK):
        action()
    return (time.process_time() - cpu) / BLOCK, (time.perf_counter() - began) / BLOCK


def _readers(
    stack: ExitStack, folder: Path, pictures: Path, source: str | None
) -> Iterator[tuple[str, Callable[[], Picture]]]:
    if source:
        yield source, _from_camera(stack, source)
        return
    paths = sorted(pictures.glob("*.jpg"))
    held = [cv2.resize(read_picture(path), SIZE, interpolation=cv2.INTER_AREA).astype(np.uint8) for path in paths]
    turn = iter(range(1 << 62))
    yield "1080p in memory", lambda: held[next(turn) % len(held)]
    clip = folder / "clip.mp4"
    if _encode(held, clip):
        yield "1080p H.264", _from_camera(stack, f"file:{clip}")


def _from_camera(stack: ExitStack, source: str) -> Callable[[], Picture]:
    camera = stack.enter_context(cameras.create(CameraConfig(source=source, loop=True)))

    def read() -> Picture:
        while (shot := camera.read()) is Nothing.YET:
            pass
        if isinstance(shot, Nothing):
            raise StopIteration
        return shot.picture

    return read


def _encode(held: Sequence[Picture], clip: Path) -> bool:
    """Write the pictures, each for half a second with sensor noise, as an IP camera would; False without ffmpeg."""
    program = shutil.which("ffmpeg")
    if program is None:
        return False
    size = f"{SIZE[0]}x{SIZE[1]}"
    command = [program, "-loglevel", "error", "-y", "-f", "rawvideo", "-pix_fmt", "bgr24", "-s", size, "-r", "30"]
    command += ["-i", "-", "-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-crf", "23"]
    command += ["-g", "30", "-pix_fmt", "yuv420p", str(clip)]
    noise = np.random.default_rng(1)
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        if process.stdin is None:
            return False
        for picture in held:
            for _ in range(15):
                grain = noise.integers(-4, 5, (*picture.shape[:2], 1), np.int16)
                process.stdin.write(np.clip(picture + grain, 0, 255).astype(np.uint8).tobytes())
    return process.returncode == 0


def _memory_folder() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a fresh folder with a random name in it
