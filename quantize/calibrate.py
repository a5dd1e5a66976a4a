"""Calibrate: choose the pictures from which INT8 ranges are measured, by what is on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from edge.errors import DatasetError
from edge.frame import is_picture, read_picture
from edge.prepare import prepare
from models.annotation import IGNORE
from models.datasets import Sample, UnrecognisedError, open_dataset

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge.frame import Picture
    from models.card import ModelCard

ENOUGH = 50
"""Below this many pictures the ranges depend on which ones they are."""

SPOT_PX = 20
"""A class counts as present from this many pixels on: labels have stray ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The pictures chosen, and what was found wanting."""

    pictures: tuple[Picture, ...]  # (height, width, 3) uint8 BGR at the network's input size
    names: tuple[str, ...]
    with_class: dict[str, int]  # pictures on which each class is present; empty where there are no masks
    warnings: tuple[str, ...]


def choose(root: Path, card: ModelCard, count: int, seed: int = 0) -> Calibration:
    """Choose up to `count` calibration pictures from the train split of `root`, or from the folder as a whole.

    Classes take turns, the rarest first, each giving the picture that shows most of it or next to least of it in a
    seeded order; so every class is covered and none fills the set. Without masks the choice is by seed alone.

    Raises:
        DatasetError: there are no pictures.
    """
    samples = _samples(root)
    if not samples:
        raise DatasetError(f"{root}: no pictures: calibration needs at least {ENOUGH} typical ones")
    shares = None
    if isinstance(samples[0], Sample):
        listed = [s for s in samples if isinstance(s, Sample)]
        shares = _pixel_counts(listed, card)
        chosen = _deal(shares, count, np.random.default_rng(seed))
        paths = [listed[i].picture for i in chosen]
    else:
        order = np.random.default_rng(seed).permutation(len(samples))[:count]
        chosen = sorted(int(i) for i in order)
        paths = [p for p in (samples[i] for i in chosen) if not isinstance(p, Sample)]
    progress = tqdm(paths, desc="calibration pictures", unit="picture", disable=None, leave=False)
    pictures = tuple(prepare(read_picture(path), card.input.width, card.input.height) for path in progress)
    with_class = (
        {}
        if shares is None
        else dict(zip(card.class_names, (int(n) for n in (shares[chosen] >= SPOT_PX).sum(axis=0)), strict=True))
    )
    return Calibration(
        pictures=pictures,
        names=tuple(path.name for path in paths),
        with_class=with_class,
        warnings=_warnings(len(pictures), with_class, card),
    )


def _samples(root: Path) -> Sequence[Sample | Path]:
    try:
        data = open_dataset(root)
        return data.part("train") if data.is_split else data.samples
    except UnrecognisedError:
        folder = root / "images" if (root / "images").is_dir() else root
        return sorted(path for path in folder.iterdir() if is_picture(path)) if folder.is_dir() else []


def _pixel_counts(samples: Sequence[Sample], card: ModelCard) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Count the pixels of each class, (pictures, classes)."""
    counts = np.zeros((len(samples), len(card.classes)), np.int64)
    for row, sample in zip(
        counts, tqdm(samples, desc="reading masks", unit="mask", disable=None, leave=False), strict=True
    ):
        row[:] = np.bincount(sample.class_map(card.classes).ravel(), minlength=IGNORE + 1)[: len(card.classes)]
    return counts


def _deal(counts: np.ndarray[tuple[int, int], np.dtype[np.int64]], count: int, rng: np.random.Generator) -> list[int]:
    """Let the classes take turns in picking pictures; the last turn of each round takes one at random."""
    present = counts >= SPOT_PX
    rarest_first = sorted(range(1, counts.shape[1]), key=lambda c: int(present[:, c].sum()))
    shuffled = rng.permutation(len(counts))
    queues: list[list[int]] = []
    for index in rarest_first:
        having = [int(i) for i in shuffled if present[i, index]]
        by_area = sorted(having, key=lambda i: int(counts[i, index]))
        # Every other one from the large end: large defects give the widest ranges, small ones are the usual case.
        queues.append([having[i // 2] if i % 2 else by_area[-1 - i // 2] for i in range(2 * len(having))])
    queues.append([int(i) for i in shuffled])
    chosen: dict[int, None] = {}
    while len(chosen) < min(count, len(counts)):
        for queue in queues:
            pick = next((i for i in queue if i not in chosen), None)
            if pick is not None and len(chosen) < count:
                chosen[pick] = None
    return sorted(chosen)


def _warnings(count: int, with_class: dict[str, int], card: ModelCard) -> tuple[str, ...]:
    found = []
    if count < ENOUGH:
        found.append(f"only {count} calibration pictures: the ranges depend on which ones; give {ENOUGH} or more")
    if not with_class:
        found.append("no masks: whether defects are among the calibration pictures is not known")
    found += [
        f"no calibration picture shows {name}: its ranges are guessed; add some"
        for name, n in with_class.items()
        if n == 0 and name != card.class_names[0]
    ]
    return tuple(found)
