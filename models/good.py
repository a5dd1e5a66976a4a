"""Good pictures: those of a folder on which nothing is marked, and which of them are held out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from edge.errors import DatasetError
from models.annotation import class_index
from models.datasets import UnrecognisedError, open_dataset
from models.pictures import Pictures
from models.recipe import ClassSpec

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from models.sample import Sample

GOOD = ClassSpec(name="good", colour=(0, 0, 0), index=0, labels=("background", "_background_"))
"""What is marked as this is not marked."""

HELD_OUT = 0.25
"""Share of the parts that are held out where the data set does not say which."""

FEWEST = 8
"""Fewer parts teach nothing about what varies among good ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodPictures:
    """Good pictures by the group of each, parted so that no group stands on both sides."""

    learn: dict[Path, str]
    held_out: dict[Path, str]


def find_good(root: Path, form: str | None = None, seed: int = 0) -> GoodPictures:
    """List the good pictures of a plain folder, or of a data set: those of groups in which nothing is marked.

    Where a data set is split, `train` is learned from, `val` held out, and `test` never read.

    Raises:
        DatasetError: too few, or nothing that can be read.
    """
    try:
        samples = open_dataset(root, form).sound().samples
    except UnrecognisedError:
        if form is not None:
            raise
        pictures = {path: str(path) for path in Pictures(root).paths} if root.is_dir() else {}
        return _enough(_hold_out(pictures, seed), root)
    seen = [sample for sample in samples if sample.split != "test"]
    bad = {sample.group for sample in tqdm(seen, desc="reading truth", unit="picture", disable=None) if _marked(sample)}
    good = [sample for sample in seen if sample.group not in bad]
    validation = _by_group(sample for sample in good if sample.split == "val")
    learn = _by_group(sample for sample in good if sample.split != "val")
    return _enough(GoodPictures(learn=learn, held_out=validation) if validation else _hold_out(learn, seed), root)


def _by_group(samples: Iterable[Sample]) -> dict[Path, str]:
    return {sample.picture: sample.group for sample in samples}


def _marked(sample: Sample) -> bool:
    marks = (mark for mark in sample.marks() if mark.ignored or class_index(mark.label, [GOOD]) is None)
    return any(mark.inside().any() for mark in marks)


def _hold_out(pictures: dict[Path, str], seed: int) -> GoodPictures:
    groups = sorted(set(pictures.values()))
    chosen = np.random.default_rng(seed).permutation(len(groups))[: max(2, round(HELD_OUT * len(groups)))]
    held_out = {groups[place] for place in chosen}
    return GoodPictures(
        learn={path: group for path, group in pictures.items() if group not in held_out},
        held_out={path: group for path, group in pictures.items() if group in held_out},
    )


def _enough(good: GoodPictures, root: Path) -> GoodPictures:
    parts = len({*good.learn.values(), *good.held_out.values()})
    if parts < FEWEST or len(set(good.held_out.values())) < 2:
        raise DatasetError(
            f"{root}: holds good pictures of {parts} parts: give {FEWEST} or more, two of them in val where it is split"
        )
    return good
