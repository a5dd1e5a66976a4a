"""Leaks: what stands in two splits, so that a score on one says little about what is new."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from models.look_alikes import find_look_alikes, find_twins, join, same, similar, whiten
from models.sample import SPLITS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from models.inventory import Inventory, Seen
    from models.look_alikes import LookAlikes, Pairs, Vectors
    from models.sample import Sample, Split


class Pair(NamedTuple):
    """Two look-alikes in two splits."""

    one: Sample
    other: Sample
    similarity: float


class Leaks(NamedTuple):
    """What stands in two splits."""

    groups: list[str]  # stated ones
    pairs: list[Pair]  # the most alike
    pictures: dict[Split, int]  # how many of each split look like one of another

    def __bool__(self) -> bool:
        return bool(self.groups or any(self.pictures.values()))


class Likeness(NamedTuple):
    """How alike the pictures of a data set are."""

    alikes: LookAlikes
    vectors: Vectors
    copies: Pairs  # of the very same files, alike whatever the threshold

    def pairs(self) -> Iterator[Pairs]:
        """Give the pairs of look-alikes."""
        yield self.copies
        yield from similar(self.vectors, self.alikes.threshold)


def compare(inventory: Inventory, threshold: float | None = None) -> Likeness:
    """Compare all pictures with each other."""
    vectors = whiten(inventory.looks)
    alikes = find_look_alikes(vectors, threshold)
    copies = same([seen.digest for seen in inventory.pictures])
    groups = join(len(vectors), [copies, same(alikes.groups.tolist())])
    return Likeness(alikes._replace(groups=groups), vectors, copies)


def find_leaks(pictures: Sequence[Seen], likeness: Likeness | None) -> Leaks:
    """Find stated groups in two splits and, where pictures were compared, look-alikes."""
    homes = defaultdict[str, set["Split"]](set)
    for seen in pictures:
        if seen.sample.split:
            homes[seen.sample.group].add(seen.sample.split)
    groups = sorted(group for group, splits in homes.items() if len(splits) > 1)
    if likeness is None:
        return Leaks(groups, [], {})
    sides = np.array([SPLITS.index(one) if (one := seen.sample.split) else -1 for seen in pictures], np.int64)
    twins = find_twins(likeness.pairs(), sides)
    pairs = [Pair(pictures[i].sample, pictures[j].sample, alike) for (i, j), alike in twins.similarity.items()]
    found = {split: int(twins.pictures[sides == side].sum()) for side, split in enumerate(SPLITS)}
    return Leaks(groups, pairs, found)
