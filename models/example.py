"""Example: one training picture with its truth, and the objects that can be found in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.picture import read_picture
from edge.pictures.prepare import halve
from edge.region import Box
from models.objects import number_blobs

if TYPE_CHECKING:
    from models.recipe import Recipe
    from models.sample import Sample

U8 = NDArray[np.uint8]


class Example(NamedTuple):
    """One picture and what is on it, all of the same height and width."""

    picture: U8  # (H, W, 3) BGR
    classes: U8  # (H, W), indices, `IGNORE` where nobody knows
    objects: NDArray[np.uint16]  # (H, W), numbers from 1, 0 is none


class Spot(NamedTuple):
    """Where one object lies in its example."""

    class_id: int
    number: int
    box: Box


def read_example(sample: Sample, recipe: Recipe) -> Example:
    """Read a picture, halved towards the network's size, and its truth; where no object is numbered, its blobs are.

    Raises:
        DatasetError: the truth can't be used.
        PictureError: the picture can't be read.
    """
    picture = halve(read_picture(sample.picture), recipe.input.width, recipe.input.height)
    planes = sample.planes(recipe.classes)
    step = planes.classes.shape[0] // picture.shape[0]
    rows, columns = (slice(step // 2, step // 2 + step * side, step) for side in picture.shape[:2])
    classes = np.ascontiguousarray(planes.classes[rows, columns])
    objects = planes.objects[rows, columns]
    if not objects.any():
        objects = number_blobs(classes).clip(max=np.iinfo(np.uint16).max).astype(np.uint16)
    return Example(picture, classes, np.ascontiguousarray(objects))


def spots(example: Example) -> list[Spot]:
    """List the objects of an example, by number."""
    rows, columns = np.nonzero(example.objects)
    order = np.argsort(example.objects[rows, columns], kind="stable")
    rows, columns = rows[order], columns[order]
    numbers, starts = np.unique(example.objects[rows, columns], return_index=True)
    if not len(numbers):
        return []
    tops, lefts = np.minimum.reduceat(rows, starts), np.minimum.reduceat(columns, starts)
    bottoms, rights = np.maximum.reduceat(rows, starts), np.maximum.reduceat(columns, starts)
    class_ids = example.classes[rows[starts], columns[starts]]
    return [
        Spot(int(class_id), int(number), Box(int(x), int(y), int(right - x + 1), int(bottom - y + 1)))
        for class_id, number, x, y, right, bottom in zip(class_ids, numbers, lefts, tops, rights, bottoms, strict=True)
    ]
