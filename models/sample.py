"""Sample: one picture of a data set, where its truth lies, and what belongs together with it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, get_args

from edge.errors import DatasetError
from edge.picture import MAX_PIXELS
from models.annotation import draw
from models.pictures import UNREADABLE, open_lazily

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from models.annotation import ClassMap, Mark, Planes
    from models.recipe import ClassSpec

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)


class Truth(Protocol):
    """Where the marks of one picture stand."""

    @property
    def where(self) -> str:
        """File, and place in it, for errors."""

    def marks(self, height: int, width: int) -> list[Mark]:
        """Read the marks of a picture of that size, back to front. Raises DatasetError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One picture and where its truth lies."""

    picture: Path
    truth: Truth
    group: str  # pictures of one object share it and never stand in two splits
    split: Split | None = None

    def size(self) -> tuple[int, int]:
        """Read the picture's height and width from its header. Raises DatasetError."""
        try:
            with open_lazily(self.picture) as picture:
                width, height = picture.size
        except UNREADABLE as error:
            raise DatasetError(f"{self.picture}: not a picture that can be read: give a whole JPEG or PNG") from error
        if width * height > MAX_PIXELS:
            raise DatasetError(f"{self.picture}: {width}x{height} pixels: at most {MAX_PIXELS} are accepted")
        return height, width

    def marks(self) -> list[Mark]:
        """Read what is marked, back to front. Raises DatasetError."""
        return self.truth.marks(*self.size())

    def planes(self, classes: Sequence[ClassSpec]) -> Planes:
        """Draw the classes and the objects. Raises DatasetError."""
        height, width = self.size()
        return draw(self.truth.marks(height, width), classes, height, width, self.truth.where)

    def class_map(self, classes: Sequence[ClassSpec]) -> ClassMap:
        """Draw the classes, (H, W) uint8. Raises DatasetError."""
        return self.planes(classes).classes


def group_by_name(samples: Iterable[Sample], root: Path) -> tuple[Sample, ...]:
    """Give each sample without a group one: its picture's stem, with the folder where others have a like-named one.

    What Roboflow made out of one picture, `NAME.rf.HASH.jpg`, is one group.
    """
    kept = tuple(samples)
    homes = defaultdict[str, set[Path]](set)
    for sample in kept:
        homes[_stem(sample.picture)].add(sample.picture.parent)
    return tuple(
        sample if sample.group else replace(sample, group=_group(sample.picture, root, homes)) for sample in kept
    )


def _group(picture: Path, root: Path, homes: dict[str, set[Path]]) -> str:
    stem = _stem(picture)
    return stem if len(homes[stem]) == 1 else (picture.parent.relative_to(root) / stem).as_posix()


def _stem(picture: Path) -> str:
    return picture.stem.partition(".rf.")[0]
