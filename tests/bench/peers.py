"""Ours against every peer, on one float network: how far masks agree with float, what is lost, and how fast it is.

    python -m tests.bench.peers MODEL.onnx DATA [--tools DIR] [--pictures N]

Each peer quantises the plain network (normalised picture in, logits out) with its default and its best documented
settings and the same calibration pictures, in an interpreter of its own, DIR/NAME/bin/python. All files are judged on
the test split at frame resolution, as our own are. Time is that of one thread over that of the plain float network in
ONNX Runtime, taken in turns; ours includes normalising and the choice of classes, peers' does not.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import onnx
from tqdm import tqdm

from edge import runtimes
from edge.table import table
from quantize import calibrate, targets
from quantize.budget import Budget
from quantize.evaluate import list_samples
from quantize.figures import Gate, Parity
from quantize.fold import fold, load_model, output_size
from quantize.judge import Judge
from quantize.shrink import Shrinker
from tests.bench.plain import PlainFile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.frame import Picture
    from models.card import ModelCard

PEERS = {"ort": None, "nncf": None, "modelopt": "modelopt", "onnx2tf": "onnx2tf", "ai_edge": "ai-edge-quantizer"}
"""Who makes files, and the environment it needs where this one does not do."""

MAKERS = Path(__file__).parent / "makers"
VALIDATION = 32
ROUNDS = 30


@dataclass(frozen=True, slots=True)
class Row:
    """One file."""

    name: str
    runs_in: str
    parity: Parity
    size: int  # bytes
    run: Callable[[], object]  # one picture, for its time


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--tools", type=Path, default=Path(".peers"), help="environments, one folder for each peer")
    parser.add_argument("--pictures", type=int, default=100, help="to calibrate with")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="edgeloupe-peers-") as scratch, ExitStack() as stack:
        print(compare(args.model, args.data, args.tools, args.pictures, Path(scratch), stack))


def compare(model: Path, data: Path, tools: Path, count: int, scratch: Path, stack: ExitStack) -> str:
    """Make all files, judge them, and give the table."""
    network, card = load_model(model)
    onnx.save(fold(network, card), scratch / "folded.onnx")
    onnx.save(network, scratch / "plain.onnx")
    calibration = calibrate.choose(data, card, count)
    samples, split = list_samples(data, "test")
    judge = Judge(scratch / "folded.onnx", samples, card)
    base = PlainFile(scratch / "plain.onnx", card.input)
    picture = judge.pictures[0]
    rows = ours(scratch, calibration.pictures, data, judge, stack)
    made, untried = peers(scratch, calibration.pictures, data, card, output_size(network), tools)
    for path in tqdm(made, desc="judging peers", unit="file", disable=None, leave=False):
        file = PlainFile(path, card.input)
        values = file.normalised(picture)
        size = path.stat().st_size + (path.with_suffix(".bin").stat().st_size if path.suffix == ".xml" else 0)
        runs_in = {".onnx": "onnxruntime", ".xml": "openvino", ".tflite": "litert"}[path.suffix]
        rows.append(Row(path.stem, runs_in, judge.compare(file), size, lambda f=file, v=values: f.network(v)))  # type: ignore[misc]
    values = base.normalised(picture)
    times = in_turns([lambda: base.network(values), *(row.run for row in rows)])
    float_size = (scratch / "plain.onnx").stat().st_size
    lines = [
        (
            row.name,
            row.runs_in,
            f"{row.parity.agreement.mean:.3f}",
            f"{row.parity.agreement.p10:.3f}",
            f"{row.parity.agreement.worst:.2f}",
            f"{max(row.parity.drop_points.values()):+.2f}",
            f"{max((lost.points for lost in row.parity.recall_drop.values()), default=0):+.2f}",
            f"{spent / times[0]:.2f}",
            f"{row.size / float_size:.2f}",
        )
        for row, spent in zip(rows, times[1:], strict=True)
    ]
    head = (
        "file",
        "runs in",
        "masks agree",
        "worst tenth",
        "worst",
        "IoU lost, pt",
        "objects lost, pt",
        "time",
        "size",
    )
    title = f"{card.name}, {len(samples)} pictures ({split}), {len(calibration.pictures)} to calibrate; {card.focus}"
    return "\n".join([title, table(head, lines), *untried])


def ours(scratch: Path, pictures: Sequence[Picture], data: Path, judge: Judge, stack: ExitStack) -> list[Row]:
    """Make our forms, each chosen on validation pictures."""
    network = targets.Network(scratch / "folded.onnx", pictures)
    chosen_by = Judge(scratch / "folded.onnx", list_samples(data, "val")[0][:VALIDATION], judge.card)
    shrinker = Shrinker(
        network=network,
        judge=chosen_by,
        gate=Gate(max_drop_points=100, min_agreement=0),
        sensitivity=(),
        budget=Budget(),
    )
    rows = []
    for name in targets.NAMES:
        target = targets.create(name)
        entry = shrinker.shrink(target, scratch / "ours" / name)[0].candidate.entry
        runtime = stack.enter_context(runtimes.create(target.proven_in, entry, threads=1))
        size = sum(path.stat().st_size for path in entry.parent.iterdir())
        rows.append(
            Row(
                f"edgeloupe {name}", target.proven_in, judge.compare(runtime), size,
                lambda r=runtime: r.infer(judge.pictures[0]),  # type: ignore[misc]
            )
        )  # fmt: skip
    return rows


def peers(
    scratch: Path, pictures: Sequence[Picture], data: Path, card: ModelCard, grid: tuple[int, int], tools: Path
) -> tuple[list[Path], list[str]]:
    """Let every peer make its files; say which could not be tried, and why."""
    base = PlainFile(scratch / "plain.onnx", card.input)
    out = scratch / "peers"
    out.mkdir()
    samples = list_samples(data, "val")[0][:VALIDATION]
    validation = Judge(scratch / "folded.onnx", samples, card).pictures
    truth = [cv2.resize(s.class_map(card.classes), grid[::-1], interpolation=cv2.INTER_NEAREST) for s in samples]
    for name, value in (
        ("pictures", np.concatenate([base.normalised(picture) for picture in pictures])),
        ("validation", np.concatenate([base.normalised(picture) for picture in validation])),
        ("truth", np.stack(truth)),
    ):
        np.save(scratch / f"{name}.npy", value)
    untried = []
    for name, environment in tqdm(PEERS.items(), desc="peers", unit="peer", disable=None, leave=False):
        python = tools / environment / "bin" / "python" if environment else Path(sys.executable)
        if not python.exists():
            untried.append(f"not tried: {name}: {python} is missing")
            continue
        inputs = [scratch / "plain.onnx", scratch / "pictures.npy", out]
        inputs += [scratch / "validation.npy", scratch / "truth.npy"] if name == "nncf" else []
        command = [python, MAKERS / f"{name}.py", *inputs]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            reason = [line for line in done.stderr.splitlines() if line.strip()] or ["no reason given"]
            untried.append(f"failed: {name}: {reason[-1].strip()}")
    return sorted(path for path in out.iterdir() if path.suffix in (".onnx", ".xml", ".tflite")), untried


def in_turns(runs: Sequence[Callable[[], object]]) -> list[float]:
    """Give the median seconds of each."""
    spent = np.empty((ROUNDS, len(runs)))
    for turn in tqdm(range(-3, ROUNDS), desc="timing", unit="round", disable=None, leave=False):
        for place, run in enumerate(runs):
            begun_s = time.perf_counter()
            run()
            spent[turn, place] = time.perf_counter() - begun_s
    return list(map(float, np.median(spent, axis=0)))


if __name__ == "__main__":
    main()
