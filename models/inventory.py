"""Inventory: what a data set holds, picture by picture and class by class, gathered in one pass."""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image
from tqdm import tqdm

from edge.errors import DatasetError
from edge.picture import MAX_PIXELS
from models.annotation import slug
from models.blobs import area, object_sizes
from models.datasets import Fault
from models.derive import BACKGROUND
from models.look_alikes import SIDE, Vectors, thumbnail
from models.pictures import UNREADABLE
from models.sample import SPLITS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from models.datasets import Dataset
    from models.sample import Sample, Split

_VALUES = {"0", "000000"}

FEW_OBJECTS = 20
FEW_TEST_OBJECTS = 5
TINY_PX = 25
"""A median object below this, five pixels by five, vanishes when pictures are made smaller for the network."""


class Seen(NamedTuple):
    """What one picture holds."""

    sample: Sample
    height: int
    width: int
    digest: bytes  # of the file
    look: Vectors  # (576,) its thumbnail
    objects: Mapping[str, tuple[int, ...]]  # pixels of each object, by label; the background is none
    ignored_px: int = 0

    @property
    def is_clean(self) -> bool:
        """Whether nothing is marked, or the background only."""
        return not self.objects


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """A data set and what its sound pictures hold."""

    data: Dataset
    pictures: tuple[Seen, ...]
    faults: tuple[Fault, ...]
    background: frozenset[str] = frozenset()  # labels that mean nothing, beside those that say so

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, those first that the data set lists."""
        listed = [label for label in self.data.labels if not is_background(label, self.background, drawn=True)]
        occurring = {label for seen in self.pictures for label in seen.objects}
        return tuple(dict.fromkeys([*listed, *sorted(occurring, key=natural)]))

    @property
    def looks(self) -> Vectors:
        """The thumbnails, (n, 576)."""
        return np.array([seen.look for seen in self.pictures], np.float32).reshape(-1, SIDE**2)


class ClassCount(NamedTuple):
    """How much of one class there is."""

    label: str
    pictures: int
    groups: int
    objects: int
    pixels: int
    share: float  # of all pixels
    median_px: int


class SplitCount(NamedTuple):
    """How much one split holds."""

    split: Split | None
    pictures: int
    groups: int
    clean: int
    objects: dict[str, int]  # by label


def is_background(label: str, stated: Collection[str] = (), *, drawn: bool) -> bool:
    """Say whether a label means that nothing is there: it is among `stated`, or says so by itself.

    Where pixels carry values, 0 and black say so; among `drawn` objects class 0 is a class like others.
    """
    return label in stated or slug(label) in BACKGROUND - (_VALUES if drawn else set())


def take_inventory(data: Dataset, background: Collection[str] = ()) -> Inventory:
    """Read every picture and its marks once; what can't be read is among the faults."""
    looks = partial(_try_look, background=background)
    workers = min(8, os.cpu_count() or 1)
    with ThreadPoolExecutor(workers, "look") as pool:
        found = list(tqdm(pool.map(looks, data.samples), "reading", len(data.samples), unit="picture", disable=None))
    return Inventory(
        data=data,
        pictures=tuple(one for one in found if isinstance(one, Seen)),
        faults=(*data.faults, *(one for one in found if isinstance(one, Fault))),
        background=frozenset(background),
    )


def count_classes(pictures: Sequence[Seen], labels: Sequence[str]) -> list[ClassCount]:
    """Count how much there is of each class, if only nothing."""
    sizes, where, groups = defaultdict[str, list[int]](list), Counter[str](), defaultdict[str, set[str]](set)
    for seen in pictures:
        for label, objects in seen.objects.items():
            sizes[label] += objects
            where[label] += 1
            groups[label].add(seen.sample.group)
    everything = sum(seen.height * seen.width for seen in pictures)
    return [
        ClassCount(
            label=label,
            pictures=where[label],
            groups=len(groups[label]),
            objects=len(sizes[label]),
            pixels=sum(sizes[label]),
            share=sum(sizes[label]) / max(1, everything),
            median_px=round(median(sizes[label] or [0])),
        )
        for label in labels
    ]


