"""Ours against every peer, on one float network: how far masks agree with float, what is lost, and how fast it is.

    python -m tests.bench.quantisers MODEL DATA [--tools DIR] [--pictures N] [--keep DIR]

MODEL is a plain ONNX file, or the checkpoint that it is exported from, which litert-torch needs.
Each peer quantises the plain network (normalised picture in, logits out) with its default and its best documented
settings and the same calibration pictures, in an interpreter of its own, DIR/NAME/bin/python. All files are judged on
the test split at frame resolution, as our own are. With `--keep`, peers' files stay and are not made again. Time is
that of one thread over that of the plain float network in ONNX Runtime, taken in turns; ours includes normalising and
the choice of classes, peers' does not.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import zlib
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import onnx
import torch
from tqdm import tqdm

from edge import runtimes
from models.checkpoint import Checkpoint
from models.export import export
from models.turns import in_turns
from quantize import calibrate, targets
from quantize.budget import Budget
from quantize.evaluate import list_samples
from quantize.figures import PROMISE, Parity
from quantize.fold import fold, load_model, output_size
from quantize.judge import Judge
from quantize.notebook import key_of
from quantize.sensitivity import measure_sensitivity
from quantize.shrink import Shrinker
from quantize.workshop import validation_pictures
from tests.bench.plain import RUNTIMES, PlainFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from edge.picture import Picture
    from models.card import ModelCard
    from models.sample import Sample
    from quantize.figures import Drop

    Planes = NDArray[np.uint8]

PEERS = {
    "ort": None,
    "nncf": None,
    "modelopt": "modelopt",
    "onnx2tf": "onnx2tf",
    "ai_edge": "ai-edge-quantizer",
    "litert_torch": "litert-torch",
}
"""Who makes files, and the environment it needs where this one does not do."""

MAKERS = Path(__file__).parent / "makers"

HEAD = (
    "file", "runs in", "masks agree", "worst tenth", "foreground", "worst tenth", "mean IoU lost, points",
    "objects lost, points", "time", "size", "packed",
)  # fmt: skip
RULE = ("---", "---", *["---:"] * (len(HEAD) - 2))

HANDED_OVER = ("plain.onnx", "pictures.npy", "validation.npy", "truth.npy")
"""What peers make their files of."""


@dataclass(frozen=True, slots=True)
class Row:
    """One file."""

    name: str
    runs_in: str
    parity: Parity
    files: tuple[Path, ...]
    run: Callable[[], object]  # one picture, for its time

    @property
    def told(self) -> tuple[str, ...]:
        """Give the cells of its line, but for time and size."""
        agree, whole, iou = self.parity.agreement, self.parity.foreground, self.parity.mean_iou_drop
        objects = max(self.parity.recall_drop.values(), key=lambda lost: lost.points, default=None)
        agreements = [f"{value:.3f}" for value in (agree.mean, agree.p10, *((whole.mean, whole.p10) if whole else ()))]
        allowed = (iou, PROMISE.max_mean_drop_points or 0.0), (objects, PROMISE.max_drop_points)
        losses = [(lost, most) for lost, most in allowed if lost]
        return (self.name, self.runs_in, *agreements, *(f"{lost.text} {_held(lost, most)}" for lost, most in losses))


def _held(lost: Drop, most: float) -> str:
    """Say whether the loss is small, or else whether none at all lies within its interval."""
    if lost.points <= most:
        return "small"
    return "chance" if lost.is_chance else "shown"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--tools", type=Path, default=Path(".peers"), help="environments, one folder for each peer")
    parser.add_argument("--pictures", type=int, default=100, help="to calibrate with")
    parser.add_argument("--keep", type=Path, help="a folder for peers' files, by what they were made of")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="edgeloupe-peers-") as folder, ExitStack() as stack:
        scratch = Path(folder)
        bench = Peers(tools=args.tools, kept=args.keep or scratch / "peers")
        print(compare(args.model, args.data, bench, args.pictures, scratch, stack))


def compare(model: Path, data: Path, bench: Peers, count: int, scratch: Path, stack: ExitStack) -> str:
    """Make all files, judge them, and give the table."""
    if model.suffix == ".pt":
        model = exported(model, scratch)
    network, card = load_model(model)
    onnx.save(fold(network, card), scratch / "folded.onnx")
    onnx.save(network, scratch / "plain.onnx")
    calibration = calibrate.choose(data, card, count)
    samples, split = list_samples(data, "test")
    judge = Judge(scratch / "folded.onnx", samples, card)
    base = PlainFile(scratch / "plain.onnx", card.input)
    picture = judge.pictures[0]
    held_back = validation_pictures(data, card)
    chosen_by = Judge(scratch / "folded.onnx", held_back, card)
    hand_over(scratch, base, calibration.pictures, chosen_by, truth_of(held_back, card, output_size(network)))
    rows = ours(scratch, calibration.pictures, chosen_by, judge, stack)
    made, untried = bench.files(scratch)
    for path in tqdm(made, desc="judging peers", unit="file", disable=None, leave=False):
        file = PlainFile(path, card.input)
        values = file.normalised(picture)
        files = (path, path.with_suffix(".bin")) if path.suffix == ".xml" else (path,)
        rows.append(Row(path.stem, file.runs_in, judge.compare(file), files, lambda f=file, v=values: f.network(v)))  # type: ignore[misc]
    values = base.normalised(picture)
    times = in_turns([lambda: base.network(values), *(row.run for row in rows)])
    float_size = (scratch / "plain.onnx").stat().st_size
    lines = [
        (*row.told, f"{spent / times[0]:.2f}", *(f"{size / float_size:.2f}" for size in sizes(row.files)))
        for row, spent in zip(rows, times[1:], strict=True)
    ]
    title = f"{card.name}, {len(samples)} pictures ({split}), {len(calibration.pictures)} to calibrate; {card.focus}"
    return "\n".join([title, "", *(f"| {' | '.join(line)} |" for line in (HEAD, RULE, *lines)), "", *untried])


def sizes(files: Iterable[Path]) -> tuple[int, int]:
    """Give the bytes of files on the disk, and in a bundle, which is deflated."""
    contents = [path.read_bytes() for path in files]
    return sum(map(len, contents)), sum(len(zlib.compress(content, 9)) for content in contents)


def exported(checkpoint: Path, scratch: Path) -> Path:
    """Give the ONNX file of a checkpoint; `plain.pt2` becomes the same network as PyTorch exports it, NHWC to NHWC."""
    held = Checkpoint.load(checkpoint)
    given = held.recipe.input
    picture = torch.zeros(1, given.height, given.width, 3)
    torch.export.save(torch.export.export(_ChannelsLast(held.network()), (picture,)), scratch / "plain.pt2")
    (path,) = export(held, scratch / "exported.onnx")
    return path


class _ChannelsLast(torch.nn.Module):
    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.network(picture.permute(0, 3, 1, 2))
        return logits.permute(0, 2, 3, 1)


def truth_of(samples: Sequence[Sample], card: ModelCard, grid: tuple[int, int]) -> Planes:
    """Give class maps on the network's own grid, (pictures, h, w) uint8."""
    maps = (sample.class_map(card.classes) for sample in samples)
    return np.stack([cv2.resize(one, grid[::-1], interpolation=cv2.INTER_NEAREST) for one in maps])


