"""Annotation: what somebody marked on a picture, and how marks become planes of classes and of objects."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.errors import DatasetError
from edge.rle import Rle, decode, encode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.recipe import ClassSpec

IGNORE = 255
"""Class index of pixels that nobody vouches for: neither learned from nor scored."""

ClassMap = NDArray[np.uint8]
"""(H, W) uint8, the class index of each pixel, or `IGNORE`."""

ObjectMap = NDArray[np.uint16]
"""(H, W) uint16, the number of the object each pixel belongs to, from 1; 0 is none."""

MAX_MARKS = 20_000
"""Marks on one picture; more come from a damaged or hostile file, not from a hand."""

BINARY = "255"
"""The label of the marked part of a black and white mask that does not say what it marks."""


class Mark(NamedTuple):
    """One thing that was marked.

    Labels are written as the annotation tool writes them. Masks whose pixels carry values have the value as their
    label, `3`, and colours theirs as `#rrggbb`.
    """

    label: str
    pixels: Rle | NDArray[np.bool_]  # of the whole picture; (H, W) where the file itself is dense
    is_object: bool = True  # one object; False: all pixels of a class, whose blobs are the objects
    ignored: bool = False  # crowds, borders, "don't care"

    def inside(self) -> NDArray[np.bool_]:
        """Draw it, (H, W) bool."""
        return decode(self.pixels).astype(bool) if isinstance(self.pixels, Rle) else self.pixels

    def runs(self) -> Rle:
        """Give it as run lengths."""
        if isinstance(self.pixels, Rle):
            return self.pixels
        height, width = self.pixels.shape
        return encode(self.pixels.view(np.uint8), 0, 0, width, height)


class Planes(NamedTuple):
    """One picture's truth, drawn."""

    classes: ClassMap
    objects: ObjectMap


def slug(label: str) -> str:
    """Write a label as a class name: `AC Climate` is `ac-climate`."""
    return re.sub(r"[^a-z0-9_]+", "-", label.lower()).strip("-") or "class"


def class_index(label: str, classes: Sequence[ClassSpec]) -> int | None:
    """Find the class that claims `label`: by `labels`, name, colour or index; None where none does.

    A value claims by place where no class states an `index`; a black and white mask's marked part belongs to the
    second of two classes.
    """
    for place, spec in enumerate(classes):
        if label in spec.labels or slug(label) == spec.name:
            return place
    if label.startswith("#") and len(label) == 7:
        return next(
            (place for place, spec in enumerate(classes) if spec.colour and colour_label(spec.colour) == label), None
        )
    if label.isdecimal() and len(label) < 10:
        stated = [spec.index for spec in classes]
        for place, index in enumerate(stated):
            if int(label) == (place if index is None else index):
                return place
        return 1 if label == BINARY and len(classes) == 2 else None
    return None


def colour_label(rgb: Sequence[int]) -> str:
    """Write an RGB colour as a label, `#00b000`."""
    return "#{:02x}{:02x}{:02x}".format(*rgb)


def draw(marks: Sequence[Mark], classes: Sequence[ClassSpec], height: int, width: int, where: str) -> Planes:
    """Paint `marks` over class 0 in their order, later ones over earlier ones; `where` stands in the errors.

    Raises:
        DatasetError: a label that no class claims.
    """
    planes = Planes(np.zeros((height, width), np.uint8), np.zeros((height, width), np.uint16))
    number = 0
    for mark in marks:
        index = IGNORE if mark.ignored else class_index(mark.label, classes)
        if index is None:
            raise DatasetError(_unclaimed(mark, classes, where))
        inside = mark.inside()
        planes.classes[inside] = index
        if mark.is_object and index not in (0, IGNORE):
            number += 1
            planes.objects[inside] = number
        else:
            planes.objects[inside] = 0
    return planes


def _unclaimed(mark: Mark, classes: Sequence[ClassSpec], where: str) -> str:
    near = difflib.get_close_matches(slug(mark.label[:80]), [spec.name for spec in classes], 1)
    advice = f"did you mean the class {near[0]!r}? Then add it" if near else "add it"
    return f"{where}: no class of the recipe claims the label {mark.label[:80]!r}: {advice} to a class's `labels`"
