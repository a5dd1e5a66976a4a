"""YOLO segmentation: a line of outline per object in `labels/SPLIT/`, the pictures in `images/SPLIT/`, `data.yaml`.

https://docs.ultralytics.com/datasets/segment/
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
import yaml

from models.outline import outline
from models.sample import SPLITS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from models.writers import Labelled

TITLE = "YOLO segmentation"


def place(picture: Labelled) -> PurePosixPath:
    """Say where the picture's file goes; one that is in no split is to be trained on."""
    return PurePosixPath("images", picture.split or "train", picture.name)


def write(pictures: Iterable[Labelled], labels: Sequence[str], root: Path) -> list[str]:
    """Write a text file per picture, an empty one for a clean picture, and `data.yaml`."""
    ids = {label: number for number, label in enumerate(labels)}
    ignored, bridged = 0, 0
    used = set[str]()
    for one in pictures:
        lines = []
        for thing in one.things:
            if thing.ignored:
                ignored += 1
                continue
            points, rings = outline(thing.runs)
            bridged += rings > 1
            shares = (points / (one.width, one.height)).ravel()
            lines.append(" ".join([str(ids[thing.label]), *(np.format_float_positional(v, 6) for v in shares)]))
        used.add(one.split or "train")
        path = root / PurePosixPath("labels", *place(one).parts[1:]).with_suffix(".txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    _write_yaml(root, [split for split in SPLITS if split in used], labels)
    return _notes(used, ignored, bridged)


def _write_yaml(root: Path, splits: Sequence[str], labels: Sequence[str]) -> None:
    data = {split: f"images/{split}" for split in splits} | {"names": dict(enumerate(labels))}
    text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
    (root / "data.yaml").write_text(text, encoding="utf-8")


def _notes(used: set[str], ignored: int, bridged: int) -> list[str]:
    notes = []
    if bridged:
        notes.append(
            f"{bridged} objects have holes or detached parts: their outlines reach these over lines without width"
        )
    if ignored:
        notes.append(f"{ignored} ignored objects are lost: this format has none")
    if "val" not in used:
        notes.append("no picture is in val, which Ultralytics asks for: split the data set first")
    return notes