def count_splits(pictures: Sequence[Seen], labels: Sequence[str]) -> list[SplitCount]:
    """Count what each split holds, and what stands in none."""
    found = []
    for split in (*SPLITS, None):
        part = [seen for seen in pictures if seen.sample.split == split]
        objects = {label: sum(len(seen.objects.get(label, ())) for seen in part) for label in labels}
        groups = len({seen.sample.group for seen in part})
        found.append(SplitCount(split, len(part), groups, sum(seen.is_clean for seen in part), objects))
    return found


def natural(text: str) -> list[tuple[float, str]]:
    """Sort `10` after `9`, and both before words."""
    return [(float(number or "inf"), rest) for number, rest in re.findall(r"(\d*)(\D*)", text)]


def warnings(inventory: Inventory, classes: Sequence[ClassCount], splits: Sequence[SplitCount]) -> list[str]:
    """Say in a line each what will hurt a training or its score."""
    found, by_slug = list[str](), defaultdict[str, list[str]](list)
    few = [f"{one.label} ({one.objects})" for one in classes if one.objects < FEW_OBJECTS]
    if few:
        found.append(f"too few objects to learn well, and to judge what was learned: {', '.join(few)}")
    for one in classes:
        by_slug[slug(one.label)].append(repr(one.label))
        if one.objects < FEW_OBJECTS:
            continue
        if one.median_px < TINY_PX:
            found.append(f"{one.label}: half of its objects have {one.median_px} pixels or less: keep the input large")
        if inventory.data.is_split:
            found += [
                f"{one.label}: {part.objects[one.label]} objects in {part.split}: its score there says little"
                for part in splits
                if part.split in SPLITS[1:] and part.objects[one.label] < FEW_TEST_OBJECTS
            ]
    found += [f"{' and '.join(labels)} may be one class" for labels in by_slug.values() if len(labels) > 1]
    if inventory.pictures and not any(part.clean for part in splits):
        found.append("no picture is clean: add some without defects if there are such, to count false alarms on")
    loose = splits[-1].pictures
    if loose and loose < len(inventory.pictures):
        found.append(f"{loose} pictures are in no split: they are not used")
    return found


def _try_look(sample: Sample, background: Collection[str]) -> Seen | Fault:
    try:
        return look(sample, background)
    except DatasetError as error:
        return Fault.of(error)


def look(sample: Sample, background: Collection[str] = ()) -> Seen:
    """Read one picture and its marks. Raises DatasetError."""
    data = _bytes(sample.picture)
    height, width, grey = _grey(data, sample.picture)
    objects, ignored_px = defaultdict[str, tuple[int, ...]](tuple), 0
    for mark in sample.truth.marks(height, width):
        if mark.ignored:
            ignored_px += area(mark.runs())
        elif not is_background(mark.label, background, drawn=mark.is_object) and (sizes := object_sizes(mark)):
            objects[mark.label] += tuple(sizes)
    return Seen(sample, height, width, hashlib.sha256(data).digest(), thumbnail(grey), dict(objects), ignored_px)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path}: {error.strerror or error}: give a picture that can be read") from error


def _grey(data: bytes, path: Path) -> tuple[int, int, np.typing.NDArray[np.float32]]:
    """Decode a picture whole: its height and width, and its grey values, of a JPEG at a fraction of the size."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise DatasetError(f"{path}: {width}x{height} pixels: at most {MAX_PIXELS} are accepted")
            image.draft("L", (4 * SIDE, 4 * SIDE))
            deep = image.mode[0] in "IF"
            grey = np.asarray(image if deep else image.convert("L"), np.float32)
    except UNREADABLE as error:
        raise DatasetError(f"{path}: not a picture that can be read: give a whole JPEG or PNG") from error
    return height, width, grey * (255 / max(1.0, float(grey.max(initial=0)))) if deep else grey
