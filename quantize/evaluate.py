"""Evaluate: run a segmenter over a data set and score its masks at frame resolution."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import onnx
from tqdm import tqdm

from edge import runtimes
from edge.bundle import open_bundle
from edge.errors import DatasetError
from edge.frame import read_picture
from edge.segment import Segmenter, open_segmenter
from models.datasets import has_splits, read_folder, read_split
from models.recipe import ClassSpec
from quantize.fold import fold, load_model
from quantize.score import PictureScore, quality, score_picture

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edge.frame import Picture
    from edge.manifest import Manifest
    from edge.mask import Plane
    from models.datasets import Sample, Split
    from quantize.figures import Quality


def list_samples(root: Path, split: Split) -> tuple[list[Sample], str]:
    """List the samples of `split`, or of the whole folder where there are no splits; name what was listed.

    Raises:
        DatasetError: there are no pictures with masks.
    """
    if has_splits(root):
        return read_split(root, split), split
    return read_folder(root), "all"


def read_sample(sample: Sample, classes: Sequence[ClassSpec]) -> tuple[Picture, Plane]:
    """Read a picture and its truth, of one size. Raises DatasetError or PictureError."""
    picture, truth = read_picture(sample.picture), sample.class_map(classes)
    if picture.shape[:2] != truth.shape:
        raise DatasetError(
            f"{sample.mask}: is {truth.shape[1]}x{truth.shape[0]}, its picture {picture.shape[1]}x{picture.shape[0]}: "
            "masks must have their picture's size"
        )
    return picture, truth


def class_specs(manifest: Manifest) -> tuple[ClassSpec, ...]:
    """Say how the bundle's classes are written in masks."""
    return tuple(ClassSpec(name=c.name, colour=c.colour, index=c.index) for c in manifest.classes)


def evaluate(segmenter: Segmenter, samples: Sequence[Sample], classes: Sequence[ClassSpec], focus: int) -> Quality:
    """Score `segmenter` on `samples`.

    Raises:
        DatasetError: a sample can't be used.
        ModelError: the network fails.
    """
    scores: list[PictureScore] = []
    for sample in tqdm(samples, desc="evaluating", unit="picture", disable=None, leave=False):
        picture, truth = read_sample(sample, classes)
        scores.append(score_picture(segmenter(picture).on_frame(), truth, len(classes)))
    return quality(scores, [s.group for s in samples], [c.name for c in classes], focus)


@contextmanager
def open_any(
    path: Path, target: str | None = None, threads: int = 0
) -> Iterator[tuple[Segmenter, tuple[ClassSpec, ...], int]]:
    """Open a float ONNX file or a bundle; give its segmenter, its classes and the index of the focus class.

    Raises:
        ModelError, BundleError: it can't be used.
    """
    if path.suffix != ".onnx":
        bundle = open_bundle(path)
        with open_segmenter(bundle, target, threads) as segmenter:
            yield segmenter, class_specs(bundle.manifest), bundle.manifest.focus_id
        return
    model, card = load_model(path)
    with tempfile.TemporaryDirectory(prefix="edgeloupe-") as folder:
        folded = Path(folder) / "folded.onnx"
        onnx.save(fold(model, card), folded)
        with runtimes.create("onnxruntime", folded, threads=threads) as runtime:
            size = card.input
            yield Segmenter(runtime, width=size.width, height=size.height), card.classes, card.focus_id
