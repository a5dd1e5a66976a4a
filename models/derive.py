"""Derive: a recipe from the labels and pictures of a data set, to start from."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
import yaml

from edge.errors import DatasetError
from models.annotation import BINARY, IGNORE, slug
from models.recipe import (
    ClassSpec,
    InputSpec,
    Provenance,
    Recipe,
    SamplingSpec,
    TrainSpec,
)
from models.whole_file import whole_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from models.datasets import Dataset
    from models.sample import Sample

MOST_PIXELS = 512 * 512
"""Of the network's input: what a small device looks at several times a second."""

BATCH_PIXELS = 1 << 20
"""Of all pictures of a batch: what keeps training the default network below 40 minutes on two processor cores."""

STEPS = 6000
"""Batches that a small network needs to learn small defects."""

LOOKED_AT = 300
"""Pictures whose marks and sizes are looked at."""

DRAWN = 50
"""Pictures whose masks are drawn, to see which class is rare."""

BACKGROUND = frozenset({"background", "_background_", "bg", "good", "ok", "normal", "free", "none", "0", "000000"})
"""Slugs of labels that mean that nothing is there."""


def derive_recipe(data: Dataset, name: str) -> Recipe:
    """Make a recipe: a class for each label, the background first; the input's shape that of the median picture.

    Raises:
        DatasetError: the data set is not split, has no label, or a picture can't be read.
    """
    training = data.part("train")
    looked_at = training[:: math.ceil(len(training) / LOOKED_AT)]
    classes = _classes(data.labels or _labels(looked_at), data)
    width, height = _input_size([sample.size() for sample in looked_at])
    batch = min(8, BATCH_PIXELS // (width * height))
    return Recipe(
        name=slug(name),
        classes=classes,
        score_class=_rarest(classes, training[:: math.ceil(len(training) / DRAWN)]),
        score="class" if len(classes) == 2 else "mean",
        input=InputSpec(width=width, height=height),
        sampling=SamplingSpec(balance=0.5, defect_crop=0.5, copy_paste=0.3),
        train=TrainSpec(
            epochs=min(300, max(20, round(STEPS * batch / len(training)))), batch=batch, learning_rate=0.005
        ),
        provenance=Provenance(licence="not stated", data=f"{name}, {len(training)} training pictures"),
    )


def write_recipe(recipe: Recipe, path: Path) -> None:
    """Write a recipe as YAML, whole or not at all; what is as by default is left out."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = recipe.model_dump(mode="json", exclude_defaults=True)
    with whole_file(path) as partial:
        partial.write_text(yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=120), encoding="utf-8")


def _labels(samples: Sequence[Sample]) -> Iterable[str]:
    """List the labels that occur, ignored ones aside."""
    return dict.fromkeys(mark.label for sample in samples for mark in sample.marks() if not mark.ignored)


def _classes(labels: Iterable[str], data: Dataset) -> list[ClassSpec]:
    """Group labels that are written alike into classes."""
    groups: dict[str, list[str]] = {}
    for label in sorted(
        labels, key=lambda label: (not label.isdecimal(), int(label) if label.isdecimal() else 0, label)
    ):
        groups.setdefault(_class_name(label), []).append(label)
    nothing = groups.pop("background", [])
    if not groups:
        raise DatasetError(f"{data.root}: nothing is marked on its training pictures: mark what is to be found")
    named = [("background", nothing), *groups.items()]
    return [ClassSpec(name=name, labels=tuple(labels)) for name, labels in named]


def _class_name(label: str) -> str:
    name = slug(label)
    if name in BACKGROUND:
        return "background"
    if label == BINARY:
        return "defect"
    return f"class-{name}" if label.isdecimal() or label.startswith("#") else name


def _rarest(classes: Sequence[ClassSpec], samples: Sequence[Sample]) -> str:
    """Name the class with the fewest pixels: of a part and its defects, the defect is what is looked for."""
    pixels = np.zeros(IGNORE + 1, np.int64)
    for sample in samples:
        with suppress(DatasetError):  # training tells, or passes over it
            pixels += np.bincount(sample.class_map(classes).ravel(), minlength=IGNORE + 1)
    shown = [place for place in range(1, len(classes)) if pixels[place]]
    return classes[min(shown, key=lambda place: pixels[place], default=1)].name


def _input_size(sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Give width and height: the median picture's shape, no larger than it and within `MOST_PIXELS`."""
    heights, widths = np.array(sizes, float).T
    aspect = float(np.median(widths / heights))
    pixels = min(MOST_PIXELS, float(np.median(widths * heights)))
    width, height = math.sqrt(pixels * aspect), math.sqrt(pixels / aspect)
    return max(64, 32 * round(width / 32)), max(64, 32 * round(height / 32))
