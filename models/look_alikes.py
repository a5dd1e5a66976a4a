"""Look-alikes: pictures that show nearly the same, as the shots of a burst or several exposures of one object do.

Pictures are compared by grey thumbnails of 24x24 whose contrast is evened out locally, so that exposure does not count.
What the pictures of a data set have in common, as leaves on white or a part under a fixed camera do, would make all of
them alike: it is taken out by whitening with the data set's own covariance, shrunk the more the fewer the pictures
(after Jégou and Chum, "Negative evidences and co-occurrences in image retrieval", 2012).

Measured at the default of 0.4 against groups that people stated; pairs, and what chains of them put together:

                                             precision      recall       recall at 0.5
    magnetic tiles, six exposures, 1,095     1.00, 1.00     0.58, 0.65   0.51, 0.62
    rice in the field, bursts, 208           1.00, 0.98     0.87, 1.00   0.80, 0.93
    coffee leaves on white, 400              one pair found, which is stated

At 0.3 the precision of chains is 0.92, 0.97 and 0.10. Of test pictures of tiles split by look-alikes alone, 9 % have
another exposure in train; of those split by chance, 89 %. Without whitening no threshold suits all three, and 300
simulated pictures of parts under a fixed camera are one group up to 0.7. The 64-bit DCT hash (Zauner, 2010) finds 0.64
of the tiles' pairs within 14 bits, at a precision of 0.32: it would lose pairs as a filter, and none is needed.
What was photographed anew, from elsewhere, is not found: state groups where they are known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Sequence

Vectors = NDArray[np.float32]
"""(n, 576) float32, a row per picture, of length 1 or 0."""

Numbers = NDArray[np.int64]
"""(n,) int64: pictures with the same number belong together; the number is that of the first of them."""

Pairs = tuple[Numbers, Numbers, NDArray[np.float32]]
"""(p,) each: the first picture of each pair, the second, how alike they are up to 1."""

THRESHOLD = 0.4
"""Correlation of whitened thumbnails above which two pictures are look-alikes."""

SIDE = 24
_SIGMA = 1.0
_FAINT = 2.0  # grey values; weaker contrast is noise and not brought up
_SHRINK = 4.0
_BLOCK = 256

MOST = 20
MOST_SHARE = 0.05
"""A group of look-alikes with more pictures than both is no burst: a higher threshold is tried."""


class LookAlikes(NamedTuple):
    """Which pictures look alike."""

    groups: Numbers
    threshold: float
    note: str = ""  # why it is not the one that was asked for


class Twins(NamedTuple):
    """Look-alikes that stand on different sides."""

    similarity: dict[tuple[int, int], float]  # of pairs, the most alike first, `SHOWN` at most
    pictures: NDArray[np.bool_]  # (n,) those that have a look-alike on another side


SHOWN = 10


def thumbnail(grey: NDArray[np.float32]) -> Vectors:
    """Shrink a grey picture, (H, W) of 0..255, to a row of local contrasts; a flat one gives zeros."""
    small = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    detail = small - cv2.GaussianBlur(small, (0, 0), _SIGMA)
    strength = np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), _SIGMA))
    even = (detail / (strength + _FAINT)).ravel()
    row: Vectors = _unit((even - even.mean())[None])[0]
    return row


def whiten(thumbnails: Vectors) -> Vectors:
    """Take out of (n, 576) thumbnails what they have in common; the products of the rows are similarities."""
    if not len(thumbnails):
        return thumbnails
    own = np.where(thumbnails.any(axis=1, keepdims=True), thumbnails - thumbnails.mean(axis=0), np.float32(0))
    count, length = own.shape
    if count > length:
        variance, axes = np.linalg.eigh(own.T @ own / count)
        spread = own @ axes
    else:
        variance, axes = np.linalg.eigh(own @ own.T / count)
        spread = axes * np.sqrt(count * variance.clip(0))
    shrink = _SHRINK * variance.sum() / min(count, 2 * length)
    return _unit(spread / np.sqrt(variance.clip(0) + max(shrink, 1e-12)))


def similar(vectors: Vectors, threshold: float) -> Iterator[Pairs]:
    """Give the pairs above `threshold`, block by block."""
    starts = range(0, len(vectors), _BLOCK)
    for start in tqdm(starts, "comparing", unit="block", leave=False, disable=None if len(starts) > 20 else True):
        alike = vectors[start : start + _BLOCK] @ vectors[start:].T
        first, second = np.nonzero(np.triu(alike > threshold, 1))
        yield first + start, second + start, alike[first, second]


def find_look_alikes(vectors: Vectors, threshold: float | None = None) -> LookAlikes:
    """Group pictures whose similarity, in a chain, is above `threshold`.

    Without one the default is raised in steps until no group is larger than a burst is: under a fixed camera, the
    pictures of different parts form chains too.
    """
    if threshold is not None:
        return LookAlikes(join(len(vectors), similar(vectors, threshold)), threshold)
    most = max(MOST, int(MOST_SHARE * len(vectors)))
    first = 0
    for step in (THRESHOLD, 0.5, 0.6, 0.7, 0.8, 0.9):
        groups = join(len(vectors), similar(vectors, step))
        largest = int(np.bincount(groups, minlength=1).max())
        first = first or largest
        if largest <= most:
            break
    note = (
        f"above {THRESHOLD:g} look-alikes chain {first} pictures together, as those of a fixed camera or of one film "
        f"do: {step:g} was used; state groups (--group-by) where they are known"
    )
    return LookAlikes(groups, step, note if first > most else "")


def find_twins(pairs: Iterable[Pairs], sides: NDArray[np.int64]) -> Twins:
    """Find which of `pairs` have different `sides`, (n,); what has a negative one stands on none."""
    has = np.zeros(len(sides), bool)
    worst: dict[tuple[int, int], float] = {}
    for first, second, alike in pairs:
        apart = (sides[first] != sides[second]) & (sides[first] >= 0) & (sides[second] >= 0)
        one, other, score = first[apart], second[apart], alike[apart]
        has[one] = has[other] = True
        for place in np.argsort(-score, kind="stable")[:SHOWN]:
            worst[int(one[place]), int(other[place])] = float(score[place])
        worst = dict(sorted(worst.items(), key=lambda item: -item[1])[:SHOWN])
    return Twins(worst, has)


def same(keys: Sequence[Hashable]) -> Pairs:
    """Pair each picture with the first one of the same key; the key None is nobody's."""
    first: dict[Hashable, int] = {}
    pairs = [(first.setdefault(key, place), place) for place, key in enumerate(keys) if key is not None]
    ones, others = np.array([pair for pair in pairs if pair[0] != pair[1]], np.int64).reshape(-1, 2).T
    return ones, others, np.ones(len(ones), np.float32)


def join(count: int, pairs: Iterable[Pairs]) -> Numbers:
    """Number the groups in which `pairs` hold `count` pictures together."""
    parent = np.arange(count)
    for first, second, _ in pairs:
        ends = np.unique(np.sort(np.stack([parent[first], parent[second]]), axis=0), axis=1)
        for low, high in ends[:, ends[0] != ends[1]].T.tolist():
            one, other = _root(parent, low), _root(parent, high)
            parent[max(one, other)] = min(one, other)
        while (parent != parent[parent]).any():
            parent = parent[parent]
    return parent


def _root(parent: Numbers, place: int) -> int:
    while parent[place] != place:
        place = int(parent[place])
    return place


def _unit(rows: Vectors) -> Vectors:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(np.divide(rows, length, out=np.zeros_like(rows), where=length > 1e-6), np.float32)
