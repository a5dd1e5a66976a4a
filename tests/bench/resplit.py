"""Resplit: the same pictures in other splits, to ask on a test split that no choice has seen whether a rule holds.

    python -m tests.bench.resplit TILES OUTPUT

TILES has train.csv, val.csv and test.csv with the columns `group` and `cls`. The new test and validation splits are
groups of the old training split, so many of each class; all that was looked at before is there to train with. OUTPUT
gets the lists, and links to the pictures.
"""

from __future__ import annotations

import random
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from edge.table import table
from models.split_lists import lists, rows, write_lists

if TYPE_CHECKING:
    from models.sample import Split

SEED = 20
SHARES: dict[Split, float] = {"test": 0.22, "val": 0.2}
"""Of the groups of each class; one at least."""
GOOD = "free"

Row = dict[str, str]


def deal(train: list[Row], seen: list[Row]) -> dict[Split, list[Row]]:
    """Deal the groups of `train` anew, and add `seen` to what is left of it."""
    chance, groups = random.Random(SEED), defaultdict[str, list[Row]](list)
    for row in train:
        groups[row["group"]].append(row)
    by_class = defaultdict[str, list[str]](list)
    for name in sorted(groups):
        by_class[next((row["cls"] for row in groups[name] if row["cls"] != GOOD), GOOD)].append(name)
    dealt: dict[Split, list[Row]] = {"test": [], "val": [], "train": [*seen]}
    for _, names in sorted(by_class.items()):
        chance.shuffle(names)
        left = iter(names)
        for split, share in SHARES.items():
            for _ in range(max(1, round(share * len(names)))):
                dealt[split] += groups[next(left)]
        for name in left:
            dealt["train"] += groups[name]
    return {split: [{**row, "split": split} for row in members] for split, members in dealt.items()}


def main() -> None:
    source, out = (Path(arg).resolve() for arg in sys.argv[1:])
    train, val, test = (rows(source, path)[1] for path in lists(source))
    dealt = deal(train, val + test)
    out.mkdir(parents=True)
    for folder in source.iterdir():
        if folder.is_dir():
            (out / folder.name).symlink_to(folder)
    write_lists(out, dealt)
    told = []
    for split, members in dealt.items():
        kinds = Counter(row["cls"] for row in members)
        told.append((split, str(len(members)), ", ".join(f"{count} {name}" for name, count in sorted(kinds.items()))))
    print(table(["split", "pictures", "of them"], told))


if __name__ == "__main__":
    main()
