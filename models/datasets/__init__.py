"""Pictures with annotations, as people keep them; every other file here reads one format.

A format's module has `TITLE`, what people call it; `find(folder)`, which lists the annotation files of this format by
their content, or the folder itself, or nothing; and `read(files, folder)`, which gives a `Dataset`. What can be used is
in its samples, what can't is a `Fault`: one damaged file among hundreds takes nothing else with it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple, Protocol

import pydantic_core

from edge.errors import DatasetError
from models.folder import Folder
from models.foreign import read_text
from models.sample import SPLITS
from models.split_lists import read_lists

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from models.sample import Sample, Split


class UnrecognisedError(DatasetError):
    """Nothing in a folder is an annotation of a format that is known."""


FORMATS = ("coco", "panoptic", "cvat", "labelme", "via", "yolo", "labelbox", "label_studio", "mvtec", "masks")
"""In the order in which they are looked for."""


class Format(Protocol):
    """What the module of a format offers."""

    TITLE: str

    def find(self, folder: Folder) -> list[Path]:
        """List the annotation files of this format; empty where the folder holds none."""

    def read(self, files: Sequence[Path], folder: Folder) -> Dataset:
        """Read them. Raises DatasetError: damaged beyond use."""


class Fault(NamedTuple):
    """One thing that can't be used."""

    where: str
    why: str  # and what to do

    @classmethod
    def of(cls, error: DatasetError) -> Fault:
        """Take an error's line apart."""
        where, _, why = str(error).partition(": ")
        return cls(where, why)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """What a folder or an annotation file holds."""

    root: Path
    format: str
    labels: tuple[str, ...]  # as the data set lists them; where it keeps no list, as they occur
    samples: tuple[Sample, ...]
    faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()  # what was passed over on purpose: boxes, poses

    @property
    def is_split(self) -> bool:
        """Whether training, validation and test pictures are told apart."""
        return {sample.split for sample in self.samples} >= set(SPLITS)

    def part(self, split: Split) -> list[Sample]:
        """List the samples of one split.

        Raises:
            DatasetError: there are none, or it shares a group with another split.
        """
        samples = [sample for sample in self.samples if sample.split == split]
        if not samples:
            raise DatasetError(
                f"{self.root}: has no {split} split: make one with `edgeloupe dataset split {self.root}`"
            )
        for other in SPLITS:
            shared = {s.group for s in samples} & {s.group for s in self.samples if s.split == other}
            if other != split and shared:
                raise DatasetError(
                    f"{self.root}: {split} shares {len(shared)} groups with {other} (such as {min(shared)}): "
                    "split by group, or the test says nothing"
                )
        return samples

    def sound(self) -> Dataset:
        """Give this data set back where nothing in it is broken. Raises DatasetError with the first fault."""
        if self.faults:
            first, more = self.faults[0], len(self.faults) - 1
            rest = f" (and {more} more; `edgeloupe dataset info {self.root}` lists them)" if more else ""
            raise DatasetError(f"{first.where}: {first.why}{rest}")
        return self


def open_dataset(path: Path, form: str | None = None) -> Dataset:
    """Read the data set in a folder, or the one that an annotation file describes.

    `train.csv`, `val.csv` and `test.csv` in the folder say which picture belongs where, whatever the format.

    Args:
        path: a folder, or one annotation file.
        form: one of `FORMATS`; without it the content decides.

    Raises:
        DatasetError: nothing is recognised, or more than one thing is; or a file is damaged beyond use.
    """
    folder = Folder(path)
    if form is not None and form not in FORMATS:
        raise DatasetError(f"format {form!r}: must be one of {', '.join(FORMATS)}")
    found = {name: files for name in ([form] if form else FORMATS) if (files := _module(name).find(folder))}
    if len(found) > 1:
        listed = ", ".join(f"{name} ({files[0].name})" for name, files in found.items())
        raise DatasetError(f"{path}: looks like {listed}: name the annotation file, or choose with --format")
    if not found:
        raise UnrecognisedError(_nothing(path, form, folder))
    ((name, files),) = found.items()
    data: Dataset = _module(name).read(files, folder)
    return replace(data, samples=read_lists(folder.root, data.samples))


def read_split(root: Path, split: Split) -> list[Sample]:
    """List the samples of one split of the data set in `root`. Raises DatasetError."""
    return open_dataset(root).sound().part(split)


def _module(name: str) -> Format:
    module: Format = import_module(f"models.datasets.{name}")
    return module


def _nothing(path: Path, form: str | None, folder: Folder) -> str:
    if folder.named and folder.files[0].suffix.lower() in {".json", ".ndjson", ".jsonl"}:
        try:
            pydantic_core.from_json(read_text(path))
        except ValueError as error:
            return f"{path}: is not JSON ({error}): export it again"
    wanted = f"is no data set of the format {form}" if form else "holds no annotations that are recognised"
    titles = ", ".join(_module(name).TITLE for name in FORMATS)
    return f"{path}: {wanted}: give a folder or an annotation file ({titles})"
