"""First look: another, smaller network that sees the whole picture first; and how all looks of a device are opened."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge.bundle import open_bundle
from edge.errors import BundleError
from edge.segment import open_segmenter
from edge.selftest import selftest
from edge.tiles.tiled import TiledSegmenter

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from edge.bundle import Bundle
    from edge.mask import Plane
    from edge.segment import Sees, Segmenter
    from edge.tile_config import TilingConfig


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FirstLook:
    """Another network that looks first."""

    segmenter: Segmenter
    classes: Plane  # (256,): what each of its classes is to the network that looks closer
    sha256: str  # of its bundle


@contextmanager
def open_looks(
    segmenter: Segmenter,
    bundle: Bundle,
    cameras: Mapping[str, TilingConfig],
    wanted: Collection[str],
    *,
    threads: int = 0,
    lanes: int = 1,
    trusted: Sequence[Path] = (),
) -> Iterator[dict[str, Sees]]:
    """Give what looks at each camera's pictures; the networks of first looks are opened, proven, and shared.

    Args:
        segmenter: opened from `bundle`, and used by all cameras.
        bundle: says which classes there are.
        cameras: how each one's pictures are looked at.
        wanted: classes for whose sake a closer look is taken.
        threads: of further runtimes, for one inference.
        lanes: of theirs.
        trusted: public keys, as `open_bundle` takes them.

    Raises:
        BundleError, ModelError: a bundle for first looks can't be used, or has classes that `bundle` does not know.
    """
    names = bundle.manifest.class_names
    ids = [names.index(name) for name in wanted]
    with ExitStack() as stack:
        firsts: dict[Path, FirstLook] = {}
        for path in {how.cascade.bundle for how in cameras.values() if how.cascade and how.cascade.bundle}:
            firsts[path] = stack.enter_context(_open_first_look(path, names, (threads, lanes), trusted))
        yield {
            camera: TiledSegmenter(segmenter, how, ids, _first_of(how, firsts)) if _differs(how) else segmenter
            for camera, how in cameras.items()
        }


def _differs(how: TilingConfig) -> bool:
    return (how.roi, how.tiles, how.cascade) != (None, None, None)


def _first_of(how: TilingConfig, firsts: Mapping[Path, FirstLook]) -> FirstLook | None:
    return firsts[how.cascade.bundle] if how.cascade and how.cascade.bundle else None


@contextmanager
def _open_first_look(
    path: Path, names: Sequence[str], spread: tuple[int, int], trusted: Sequence[Path]
) -> Iterator[FirstLook]:
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
