"""Others' pipelines beside ours: what each costs on one clip over the bare runtime on its own network.

    python -m tests.bench.peers BUNDLE [--tools DIR] [--frames N] [--only NAME ...]

BUNDLE is ours; `python -m tests.bench.instances` makes one that is comparable. Each peer lives in an environment of
its own, DIR/NAME, which is made of requirements/peers/NAME.txt where it is missing, and takes a 1080p H.264 clip
through the pipeline that its own documentation shows. All run on one core, whole and bare by turns. Peers' networks
have the peers' own configurations and fresh weights, so that nothing is downloaded. Ours commits an alert for each
frame and sends it to a broker besides; a second line leaves that out.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
from tqdm import tqdm

from edge.bench.clips import encode
from edge.bench.frames import OBJECTS
from edge.demo.appliance import PICTURES
from edge.table import table

if TYPE_CHECKING:
    from collections.abc import Iterator

PEERS = ("ultralytics", "anomalib", "roboflow")
"""In this order: what the first one exports is what the last one runs."""

REPOSITORY = Path(__file__).parents[3]
REQUIREMENTS = REPOSITORY / "requirements"
SIZE = (1920, 1080)
CLIP_FRAMES, STEP = 120, 15
LIMIT_S = 1800
HEAD = ("CPU ms per frame", "network", "objects", "bare", "whole", "above", "ratio")
OFFLINE = {
    "OMP_NUM_THREADS": "1",
    "OPENCV_FOR_THREADS_NUM": "1",
    "OFFLINE_MODE": "True",  # inference
    "YOLO_OFFLINE": "true",  # Ultralytics
    "HF_HUB_OFFLINE": "1",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--tools", type=Path, default=Path(".peers"), help="environments, one folder for each peer")
    parser.add_argument("--frames", type=int, default=60, help="per pipeline (default: %(default)s)")
    parser.add_argument("--only", nargs="*", choices=PEERS, default=PEERS, metavar="NAME", help="peers to measure")
    args = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory(prefix="edgeloupe-peers-") as folder:
        scratch = Path(folder)
        clip, told = make_clip(scratch), scratch / "told.jsonl"
        rows, faults = list(ours(args.bundle.resolve(), clip, args.frames)), []
        for name in tqdm([name for name in PEERS if name in args.only], unit="peer", disable=None, leave=False):
            python = args.tools.resolve() / name / "bin" / "python"
            found = install(python, name) or run(python, name, [clip, scratch / "pictures", args.frames, told])
            faults += [f"not measured: {name}: {found}"] if found else []
        if told.exists():
            rows += [cells(json.loads(line)) for line in told.read_text(encoding="utf-8").splitlines()]
    print("\n\n".join([table(HEAD, rows), *faults]))


def make_clip(scratch: Path) -> Path:
    """Write one picture as a camera sends it over and over, and some of the frames as JPEG files."""
    (scratch / "picture").mkdir()
    (scratch / "pictures").mkdir()
    shutil.copy(min(PICTURES.glob("*.jpg")), scratch / "picture")
    clip = encode(scratch / "picture", SIZE, "H.264", scratch, CLIP_FRAMES)
    capture = cv2.VideoCapture(str(clip))
    for number in range(CLIP_FRAMES):
        _, picture = capture.read()
        if number % STEP == 0:
            cv2.imwrite(str(scratch / "pictures" / f"{number:03}.jpg"), picture)
    return clip


def ours(bundle: Path, clip: Path, frames: int) -> Iterator[tuple[str, ...]]:
    """Measure our own pipeline, as `edgeloupe bench` does."""
    words = ["bench", bundle, "--source", f"file:{clip}", "--frames", frames, "--json"]
    command = [sys.executable, "-m", "edge.cli", *map(str, words)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=os.environ | OFFLINE)
    report = json.loads(done.stdout)
    model = report["model"]
    told = {"network": f"{model['name']} {model['input']}, {model['target']}", "objects": OBJECTS}
    for row in report["rows"]:
        spent = {stage["name"]: stage["cpu_ms"] for stage in row["stages"]}
        bare, whole = row["raw_cpu_ms"], row["whole_cpu_ms"]
        if row["frames_from"].endswith(" decoded"):
            continue
        shown = ", shown" * row["frames_from"].endswith(" shown")
        yield cells(
            {**told, "pipeline": f"edgeloupe{shown}", "bare_ms": bare, "whole_ms": whole, "ratio": row["ratio"]}
        )
        seen = whole - spent["commit"] - spent["publish"]
        name = f"edgeloupe{shown}, no alert"
        yield cells({**told, "pipeline": name, "bare_ms": bare, "whole_ms": seen, "ratio": seen / bare})


def cells(told: dict[str, Any]) -> tuple[str, ...]:
    """Write one line of the table."""
    bare, whole = told["bare_ms"], told["whole_ms"]
    objects = "-" if told["objects"] is None else f"{told['objects']:.1f}"
    figures = (bare, whole, whole - bare, told["ratio"])
    return told["pipeline"], told["network"], objects, *(f"{figure:.2f}" for figure in figures)


def install(python: Path, name: str) -> str | None:
    """Make an environment unless it stands; say why where that can't be."""
    folder = python.parent.parent
    stamp, wanted = folder / ".installed", REQUIREMENTS / "peers" / f"{name}.txt"
    if stamp.exists() and stamp.stat().st_mtime >= wanted.stat().st_mtime:
        return None
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--require-hashes", "-r"]
    cpu, cuda = ([*pip, REQUIREMENTS / f"torch-{kind}.txt", "--no-deps"] for kind in ("cpu", "cuda"))
    made = fault([sys.executable, "-m", "venv", folder])
    found = made or (fault(cpu) and fault(cuda)) or fault([*pip, wanted])
    if found is None:
        stamp.touch()
    return found


def run(python: Path, name: str, given: list[object]) -> str | None:
    """Let a peer measure itself in the clip's folder, and leave its files there; say what went wrong."""
    folder = Path(str(given[0])).parent
    where = {"PYTHONPATH": str(REPOSITORY), "YOLO_CONFIG_DIR": str(folder)}
    return fault([python, "-m", f"tests.bench.peers.with_{name}", *given], cwd=folder, env=os.environ | OFFLINE | where)


def fault(command: list[object], **more: Any) -> str | None:
    """Run a command; give the last thing it said where it failed."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=LIMIT_S, **more)
    except subprocess.TimeoutExpired:
        return f"took more than {LIMIT_S} s"
    said = [line for line in done.stderr.splitlines() if line.strip()] or ["it did not say why"]
    return said[-1].strip() if done.returncode else None


if __name__ == "__main__":
    main()
