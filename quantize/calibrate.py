"""Calibrate: choose the pictures from which INT8 ranges are measured, by what is on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
from tqdm import tqdm

from edge.errors import DatasetError
from edge.picture import is_picture, read_picture
from edge.pictures.prepare import prepare
from models.annotation import IGNORE
from models.datasets import UnrecognisedError, open_dataset
from models.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.picture import Picture
    from models.card import ModelCard

ENOUGH = 50
"""Below this many pictures the ranges depend on which ones they are."""

FEW_OBJECTS = 0.5
"""Of the number of pictures: with fewer objects than that, most pictures show nothing new."""

SPOT_PX = 20
"""A class counts as present from this many pixels on: labels have stray ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The pictures chosen, and what was found wanting."""

    pictures: tuple[Picture, ...]  # (height, width, 3) uint8 BGR at the network's input size
    names: tuple[str, ...]
    with_class: dict[str, int]  # pictures on which each class is present; empty where there are no masks
    objects: int  # groups that they show; one per picture where groups are not known
    exposures: Exposures
    warnings: tuple[str, ...]


class Exposures(NamedTuple):
    """Mean brightness of the darkest and the brightest picture, 0 to 255: of those chosen, and of all."""

    chosen: tuple[float, float]
    all: tuple[float, float]


def choose(root: Path, card: ModelCard, count: int, seed: int = 0) -> Calibration:
    """Choose up to `count` calibration pictures from the train split of `root`, or from the folder as a whole.

    Raises:
        DatasetError: there are no pictures.
    """
    samples = _samples(root)
    if not samples:
        raise DatasetError(f"{root}: no pictures: calibration needs at least {ENOUGH} typical ones")
    drawn = draw(samples, card, count, seed)
    paths = [_picture(samples[i]) for i in drawn.chosen]
    progress = tqdm(paths, desc="calibration pictures", unit="picture", disable=None, leave=False)
    pictures = tuple(prepare(read_picture(path), card.input.width, card.input.height) for path in progress)
    present = (drawn.counts[drawn.chosen] >= SPOT_PX).sum(axis=0).tolist()
    with_class = dict(zip(card.class_names, present, strict=True)) if isinstance(samples[0], Sample) else {}
    objects = len({drawn.groups[i] for i in drawn.chosen})
    return Calibration(
        pictures=pictures,
        names=tuple(path.name for path in paths),
        with_class=with_class,
        objects=objects,
        exposures=Exposures(_ends(drawn.brightness[drawn.chosen]), _ends(drawn.brightness)),
        warnings=_warnings(len(pictures), objects, with_class, card),
    )


class Drawn(NamedTuple):
    """Places of the pictures that were drawn, and what was found on all."""

    chosen: list[int]  # ascending
    counts: NDArray[np.int64]  # (pictures, classes) pixels of each class; zeros where there are no masks
    groups: list[str]
    brightness: NDArray[np.float64]  # (pictures,) mean, 0 to 255


def draw(samples: Sequence[Sample | Path], card: ModelCard, count: int, seed: int = 0) -> Drawn:
    """Draw up to `count` pictures by what is on them.

    Classes take turns, the rarest first, each giving the picture that shows most of it or next to least of it in a
    seeded order; so every class is covered and none fills the set. The last turn of each round goes to exposures: the
    darkest picture, the brightest, and then what lies farthest between. Objects that are not shown yet go first.
    """
    listed = [s for s in samples if isinstance(s, Sample)]
    counts = _pixel_counts(listed, card) if listed else np.zeros((len(samples), 1), np.int64)
    groups = [s.group if isinstance(s, Sample) else str(s) for s in samples]
    brightness = np.array(
        [_brightness(_picture(s)) for s in tqdm(samples, desc="exposures", disable=None, leave=False)]
    )
    chosen = _deal(counts, brightness, groups, count, np.random.default_rng(seed))
    return Drawn(chosen, counts, groups, brightness)


def _picture(sample: Sample | Path) -> Path:
    return sample.picture if isinstance(sample, Sample) else sample


def _brightness(path: Path) -> float:
    """Give the mean of a picture, from an eighth of its size; what can't be read is left to the reader."""
    small = cv2.imread(str(path), cv2.IMREAD_REDUCED_GRAYSCALE_8)
    return 0.0 if small is None else float(small.mean())


