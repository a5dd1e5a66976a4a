"""Split lists: `train.csv`, `val.csv` and `test.csv`, which say what belongs where and what belongs together."""

from __future__ import annotations

import csv
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edge.errors import DatasetError
from models.foreign import read_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from models.sample import Sample, Split

NAMES: tuple[Split, ...] = ("train", "val", "test")
_WORDS: dict[str, Split] = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


def split_named(name: str) -> Split | None:
    """Tell the split that a file's or a folder's name says: `instances_train2017` is for training."""
    said = {_WORDS[word] for word in re.findall(r"[a-z]+", name.lower()) if word in _WORDS}
    return said.pop() if len(said) == 1 else None


def split_of(path: Path, root: Path) -> Split | None:
    """Tell the split that the innermost folder below `root` says which says one."""
    around = (split_named(part) for part in reversed(path.parent.relative_to(root).parts))
    return next((split for split in around if split), None)


def lists(root: Path) -> list[Path]:
    """List the split lists in `root`; there are none, or all three."""
    return [path for name in NAMES if (path := root / f"{name}.csv").is_file()]


def columns(path: Path) -> list[str]:
    """List the names of a list's columns. Raises DatasetError."""
    return [name.strip().strip('"') for name in read_text(path).partition("\n")[0].split(",")]


def rows(root: Path, path: Path) -> tuple[Path, list[dict[str, str]]]:
    """Read one list: the folder its paths are relative to, `root` or its parent, and its rows.

    Raises:
        DatasetError: no list of pictures, or a picture that is not there.
    """
    try:
        table = list(csv.DictReader(read_text(path).splitlines()))
    except csv.Error as error:
        raise DatasetError(f"{path}: is no CSV ({error}): save it again") from error
    if not table or "image" not in table[0]:
        raise DatasetError(f"{path}: must have a column `image` and at least one row")
    base = next(
        (base for base in (root, root.parent) if any(is_there(base / (row["image"] or "")) for row in table)), root
    )
    missing = [row["image"] for row in table if not is_there(base / (row["image"] or ""))]
    if missing:
        raise DatasetError(f"{path}: {len(missing)} pictures are missing, the first is {base / (missing[0] or '?')}")
    return base, [{key: value or "" for key, value in row.items() if key} for row in table]


def read_lists(root: Path, samples: Iterable[Sample]) -> tuple[Sample, ...]:
    """Put each sample where the lists say; those that no list names are in no split. Raises DatasetError."""
    found = lists(root)
    if not found:
        return tuple(samples)
    if len(found) < len(NAMES):
        raise DatasetError(
            f"{root}: has {found[0].name} but not all of train.csv, val.csv and test.csv: add the others"
        )
    told: dict[Path, tuple[Split, str]] = {}
    for name, path in zip(NAMES, found, strict=True):
        base, table = rows(root, path)
        said: dict[Path, tuple[Split, str]] = {
            (base / row["image"]).resolve(): (name, row.get("group", "")) for row in table
        }
        if twice := sorted(said.keys() & told.keys()):
            other = f"{told[twice[0]][0]}.csv"
            raise DatasetError(
                f"{path}: {len(twice)} pictures are in {other} as well, such as {twice[0]}: keep each in one"
            )
        told |= said
    nowhere = (None, "")
    return tuple(
        replace(sample, split=split, group=group or sample.group)
        for sample in samples
        for split, group in [told.get(sample.picture.resolve(), nowhere)]
    )


def relative(path: Path, root: Path) -> str:
    """Write a path relative to `root`, beside which it may lie, with forward slashes."""
    return Path(os.path.relpath(path, root)).as_posix()


def write_lists(root: Path, tables: Mapping[Split, Sequence[Mapping[str, str]]]) -> None:
    """Write the three lists into `root`, rows with `image`, `group` and what else they hold, all or none."""
    written = []
    for name in NAMES:
        table = tables[name]
        path = root / f"{name}.csv.partial"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(dict.fromkeys(key for row in table for key in row)), restval="")
            writer.writeheader()
            writer.writerows(table)
        written.append(path)
    for path in written:
        path.replace(path.with_suffix(""))


def is_there(path: Path) -> bool:
    """Say whether there is such a file, also where its name is none that a file could have."""
    try:
        return path.is_file()
    except OSError:  # too long
        return False
