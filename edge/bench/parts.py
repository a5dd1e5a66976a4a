"""Parts: everything that is measured, in turn; what can't be measured here leaves a note, and the rest goes on."""

from __future__ import annotations

import platform
import shutil
import tempfile
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
from tqdm import tqdm

from edge import __version__, runtimes
from edge.bench import daemons, frames
from edge.bench.clips import encode, stills
from edge.bench.figures import Report
from edge.bench.goals import goals
from edge.bench.latency import latency
from edge.bench.site import Site
from edge.bundle import open_bundle
from edge.demo.broker import choose_broker, running_broker
from edge.errors import CameraError, EdgeloupeError
from edge.machine import processor
from edge.mask import border_classes
from edge.segment import open_segmenter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edge.bench.figures import Row
    from edge.bench.site import Plan
    from edge.manifest import Manifest
    from edge.segment import Segmenter

    Part = tuple[str, Callable[[], None]]

INSTANCE_PIXELS = 640 * 640


def bench(bundle_path: Path, *, pictures: Path, source: str | None, threads: int, plan: Plan, command: str) -> Report:
    """Measure everything, or only frames of `source`.

    Args:
        bundle_path: whose target for this machine is measured.
        pictures: folder of pictures that the clips are made of.
        source: a camera URL to measure instead.
        threads: of the runtime; 1 makes CPU times comparable between machines.
        plan: how much.
        command: stands in the report.

    Raises:
        EdgeloupeError: the bundle or the source can't be used, or there is no broker to send to.
    """
    cv2.setNumThreads(1)
    bundle = open_bundle(bundle_path)
    target, info = bundle.target_for()
    kind = choose_broker()
    with ExitStack() as stack:
        memory, disk = (Path(stack.enter_context(tempfile.TemporaryDirectory(dir=place))) for place in _places())
        segmenter = stack.enter_context(open_segmenter(bundle, target, threads))
        site = Site(
            bundle=bundle,
            bundle_path=bundle_path,
            threads=threads,
            pictures=pictures,
            memory=memory,
            disk=disk,
            broker_port=stack.enter_context(running_broker(kind, disk)),
            plan=plan,
        )
        model = {
            "name": f"{bundle.manifest.name} release {bundle.manifest.release}",
            "target": f"{target}, {info.precision}",
            "input": f"{bundle.manifest.input.width}x{bundle.manifest.input.height}",
            "threads": str(threads),
        }
        report = Report(
            machine=machine(info.runtime, kind, disk),
            model=model,
            command=command,
            instances=tells_instances(bundle.manifest),
        )
        if source:
            report.rows.append(frames.source_row(site, segmenter, source, source))
            report.rows.append(frames.decoded_row(site, segmenter, f"{source} decoded", source))
            if report.instances:
                report.rows.append(frames.source_row(site, segmenter, f"{source} shown", source, shown=True))
            return report
        with tqdm(_parts(site, segmenter, report), unit="part", disable=None, leave=False) as progress:
            for name, part in progress:
                progress.set_description(name)
                with _noted(report, name):
                    part()
    report.goals += goals(report)
    return report


def tells_instances(manifest: Manifest) -> bool:
    """Say whether a network keeps objects apart in as large a picture as the goals for instances mean."""
    large = manifest.input.width * manifest.input.height >= INSTANCE_PIXELS
    return large and bool(border_classes(manifest.classes))


def machine(runtime: str, broker: str, disk: Path) -> dict[str, str]:
    """Describe what the figures were measured on."""
    return {
        "processor": processor(),
        "memory": _memory_text(),
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "edgeloupe": __version__,
        "runtime": f"{runtime} {runtimes.installed(runtime) or ''}".strip(),
        "opencv": _version("opencv-python-headless"),
        "broker": broker,
        "outbox on": _filesystem(disk),
    }


def _parts(site: Site, segmenter: Segmenter, report: Report) -> list[Part]:
    """List what is to be done, in this order."""
    clips, plan = _Clips(site), site.plan

    def row(measure: Callable[..., Row], name: str, source: Callable[[], str]) -> Part:
        return name, lambda: report.rows.append(measure(site, segmenter, name, source()))

    def h264() -> str:
        return clips.video("H.264", plan.size)

    def set_daemon() -> None:
        report.daemon = daemons.running_daemon(site, clips.best())

    def set_throughput() -> None:
        report.throughput = daemons.throughput(site)

    grow = frames.regions_growth, frames.size_growth
    return [
        row(frames.decoded_row, "1080p decoded", clips.best),
        row(frames.source_row, "1080p H.264", h264),
        *([row(partial(frames.source_row, shown=True), "1080p H.264 shown", h264)] if report.instances else []),
        row(frames.source_row, "1080p MJPEG", lambda: clips.video("MJPEG", plan.size)),
        ("latency", lambda: report.latency.extend(latency(site, clips.best(), plan.frames))),
        ("daemon", set_daemon),
        ("viewers", lambda: report.viewers.extend(daemons.viewers(site, clips.best()))),
        ("throughput", set_throughput),
        ("regions", lambda: report.regions.extend(grow[0](site, segmenter, clips.best(), plan.regions))),
        ("sizes", lambda: report.sizes.extend(grow[1](site, segmenter, clips.best, plan.sizes))),
        ("cameras", lambda: report.cameras.extend(daemons.cameras(site, clips.best()))),
    ]


class _Clips:
    """Clips as they are asked for; each is made once."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._made: dict[tuple[str, tuple[int, int]], str] = {}

    def video(self, codec: str, size: tuple[int, int]) -> str:
        """Give the camera URL of a clip. Raises EdgeloupeError."""
        if (codec, size) not in self._made:
            site = self._site
            path = encode(site.pictures, size, codec, site.memory, site.plan.clip_frames)
            self._made[codec, size] = f"file:{path}"
        return self._made[codec, size]

    def best(self, size: tuple[int, int] | None = None) -> str:
        """Give the camera URL of H.264, or where that can't be made of JPEG files. Raises CameraError."""
        size = size or self._site.plan.size
        try:
            return self.video("H.264", size)
        except CameraError:
            raise
        except EdgeloupeError:
            return f"file:{stills(self._site.pictures, size, self._site.memory)}"


@contextmanager
def _noted(report: Report, name: str) -> Iterator[None]:
    try:
        yield
    except EdgeloupeError as error:
        report.notes.append(f"{name}: not measured: {error}")


def _places() -> tuple[str | None, str | None]:
    """Say where memory is and where a disk: the outbox's durability costs nothing on a file system in memory."""
    memory = Path("/dev/shm")  # noqa: S108 - fresh folders with random names in it, as below
    disk = Path("/var/tmp")  # noqa: S108 - survives a restart by the Filesystem Hierarchy Standard: it is on a disk
    return (str(memory) if memory.is_dir() else None, str(disk) if disk.is_dir() else None)


def _filesystem(path: Path) -> str:
    """Name the file system that a folder lies on."""
    try:
        lines = Path("/proc/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:
        return "unknown"
    mounts = {Path(mount): kind for _, mount, kind, *_ in (line.split() for line in lines)}
    nearest = next((folder for folder in (path, *path.parents) if folder in mounts), None)
    free_gb = shutil.disk_usage(path).free / 1e9
    return f"{mounts[nearest] if nearest else 'unknown'}, {free_gb:.0f} GB free"


def _memory_text() -> str:
    try:
        line = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()[0]
    except (OSError, IndexError):
        return "unknown"
    return f"{int(line.split()[1]) / 1e6:.1f} GB"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