def _ends(brightness: NDArray[np.float64]) -> tuple[float, float]:
    return round(float(brightness.min()), 1), round(float(brightness.max()), 1)


def _samples(root: Path) -> Sequence[Sample | Path]:
    try:
        data = open_dataset(root)
        return data.part("train") if data.is_split else data.samples
    except UnrecognisedError:
        folder = root / "images" if (root / "images").is_dir() else root
        return sorted(path for path in folder.iterdir() if is_picture(path)) if folder.is_dir() else []


def _pixel_counts(samples: Sequence[Sample], card: ModelCard) -> NDArray[np.int64]:
    """Count the pixels of each class, (pictures, classes)."""
    counts = np.zeros((len(samples), len(card.classes)), np.int64)
    for row, sample in zip(
        counts, tqdm(samples, desc="reading masks", unit="mask", disable=None, leave=False), strict=True
    ):
        row[:] = np.bincount(sample.class_map(card.classes).ravel(), minlength=IGNORE + 1)[: len(card.classes)]
    return counts


def _deal(
    counts: NDArray[np.int64],
    brightness: NDArray[np.float64],
    groups: Sequence[str],
    count: int,
    rng: np.random.Generator,
) -> list[int]:
    """Let the classes take turns in picking pictures, and exposures after them."""
    present = counts >= SPOT_PX
    rarest_first = sorted(range(1, counts.shape[1]), key=lambda c: int(present[:, c].sum()))
    shuffled = [int(i) for i in rng.permutation(len(counts))]
    queues: list[list[int]] = []
    for index in rarest_first:
        having = [i for i in shuffled if present[i, index]]
        by_area = sorted(having, key=lambda i: int(counts[i, index]))
        # Every other one from the large end: large defects give the widest ranges, small ones are the usual case.
        queues.append([having[i // 2] if i % 2 else by_area[-1 - i // 2] for i in range(2 * len(having))])
    by_light = sorted(shuffled, key=lambda i: float(brightness[i]))
    queues.append([by_light[i] for i in _spread(len(by_light))])
    chosen: dict[int, None] = {}
    shown: set[str] = set()
    while len(chosen) < min(count, len(counts)):
        for queue in queues:
            left = [i for i in queue if i not in chosen]
            if left and len(chosen) < count:
                pick = next((i for i in left if groups[i] not in shown), left[0])
                chosen[pick] = None
                shown.add(groups[pick])
    return sorted(chosen)


def _spread(count: int) -> list[int]:
    """Order places so that each is far from those before: the ends, the middle, the quarters."""
    order = dict.fromkeys((0, count - 1))
    step = count - 1
    while step > 1:
        step = -(-step // 2)
        order |= dict.fromkeys(range(0, count, step))
    return list(order | dict.fromkeys(range(count)))


def _warnings(count: int, objects: int, with_class: dict[str, int], card: ModelCard) -> tuple[str, ...]:
    found = []
    if count < ENOUGH:
        found.append(f"only {count} calibration pictures: the ranges depend on which ones; give {ENOUGH} or more")
    if objects < FEW_OBJECTS * count:
        found.append(f"the {count} calibration pictures show {objects} objects only: add pictures of other ones")
    drawn = {spec.name for spec in card.classes if spec.between}  # by training alone, no annotation has them
    if not with_class:
        found.append("no masks: whether defects are among the calibration pictures is not known")
    found += [
        f"no calibration picture shows {name}: its ranges are guessed; add some"
        for name, n in with_class.items()
        if n == 0 and name != card.class_names[0] and name not in drawn
    ]
    return tuple(found)
