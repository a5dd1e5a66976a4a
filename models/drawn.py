"""Drawn: the shapes of a picture as an annotation file states them, and the pictures they belong to.

Readers of formats describe each picture with `Described`; `gather` finds the pictures and sorts out what can't be used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from edge.errors import DatasetError
from edge.rle import Rle
from models.annotation import MAX_MARKS, Mark
from models.datasets import Dataset, Fault
from models.sample import Sample, group_by_name
from models.split_lists import split_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from models.pictures import Pictures
    from models.sample import Split, Truth

Fill = Callable[[int, int], Rle | NDArray[np.bool_]]
"""Rasterises a shape on a picture of that height and width. Raises ValueError with what is wrong with it."""

MAX_CODE = 256 * 2**20
"""Characters of run lengths on one picture, all marks together."""


class Shape(NamedTuple):
    """One shape."""

    label: str
    place: str  # in the file, for errors
    fill: Fill
    is_object: bool = True
    ignored: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """The shapes of one picture; pixels are filled when they are asked for."""

    where: str
    shapes: tuple[Shape, ...]
    size: tuple[int, int] | None = None  # height, width, where the file states them

    def marks(self, height: int, width: int) -> list[Mark]:
        """Fill each shape. Raises DatasetError: a stated size that is not the picture's, a broken shape."""
        check_size(self.size, height, width, self.where)
        marks, code = list[Mark](), 0
        for shape in self.shapes:
            try:
                pixels = shape.fill(height, width)
            except ValueError as error:
                raise DatasetError(f"{self.where}: {shape.place}: {error}: draw it again or remove it") from error
            runs = Mark(shape.label, pixels).runs()  # many dense masks would not fit into memory
            marks.append(Mark(shape.label, runs, shape.is_object, shape.ignored))
            code += len(runs.counts)
            if code > MAX_CODE:
                raise DatasetError(f"{self.where}: {shape.place}: too finely drawn: more than {MAX_CODE} characters")
        return marks


def check_size(stated: tuple[int, int] | None, height: int, width: int, where: str) -> None:
    """Raise DatasetError where an annotation states another size (height, width) than its picture has."""
    if stated is None or stated == (height, width):
        return
    told = f"{where}: states {stated[1]}x{stated[0]}, its picture is {width}x{height}"
    if stated == (width, height):
        raise DatasetError(
            f"{told}: it was annotated as its EXIF orientation turns it: save the picture turned, without that tag"
        )
    raise DatasetError(f"{told}: give the picture that was annotated, not a resized one")


def refused(why: str) -> Fill:
    """Stand in for a shape that can't be filled."""
    return partial(_refuse, why)


def _refuse(why: str, _height: int, _width: int) -> NoReturn:
    raise ValueError(why)


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """One picture as an annotation file describes it."""

    names: tuple[str, ...]  # what the picture may be called, the likeliest first
    truth: Truth
    fault: str = ""  # why it can't be used, and what to do
    passed: Mapping[str, int] = field(default_factory=dict)  # what is no mask: {"boxes": 3}
    group: str = ""  # the picture's stem where nothing better is known
    split: Split | None = None

    def unusable(self) -> str:
        """Say why this can't be used as it stands; empty where it can."""
        shapes = self.truth.shapes if isinstance(self.truth, Drawn) else None
        if self.fault or shapes is None:
            return self.fault
        if len(shapes) > MAX_MARKS:
            return f"has {len(shapes)} shapes: at most {MAX_MARKS} are accepted"
        if self.passed and not shapes:
            return f"has only {_counted(self.passed)} and no mask: outline what is marked, or remove the picture"
        return ""


class Part(NamedTuple):
    """What one annotation file holds."""

    path: Path
    labels: Iterable[str]
    described: Iterable[Described]
    faults: Sequence[Fault] = ()
    notes: Sequence[str] = ()


def broken(path: Path, error: DatasetError) -> Part:
    """Stand in for an annotation file that can't be read, so that the others can."""
    return Part(path, (), (), [Fault(str(path), str(error).removeprefix(f"{path}: "))])


def gather(form: str, root: Path, parts: Iterable[Part], pictures: Pictures) -> Dataset:
    """Put annotation files of one format together and find their pictures.

    Raises:
        DatasetError: two files describe the same picture; twice in one file is a fault.
    """
    samples, owners = dict["Path", Sample](), dict["Path", "Path"]()
    labels, faults, notes, passed = dict[str, None](), list[Fault](), list[str](), Counter[str]()
    for part in parts:
        labels |= dict.fromkeys(part.labels)
        faults += part.faults
        notes += part.notes
        for one in part.described:
            passed.update(one.passed)
            picture, why = _picture(one, pictures)
            if picture is None:
                faults.append(Fault(one.truth.where, why))
            elif picture not in samples:
                owners[picture] = part.path
                samples[picture] = Sample(
                    picture=picture, truth=one.truth, group=one.group, split=one.split or split_of(picture, root)
                )
            elif owners[picture] != part.path:
                raise DatasetError(
                    f"{root}: {owners[picture]} and {part.path} both describe {picture}: name one of them"
                )
            else:
                faults.append(Fault(one.truth.where, f"describes {picture} once more: keep one description"))
    if passed:
        notes.append(f"{_counted(passed)} were passed over: they are no masks")
    return Dataset(
        root=root,
        format=form,
        labels=tuple(labels),
        samples=group_by_name(samples.values(), root),
        faults=tuple(faults),
        notes=tuple(notes),
    )


def _picture(one: Described, pictures: Pictures) -> tuple[Path | None, str]:
    if why := one.unusable():
        return None, why
    why = "does not name its picture: export it again"
    for name in one.names:
        try:
            return pictures.find(name), ""
        except DatasetError as error:
            why = str(error)
    return None, why


def _counted(passed: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(passed.items()))
