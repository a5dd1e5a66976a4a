"""Fidelity: whether the exported file, and the device that runs it, see what the trained network saw in torch."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
import torch
from tqdm import tqdm

from edge.errors import ModelError
from edge.picture import read_picture
from edge.pictures.prepare import prepare
from edge.table import table
from models.normalise import normalise
from quantize.evaluate import open_model

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from models.checkpoint import Checkpoint
    from models.sample import Sample

MOST = 0.001
"""Share of a picture's pixels that may differ: rounding decides them where two classes are equally probable."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Share of the pixels of one picture, on the network's own grid, that are not of the class that torch saw."""

    picture: str
    onnx: float
    device: float | None  # none where the task is not the device's


def compare_with_torch(
    checkpoint: Checkpoint, exported: Path, samples: Sequence[Sample], threads: int = 0
) -> list[Difference]:
    """Run the checkpoint in torch, its exported file in ONNX Runtime and in `edge.segment`, on the same pictures.

    Raises:
        ModelError: the network is of several parts, which wait for a user's clicks.
        PictureError: a picture can't be read.
    """
    net, spec = checkpoint.network(), checkpoint.recipe.input
    if net.task == "promptable":
        raise ModelError(f"{exported.stem}: is promptable, it sees nothing by itself: nothing to compare on pictures")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(exported), options, providers=["CPUExecutionProvider"])
    differences = []
    with open_model(exported, threads=threads) if net.task == "semantic" else nullcontext() as model, torch.no_grad():
        for sample in tqdm(samples, desc="torch against the export", unit="picture", disable=None, leave=False):
            picture = read_picture(sample.picture)
            given = normalise(torch.from_numpy(prepare(picture, spec.width, spec.height))[None], spec)
            seen = net(given)
            trained = net.decode([value.numpy() for value in ([seen] if torch.is_tensor(seen) else seen)]).classes
            outputs = session.run(list(net.outputs), {net.inputs[0]: given.contiguous().numpy()})
            device = model.segmenter(picture).classes if model and model.segmenter else None
            differences.append(
                Difference(
                    sample.picture.name,
                    float(np.mean(net.decode(outputs).classes != trained)),
                    None if device is None else float(np.mean(device != trained)),
                )
            )
    return differences


def fidelity_table(differences: Sequence[Difference]) -> str:
    """Print the pixels that differ from torch: on average, and on the worst picture."""
    shares = {
        "in ONNX Runtime": [d.onnx for d in differences],
        "as the device runs it": [d.device for d in differences if d.device is not None],
    }
    rows = [
        (name, f"{100 * sum(given) / len(given):.4f} %", f"{100 * max(given):.4f} %")
        for name, given in shares.items()
        if given
    ]
    return table((f"pixels unlike torch, {len(differences)} pictures", "mean", "worst picture"), rows)


def faults(differences: Sequence[Difference]) -> list[str]:
    """Say on which pictures more than `MOST` of the pixels differ, one line each."""
    return [
        f"{d.picture}: {100 * most:.2f} % of the pixels differ from torch, at most {100 * MOST:g} % may"
        for d in differences
        if (most := max(d.onnx, d.device or 0)) > MOST
    ]
