"""MVTec AD's layout: `train/good`, `test/DEFECT`, and a black and white mask per defective picture in `ground_truth`.

The label is the defect's folder. `train` holds sound pictures only, so that this split suits methods that learn what
is normal; to learn the defects themselves, split anew.
https://www.mvtec.com/company/research/datasets/mvtec-ad
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.errors import DatasetError
from models.datasets import Dataset, Fault
from models.datasets.masks import PngMask
from models.drawn import Drawn
from models.sample import Sample, group_by_name
from models.split_lists import split_named

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from models.annotation import Mark
    from models.folder import Folder
    from models.sample import Truth

TITLE = "MVTec AD folders"

GOOD = "good"
TRUTH = "ground_truth"


@dataclass(frozen=True, slots=True)
class DefectMask:
    """The mask of a picture that shows a defect, so that it can't be empty."""

    mask: PngMask

    @property
    def where(self) -> str:
        """The file."""
        return self.mask.where

    def marks(self, height: int, width: int) -> list[Mark]:
        """Read it as one mark. Raises DatasetError: as every mask, or nothing is marked."""
        marks = self.mask.marks(height, width)
        if not marks:
            raise DatasetError(f"{self.where}: marks nothing, but its picture shows a defect: draw it in 255")
        return marks


def find(folder: Folder) -> list[Path]:
    """Give the root where it, or folders in it, are laid out so."""
    return [] if folder.named or not _categories(folder.root) else [folder.root]


def read(files: Sequence[Path], folder: Folder) -> Dataset:
    """Pair pictures with masks. Raises DatasetError: the root holds several categories."""
    (root,) = files
    if root not in (found := _categories(root)):
        names = ", ".join(path.name for path in found)
        raise DatasetError(f"{root}: holds the categories {names}: give one of these folders")
    masks = {path for path in folder.pictures.paths if path.is_relative_to(root / TRUTH)}
    samples, faults, used = list[Sample](), list[Fault](), set["Path"]()
    for picture in folder.pictures.paths:
        split_folder, *rest = picture.relative_to(root).parts[:-1] or ("",)
        if (split := split_named(split_folder)) is None or len(rest) != 1:
            continue
        mask = next((m for m in _places(root, picture) if m in masks), None)
        if rest == [GOOD]:
            truth: Truth = Drawn(where=str(picture), shapes=())
        elif mask:
            used.add(mask)
            truth = DefectMask(PngMask(mask, "binary", {}, rest[0]))
        else:
            why = f"has no mask: put {picture.stem}_mask.png into {root / TRUTH / rest[0]}"
            faults.append(Fault(str(picture), why))
            continue
        samples.append(Sample(picture=picture, truth=truth, group="", split=split))
    orphans = sorted(masks - used)
    faults += [Fault(str(mask), "is a mask without a picture: add the picture, or remove it") for mask in orphans]
    defects = sorted({sample.picture.parent.name for sample in samples} - {GOOD})
    return Dataset(
        root=root,
        format="mvtec",
        labels=tuple(defects),
        samples=group_by_name(samples, root),
        faults=tuple(faults),
    )


def _categories(root: Path) -> list[Path]:
    candidates = [root, *(path for path in sorted(root.iterdir()) if path.is_dir())]
    return [path for path in candidates if (path / TRUTH).is_dir() and (path / "test").is_dir()]


def _places(root: Path, picture: Path) -> list[Path]:
    home = root / TRUTH / picture.parent.name
    return [home / f"{picture.stem}{rest}" for rest in ("_mask.png", ".png", "_mask.bmp", ".bmp")]
