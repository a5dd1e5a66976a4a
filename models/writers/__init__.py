"""Annotation formats that data sets are written in; every other file here writes one.

A format's module has `TITLE`, what people call it; `place(picture)`, where the picture itself goes; and `write`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path, PurePosixPath

    from edge.rle import Rle
    from models.sample import Split

WRITERS = ("coco", "masks", "yolo")


class Thing(NamedTuple):
    """One object, of one of the classes that are written."""

    label: str
    runs: Rle
    ignored: bool = False


class Labelled(NamedTuple):
    """One picture with its objects, back to front."""

    name: str  # of the file that is written, unlike every other one even without its suffix
    split: Split | None
    height: int
    width: int
    things: Sequence[Thing]


class Writer(Protocol):
    """What the module of a format offers."""

    TITLE: str

    def place(self, picture: Labelled) -> PurePosixPath:
        """Say where in the new data set the picture's file goes."""

    def write(self, pictures: Iterable[Labelled], labels: Sequence[str], root: Path) -> list[str]:
        """Write the annotations, picture by picture, into `root`; give notes on what this format can't hold.

        Raises:
            DatasetError: the format can't hold these labels.
        """


def open_writer(name: str) -> Writer:
    """Give the writer called `name`, one of `WRITERS`."""
    module: Writer = import_module(f"models.writers.{name}")
    return module
