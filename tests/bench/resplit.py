"""Resplit: the same pictures in other splits, to ask on a test split that no choice has seen whether a rule holds.

    python -m tests.bench.resplit TILES OUTPUT

TILES has train.csv, val.csv and test.csv with the columns `group` and `cls`. The new test and validation splits are
groups of the old training split, so many of each class; all that was looked at before is there to train with. OUTPUT
gets the lists, and links to the pictures.
"""

from __future__ import annotations

import csv
import random
import sys
from collections import Counter, defaultdict
from pathlib import Path

from edge.table import table

SEED = 20
SHARES = {"test": 0.22, "val": 0.2}
"""Of the groups of each class; one at least."""
GOOD = "free"

Row = dict[str, str]


def deal(train: list[Row], seen: list[Row]) -> dict[str, list[Row]]:
    """Deal the groups of `train` anew, and add `seen` to what is left of it."""
    chance, groups = random.Random(SEED), defaultdict[str, list[Row]](list)
    for row in train:
        groups[row["group"]].append(row)
    by_class = defaultdict[str, list[str]](list)
    for name in sorted(groups):
        by_class[next((row["cls"] for row in groups[name] if row["cls"] != GOOD), GOOD)].append(name)
    dealt: dict[str, list[Row]] = {"test": [], "val": [], "train": [*seen]}
    for _, names in sorted(by_class.items()):
        chance.shuffle(names)
        left = iter(names)
        for split, share in SHARES.items():
            for _ in range(max(1, round(share * len(names)))):
                dealt[split] += groups[next(left)]
        for name in left:
            dealt["train"] += groups[name]
    return dealt


def main() -> None:
    source, out = (Path(arg).resolve() for arg in sys.argv[1:])
    old = {}
    for split in ("train", "val", "test"):
        with (source / f"{split}.csv").open(newline="") as file:
            old[split] = list(csv.DictReader(file))
    out.mkdir(parents=True)
    for folder in source.iterdir():
        if folder.is_dir():
            (out / folder.name).symlink_to(folder)
    rows = []
    for split, dealt in deal(old["train"], old["val"] + old["test"]).items():
        with (out / f"{split}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, dealt[0])
            writer.writeheader()
            writer.writerows({**row, "split": split} for row in dealt)
        kinds = Counter(row["cls"] for row in dealt)
        rows.append((split, str(len(dealt)), ", ".join(f"{count} {name}" for name, count in sorted(kinds.items()))))
    print(table(["split", "pictures", "of them"], rows))


if __name__ == "__main__":
    main()