def hand_over(scratch: Path, base: PlainFile, pictures: Sequence[Picture], chosen_by: Judge, truth: Planes) -> None:
    """Write what peers calibrate with, and what their accuracy control may look at."""
    np.save(scratch / "pictures.npy", np.concatenate([base.normalised(picture) for picture in pictures]))
    np.save(scratch / "validation.npy", np.concatenate([base.normalised(picture) for picture in chosen_by.pictures]))
    np.save(scratch / "truth.npy", truth)


def ours(scratch: Path, pictures: Sequence[Picture], chosen_by: Judge, judge: Judge, stack: ExitStack) -> list[Row]:
    """Make our forms: integers throughout, and where those fail on validation pictures what passes the gate."""
    network = targets.Network(scratch / "folded.onnx", pictures)
    shrinker = Shrinker(
        network=network,
        judge=chosen_by,
        gate=PROMISE,
        sensitivity=measure_sensitivity(network, chosen_by.pictures, chosen_by.card.focus_id),
        budget=Budget(),
    )
    rows = []
    for name in targets.NAMES:
        target = targets.create(name)
        tried = shrinker.shrink(target, scratch / "ours" / name)
        kept = [next(one for one in tried if not one.spared), *(one for one in tried[:1] if one.spared)]
        for one in kept:
            entry, spared = one.candidate.entry, f", {len(one.spared)} in float" if one.spared else ""
            files = tuple(entry.parent.iterdir())
            runtime = stack.enter_context(runtimes.create(target.proven_in, entry, threads=1))
            rows.append(
                Row(
                    f"edgeloupe {name}{spared}", target.proven_in, judge.compare(runtime), files,
                    lambda r=runtime: r.infer(judge.pictures[0]),  # type: ignore[misc]
                )
            )  # fmt: skip
    return rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Peers:
    """Who else makes files."""

    tools: Path  # environments, one folder for each
    kept: Path  # what they made, by the hash of what it was made of

    def files(self, scratch: Path) -> tuple[list[Path], list[str]]:
        """Let every peer make its files of what was handed over; say which could not be tried, and why."""
        made, untried = [], []
        given = (*sorted(MAKERS.glob("*.py")), *(scratch / one for one in HANDED_OVER))
        folder = self.kept / key_of("peers", *given).split()[1]
        for name in tqdm(PEERS, desc="peers", unit="peer", disable=None, leave=False):
            out = folder / f"{name}.files"
            fault = None if out.exists() else self._make(name, scratch, out)
            if fault:
                untried.append(fault)
            else:
                made += sorted(path for path in out.iterdir() if path.suffix in RUNTIMES)
        return made, untried

    def _make(self, name: str, scratch: Path, out: Path) -> str | None:
        environment = PEERS[name]
        python = self.tools / environment / "bin" / "python" if environment else Path(sys.executable)
        if not python.exists():
            return f"not tried: {name}: {python} is missing"
        if name == "litert_torch" and not (scratch / "plain.pt2").exists():
            return f"not tried: {name}: needs the checkpoint, not the ONNX file"
        partial = out.with_name(f"{name}.partial")
        for stale in (partial, out.with_name(name)):  # of an earlier attempt
            shutil.rmtree(stale, ignore_errors=True)
        partial.mkdir(parents=True)
        inputs = [scratch / "plain.onnx", scratch / "pictures.npy", partial]
        inputs += [scratch / "validation.npy", scratch / "truth.npy"] if name == "nncf" else []
        command = [python, MAKERS / f"{name}.py", *inputs]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            reason = [line for line in done.stderr.splitlines() if line.strip()] or ["no reason given"]
            return f"failed: {name}: {reason[-1].strip()}"
        partial.rename(out)
        return None


if __name__ == "__main__":
    main()
