"""PNG masks: class indices with a palette in `masks/`, their names in `classes.txt`, the pictures in `images/`."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from edge.errors import DatasetError
from models.annotation import IGNORE, Mark, draw, slug
from models.blobs import area, count_blobs
from models.index_mask import write_mask
from models.recipe import ClassSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from models.writers import Labelled

TITLE = "PNG masks"


def place(picture: Labelled) -> PurePosixPath:
    """Say where the picture's file goes."""
    return PurePosixPath("images", picture.name)


def write(pictures: Iterable[Labelled], labels: Sequence[str], root: Path) -> list[str]:
    """Write a mask per picture; where objects overlap, the later one stands in front.

    Raises:
        DatasetError: more labels than a mask has values.
    """
    if len(labels) >= IGNORE:
        raise DatasetError(f"{len(labels)} labels: index masks hold at most {IGNORE - 1}: choose some with --classes")
    unlike_any_slug = (f"-{index}-" for index in range(1, len(labels) + 1))
    named = zip(unlike_any_slug, labels, strict=True)
    specs = [ClassSpec(name="background"), *(ClassSpec(name=name, labels=(label,)) for name, label in named)]
    (root / "masks").mkdir()
    objects, blobs, hidden_px = 0, 0, 0
    for one in pictures:
        marks = [Mark(thing.label, thing.runs, ignored=thing.ignored) for thing in one.things]
        classes = draw(marks, specs, one.height, one.width, one.name).classes
        write_mask(root / "masks" / f"{PurePosixPath(one.name).stem}.png", classes, specs)
        objects += sum(not thing.ignored for thing in one.things)
        blobs += count_blobs(classes)
        hidden_px += sum(area(thing.runs) for thing in one.things) - int(np.count_nonzero(classes))
    (root / "classes.txt").write_text("\n".join(["background", *map(_line, labels), ""]), encoding="utf-8")
    notes = [f"{objects} objects are {blobs} blobs now: masks hold classes, not objects"] if objects != blobs else []
    return [*notes, f"{hidden_px} pixels lie below a later object: they are lost"] if hidden_px else notes


def _line(label: str) -> str:
    """Write a label as a line that is no comment."""
    return slug(label) if label.startswith("#") else " ".join(label.split())
