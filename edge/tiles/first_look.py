"""First look: another, smaller network that sees the whole picture before the one that looks closer."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge.bundle import open_bundle
from edge.errors import BundleError
from edge.segment import open_segmenter
from edge.selftest import selftest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from edge.mask import Plane
    from edge.segment import Segmenter


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FirstLook:
    """Another network that looks first."""

    segmenter: Segmenter
    classes: Plane  # (256,): what each of its classes is to the network that looks closer
    sha256: str  # of its bundle


@contextmanager
def open_first_look(
    path: Path, names: Sequence[str], spread: tuple[int, int], trusted: Sequence[Path]
) -> Iterator[FirstLook]:
    """Open the network of a first look and prove it.

    Args:
        path: its bundle.
        names: the classes of the network that looks closer.
        spread: threads for one inference, and lanes.
        trusted: public keys, as `open_bundle` takes them.

    Raises:
        BundleError, ModelError: it can't be used, or has a class that is none of `names`.
    """
    bundle = open_bundle(path, trusted=trusted)
    theirs = bundle.manifest.class_names
    unknown = [name for name in theirs if name not in names]
    if unknown:
        raise BundleError(
            f"{path}: its class {unknown[0]} is none of {', '.join(names)}: "
            "for a first look, take a model whose classes the other one has, too"
        )
    classes = np.zeros(256, np.uint8)
    classes[: len(theirs)] = [names.index(name) for name in theirs]
    target, _ = bundle.target_for(())
    with open_segmenter(bundle, target, spread[0], lanes=spread[1]) as segmenter:
        selftest(bundle, segmenter, target)
        yield FirstLook(segmenter=segmenter, classes=classes, sha256=bundle.sha256)
