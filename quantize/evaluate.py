"""Evaluate: run a model over a data set and measure its masks at frame resolution."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import onnx
from tqdm import tqdm

from edge import runtimes
from edge.bundle import open_bundle
from edge.errors import ConfigError, DatasetError, ModelError, PictureError
from edge.mask import border_classes
from edge.picture import read_picture
from edge.regions import regions
from edge.rle import decode
from edge.segment import Segmenter, open_segmenter
from edge.tile_config import TilingConfig
from edge.tiles.looks import open_looks
from models.datasets import open_dataset
from models.metrics.average_precision import Instances
from models.metrics.reliability import Reliability
from models.recipe import ClassSpec
from quantize.evaluation import ModelFacts
from quantize.fold import fold, load_model, read_model
from quantize.measure import PictureMeasure, Pools, Terms, View, measure
from quantize.package import sha256_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from edge.manifest import Manifest
    from edge.mask import Mask, Plane
    from edge.picture import Picture
    from edge.runtimes import Runtime
    from edge.segment import Sees
    from models.archs import SeenObject
    from models.card import ModelCard
    from models.datasets import Dataset
    from models.sample import Sample, Split

WHOLE = TilingConfig()
"""Pictures are looked at as a whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """An open model, whatever file it came from."""

    facts: ModelFacts
    classes: tuple[ClassSpec, ...]
    focus: int  # index of the class that is looked for
    see: Callable[[Picture], View]  # raises ModelError
    segmenter: Segmenter | None = None  # what sees, where that gives a class and a score per pixel


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """All pictures of a split, measured."""

    pictures: tuple[PictureMeasure, ...]
    pools: Pools
    skipped: tuple[str, ...]  # what can't be used, and why


def list_samples(root: Path, split: Split) -> tuple[list[Sample], str]:
    """List the samples of `split`, or of the whole folder where there are no splits; name what was listed.

    Raises:
        DatasetError: there are no pictures with masks.
    """
    return part_of(open_dataset(root).sound(), split)


def part_of(data: Dataset, split: Split) -> tuple[list[Sample], str]:
    """List the samples of `split`, or all where there are no splits; name what was listed. Raises DatasetError."""
    return (data.part(split), split) if data.is_split else (list(data.samples), "all")


def read_sample(sample: Sample, classes: Sequence[ClassSpec]) -> tuple[Picture, Plane]:
    """Read a picture and its truth, of one size. Raises DatasetError or PictureError."""
    return read_picture(sample.picture), sample.class_map(classes)


def class_specs(manifest: Manifest) -> tuple[ClassSpec, ...]:
    """Say how the bundle's classes are written in masks."""
    return tuple(ClassSpec(name=c.name, colour=c.colour, index=c.index, between=c.between) for c in manifest.classes)


def terms_for(model: Model, reject: Sequence[str] | None = None, min_object_px: int | None = None) -> Terms:
    """Say how `model` is measured: which classes make a part defective, by default the focus class.

    Raises:
        ConfigError: the model has no such class, or it is the first, which is what defects lie on.
    """
    names = tuple(spec.name for spec in model.classes)
    for name in reject or ():
        if name not in names[1:]:
            raise ConfigError(f"--reject {name}: must be one of the model's classes {', '.join(names[1:])}")
    rejecting = tuple(names.index(name) for name in dict.fromkeys(reject or (names[model.focus],)))
    return Terms(names=names, rejecting=rejecting, min_object_px=min_object_px)


def evaluate(model: Model, samples: Sequence[Sample], terms: Terms, *, skip_broken: bool = False) -> Measured:
    """Measure `model` on `samples`, one after the other; only counts are kept.

    Raises:
        DatasetError, PictureError: a sample can't be used; with `skip_broken` only where none can.
        ModelError: the network fails.
    """
    whole = model.facts.task == "semantic" and not border_classes(model.classes)
    instances = None if whole else Instances()
    pools = Pools(reliability=Reliability(), defect_reliability=Reliability(), instances=instances)
    pictures: list[PictureMeasure] = []
    skipped: list[str] = []
    for sample in tqdm(samples, desc="evaluating", unit="picture", disable=None, leave=False):
        try:
            picture, truth = read_picture(sample.picture), sample.planes(model.classes)
        except (DatasetError, PictureError) as error:
            if not skip_broken:
                raise
            skipped.append(str(error))
            continue
        pictures.append(measure(sample, model.see(picture), truth, terms, pools))
    if not pictures:
        raise DatasetError(f"none of {len(samples)} pictures can be used, the first because {(skipped or ['?'])[0]}")
    return Measured(pictures=tuple(pictures), pools=pools, skipped=tuple(skipped))


