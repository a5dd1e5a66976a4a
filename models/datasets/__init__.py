"""Pictures with masks, as people keep them; every other file here reads one format."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from edge.errors import DatasetError
from edge.frame import is_picture
from models.datasets.png import read_mask

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from models.recipe import ClassSpec

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
ClassMap = NDArray[np.uint8]
"""(H, W) uint8, the class index of each pixel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One picture and where its truth lies."""

    picture: Path
    mask: Path
    group: str  # pictures of one object share it and never stand in two splits

    def class_map(self, classes: Sequence[ClassSpec]) -> ClassMap:
        """Read the mask as (H, W) uint8 class indices. Raises DatasetError."""
        return read_mask(self.mask, classes)


def read_split(root: Path, split: Split) -> list[Sample]:
    """List the samples of one split of the data set in `root`.

    `root` holds `train.csv`, `val.csv` and `test.csv` with columns `image`, `mask` and, where objects were
    photographed several times, `group`; paths are relative to `root` or to its parent.

    Raises:
        DatasetError: the list is missing, names files that are not there, or shares a group with another split.
    """
    samples = _read_list(root, root / f"{split}.csv")
    groups = {sample.group for sample in samples}
    for other in SPLITS:
        path = root / f"{other}.csv"
        if other != split and path.exists():
            shared = groups & {sample.group for sample in _read_list(root, path)}
            if shared:
                raise DatasetError(
                    f"{path}: shares {len(shared)} groups with {split} (such as {min(shared)}): "
                    "split by group, or the test says nothing"
                )
    return samples


def read_folder(root: Path) -> list[Sample]:
    """List pictures in `root` (or `root/images`) with a PNG of the same name in `masks/` or beside them.

    Raises:
        DatasetError: there is no such pair.
    """
    pictures = root / "images" if (root / "images").is_dir() else root
    masks = root / "masks" if (root / "masks").is_dir() else pictures
    if not pictures.is_dir():
        raise DatasetError(f"{root}: is not a folder: give one with images/ and masks/")
    pairs = [(path, masks / f"{path.stem}.png") for path in sorted(pictures.iterdir()) if is_picture(path)]
    samples = [Sample(picture=p, mask=m, group=p.stem) for p, m in pairs if m.is_file() and m != p]
    if not samples:
        raise DatasetError(f"{root}: no picture has a mask: put NAME.jpg into images/ and NAME.png into masks/")
    return samples


def has_splits(root: Path) -> bool:
    """Say whether `root` states its own train, validation and test splits."""
    return all((root / f"{split}.csv").is_file() for split in SPLITS)


def _read_list(root: Path, path: Path) -> list[Sample]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise DatasetError(f"{path}: {error.strerror}: a data set with splits has train, val and test.csv") from error
    if not rows or not {"image", "mask"} <= rows[0].keys():
        raise DatasetError(f"{path}: must have the columns image and mask, and at least one row")
    base = root if (root / rows[0]["image"]).exists() else root.parent
    samples = [
        Sample(picture=base / row["image"], mask=base / row["mask"], group=row.get("group") or row["image"])
        for row in rows
    ]
    missing = [file for sample in samples for file in (sample.picture, sample.mask) if not file.is_file()]
    if missing:
        raise DatasetError(f"{path}: {len(missing)} files are missing, the first is {missing[0]}")
    return samples
