"""Looks: what looks at each camera's pictures, opened for all cameras of a device together."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from edge.tiles.first_look import open_first_look
from edge.tiles.tiled import TiledSegmenter

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from edge.bundle import Bundle
    from edge.segment import Sees, Segmenter
    from edge.tile_config import TilingConfig
    from edge.tiles.first_look import FirstLook


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
            firsts[path] = stack.enter_context(open_first_look(path, names, (threads, lanes), trusted))
        yield {
            camera: TiledSegmenter(segmenter, how, ids, _first_of(how, firsts)) if _differs(how) else segmenter
            for camera, how in cameras.items()
        }


def _differs(how: TilingConfig) -> bool:
    return (how.roi, how.tiles, how.cascade) != (None, None, None)


def _first_of(how: TilingConfig, firsts: Mapping[Path, FirstLook]) -> FirstLook | None:
    return firsts[how.cascade.bundle] if how.cascade and how.cascade.bundle else None
