"""Split: which groups of pictures train, which validate, which test; no group is divided, no class forgotten."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from edge import __version__
from edge.errors import ConfigError, DatasetError
from models.look_alikes import join, same
from models.sample import SPLITS
from models.split_lists import lists, relative, rows, write_lists

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence
    from pathlib import Path

    from models.datasets import Dataset
    from models.sample import Sample, Split

CLEAN = "(clean)"
"""Stands for a class among the groups that have none."""

LARGE = 1 / 3
"""A group with more pictures than this share of the smallest held-out part goes to train."""

SETTINGS = "splits.json"


class Shares(NamedTuple):
    """How much is held out; the rest trains."""

    val: float = 0.15
    test: float = 0.15

    def checked(self) -> Shares:
        """Give them back. Raises ConfigError: nothing is held out, or nothing is left."""
        if not (0 < self.val < 1 and 0 < self.test < 1 and self.val + self.test < 1):
            raise ConfigError(f"--val {self.val:g}, --test {self.test:g}: each must be above 0, both together below 1")
        return self


class Group(NamedTuple):
    """Pictures that stay together."""

    name: str
    members: tuple[Sample, ...]
    labels: frozenset[str]  # the classes that are marked on one of them


class Deal(NamedTuple):
    """Which group stands where."""

    splits: dict[str, Split]  # by the group's name
    notes: tuple[str, ...]  # what could not be done


def names_by(pattern: str, samples: Sequence[Sample]) -> list[str | None]:
    """Read each picture's group out of its file name: the first capture group of a regular expression.

    Raises:
        ConfigError: it can't be compiled, has no capture group, or fits no name.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ConfigError(f"--group-by {pattern!r}: is no regular expression: {error}") from error
    if not compiled.groups:
        raise ConfigError(f"--group-by {pattern!r}: put parentheses around the part that pictures of a group share")
    found = [match and match[1] for match in (compiled.search(sample.picture.name) for sample in samples)]
    if samples and not any(found):
        raise ConfigError(f"--group-by {pattern!r}: fits no file name, such as {samples[0].picture.name}")
    return found


def make_groups(
    samples: Sequence[Sample], labels: Sequence[Iterable[str]], root: Path, together: Sequence[Sequence[Hashable]]
) -> list[Group]:
    """Put pictures together that share their stated group, or a key in one of `together`, each (n,); None is no key."""
    stated = [sample.group for sample in samples]
    keys: list[Sequence[Hashable]] = [stated, [sample.picture for sample in samples], *together]
    numbers = join(len(samples), map(same, keys)).tolist()
    members: dict[int, list[int]] = {}
    for place in sorted(range(len(samples)), key=lambda i: relative(samples[i].picture, root)):
        members.setdefault(numbers[place], []).append(place)
    return [
        Group(
            name=min(samples[i].group for i in places),
            members=tuple(samples[i] for i in places),
            labels=frozenset(label for i in places for label in labels[i]),
        )
        for places in members.values()
    ]


def deal(groups: Sequence[Group], shares: Shares, seed: int) -> Deal:
    """Deal the groups of each class over the splits, those of the rarest class first.

    What is dealt depends on names, classes and `seed` alone, not on the order of files.

    Raises:
        DatasetError: fewer than three groups.
    """
    if len(groups) < len(SPLITS):
        raise DatasetError(
            f"{len(groups)} groups of pictures: three at least are needed to train, validate and test: "
            "add pictures, or state smaller groups"
        )
    held_out = {"val": shares.val, "test": shares.test}
    pictures = sum(len(group.members) for group in groups)
    large = max(2.0, LARGE * pictures * min(held_out.values()))
    total = Counter(label for group in groups for label in _classes(group))
    placed: dict[str, Split] = {}
    have = {split: Counter[str]() for split in SPLITS}
    for label in sorted(total, key=lambda label: (total[label], label)):
        quota = _quota(total[label], shares)
        mine = [group for group in groups if label in _classes(group) and group.name not in placed]
        mine.sort(key=lambda group: (len(group.members) <= large, _chance(group.name, seed)))
        for group in mine:
            lack = {split: quota[split] - have[split][label] for split in SPLITS}
            to_train = len(group.members) > large and lack["train"] > 0
            split: Split = "train" if to_train else max(SPLITS, key=lack.__getitem__)
            placed[group.name] = split
            have[split].update(_classes(group))
    return Deal(placed, tuple(_notes(total, have)))


def write_splits(
    data: Dataset, groups: Sequence[Group], splits: Mapping[str, Split], settings: Mapping[str, object]
) -> None:
    """Write `train.csv`, `val.csv`, `test.csv` and, how they were made, `splits.json` into the data set's folder.

    Columns that lists there have already, such as `mask`, are kept. Raises DatasetError: the folder is read-only.
    """
    known = {
        (base / row["image"]).resolve(): _relocated(row, base, data.root)
        for path in lists(data.root)
        for base, table in [rows(data.root, path)]
        for row in table
    }
    tables: dict[Split, list[dict[str, str]]] = {split: [] for split in SPLITS}
    members = [
        (relative(sample.picture, data.root), sample, group.name) for group in groups for sample in group.members
    ]
    for image, sample, name in sorted(members, key=lambda member: member[0]):
        row = {"image": image, **known.get(sample.picture.resolve(), {}), "group": name}
        tables[splits[name]].append(row | ({"split": splits[name]} if "split" in row else {}))
    text = json.dumps({"made_by": f"edgeloupe {__version__}", **settings}, indent=1)
    try:
        write_lists(data.root, tables)
        (data.root / SETTINGS).write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise DatasetError(f"{error.filename}: {error.strerror}: make the folder one that can be written") from error


def _relocated(row: Mapping[str, str], base: Path, root: Path) -> dict[str, str]:
    """Give a row with paths relative to `root` instead of `base`."""
    places = {key: relative(base / row[key], root) for key in ("image", "mask") if row.get(key)}
    return {**row, **places}


def _classes(group: Group) -> frozenset[str]:
    return group.labels or frozenset({CLEAN})


def _quota(count: int, shares: Shares) -> dict[Split, int]:
    """Share out the groups of a class: train comes first, then test, then val, which only picks the checkpoint."""
    if count < len(SPLITS):
        return {"train": min(1, count), "val": 0, "test": max(0, count - 1)}
    most = (count - 1) // 2
    val, test = (min(most, max(1, round(share * count))) for share in shares)
    return {"train": count - val - test, "val": val, "test": test}


def _chance(name: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}:{name}".encode()).digest()


def _notes(total: Counter[str], have: Mapping[Split, Counter[str]]) -> Iterable[str]:
    for label, count in sorted(total.items()):
        lacking = [split for split in SPLITS if not have[split][label]]
        if label == CLEAN or not lacking:
            continue
        groups = f"{label}: {count} group{'s' if count > 1 else ''}"
        if count == 1:
            yield f"{groups}: can't be in train and in test: its score can't be judged"
        else:
            yield f"{groups}: none in {' and '.join(lacking)}: add pictures of other objects with it"