@contextmanager
def open_model(path: Path, target: str | None = None, threads: int = 0, how: TilingConfig = WHOLE) -> Iterator[Model]:
    """Open a float ONNX file, or a bundle for `target` that looks at pictures as `how` says.

    Raises:
        ModelError, BundleError: it can't be used.
        ConfigError: a float file is to look at anything but whole pictures.
    """
    if path.suffix == ".onnx" and how != WHOLE:
        raise ConfigError(f"{path}: only bundles look at pictures in parts: give one, or leave --tiles and --roi out")
    with _open_float(path, threads) if path.suffix == ".onnx" else _open_bundle(path, target, threads, how) as model:
        yield model


@contextmanager
def _open_bundle(path: Path, target: str | None, threads: int, how: TilingConfig) -> Iterator[Model]:
    bundle = open_bundle(path)
    manifest = bundle.manifest
    name, info = bundle.target_for([target] if target else ())
    _, card = read_model(bundle.file(manifest.reference.entry))
    facts = ModelFacts(
        name=manifest.name,
        file=path.name,
        form=name,
        sha256=sha256_of(bundle.file(info.entry)),
        task=manifest.task,
        calibration=card.calibration,
    )
    with (
        open_segmenter(bundle, target, threads) as segmenter,
        open_looks(segmenter, bundle, {"": how}, [manifest.focus], threads=threads) as looks,
    ):
        yield _segmenting(facts, class_specs(manifest), manifest.focus_id, segmenter, looks[""])


@contextmanager
def _open_float(path: Path, threads: int) -> Iterator[Model]:
    _, card = read_model(path)
    facts = ModelFacts(
        name=card.name,
        file=path.name,
        form="float",
        sha256=sha256_of(path),
        task=card.task,
        calibration=card.calibration,
    )
    if card.task != "semantic":
        yield Model(facts=facts, classes=card.classes, focus=card.focus_id, see=_detector(path, card, threads))
        return
    graph, card = load_model(path)
    with tempfile.TemporaryDirectory(prefix="edgeloupe-") as folder:
        folded = Path(folder) / "folded.onnx"
        onnx.save(fold(graph, card), folded)
        with runtimes.create("onnxruntime", folded, threads=threads) as runtime:
            segmenter = segmenter_of(card, runtime)
            yield _segmenting(facts, card.classes, card.focus_id, segmenter, segmenter)


def _detector(path: Path, card: ModelCard, threads: int) -> Callable[[Picture], View]:
    from quantize.detector import TASKS, Detector  # noqa: PLC0415 - its decoders need torch, a segmenter does not

    if card.task not in TASKS:
        raise ModelError(f"{path}: is {card.task}: semantic, {' and '.join(TASKS)} models can be evaluated")
    return Detector(path, card, threads)


def segmenter_of(card: ModelCard, runtime: Runtime) -> Segmenter:
    """Run a folded network of this card as a device would."""
    given = card.input
    return Segmenter(runtime, width=given.width, height=given.height, borders=border_classes(card.classes))


def _segmenting(
    facts: ModelFacts, classes: tuple[ClassSpec, ...], focus: int, segmenter: Segmenter, look: Sees
) -> Model:
    def see(picture: Picture) -> View:
        mask = look.see(picture, look.prepare(picture))
        return View(classes=mask.on_frame(), mask=mask, objects=_objects(mask, classes))

    return Model(facts=facts, classes=classes, focus=focus, see=see, segmenter=segmenter)


def _objects(mask: Mask, classes: Sequence[ClassSpec]) -> tuple[SeenObject, ...] | None:
    """Give the objects that a network with borders keeps apart, the most certain first; none of other networks."""
    if mask.borders is None:
        return None
    from models.archs import SeenObject  # noqa: PLC0415 - comes with torch

    names = [spec.name for spec in classes]
    found = sorted(regions(mask, names, names[1:]), key=lambda region: -region.score)
    return tuple(SeenObject(one.class_id, one.score, decode(one.segmentation) > 0) for one in found)
