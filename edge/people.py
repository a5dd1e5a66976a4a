"""People: made unrecognisable in a picture before it is kept or sent, by a network that knows where they are."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.bundle import open_bundle
from edge.errors import ConfigError
from edge.pictures.image import bgr
from edge.segment import open_segmenter
from edge.selftest import selftest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path

    from edge.evidence_config import PeopleConfig
    from edge.mask import Mask
    from edge.pictures.image import Image

CELLS = 16
"""So many along the longer side are left of what people looked like."""


@contextmanager
def open_people(config: PeopleConfig, trusted: Sequence[Path] = ()) -> Iterator[Callable[[Image], Image]]:
    """Load the network and prove it; give what hides people, to be called by one thread at a time.

    What it gives raises ModelError and PictureError: a picture that can't be looked at must not be shown.

    Raises:
        ConfigError: the network does not know the classes to be hidden.
        BundleError, ModelError: it can't be loaded, or does not see what it saw where it was made.
    """
    bundle = open_bundle(config.bundle, trusted=trusted)
    names = bundle.manifest.class_names
    if unknown := sorted(set(config.classes) - set(names)):
        raise ConfigError(f"storage.blur_people.classes: the model has no class {unknown[0]}, only {', '.join(names)}")
    hidden = {names.index(name) for name in config.classes}
    target, _ = bundle.target_for([config.target] if config.target else ())
    with open_segmenter(bundle, target, 1) as segmenter:
        selftest(bundle, segmenter, target)
        yield lambda picture: hide(picture, segmenter(picture), hidden, config.grow)


def hide(picture: Image, mask: Mask, hidden: Collection[int], grow: float) -> Image:
    """Coarsen what belongs to the classes `hidden`; give the picture itself where there is nothing of them.

    Args:
        picture: not changed.
        mask: of this picture.
        hidden: indices of classes.
        grow: how far around them, as a share of the longer side.
    """
    found = np.isin(mask.classes, list(hidden)).astype(np.uint8)
    if not found.any():
        return picture
    reach = round(grow * max(found.shape))
    where = cv2.dilate(found, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    pixels = bgr(picture).copy()
    height, width = pixels.shape[:2]
    scale = CELLS / max(height, width)
    few = cv2.resize(
        pixels, (max(round(width * scale), 1), max(round(height * scale), 1)), interpolation=cv2.INTER_AREA
    )
    coarse = cv2.resize(few, (width, height), interpolation=cv2.INTER_LINEAR)
    inside = cv2.resize(where, (width, height), interpolation=cv2.INTER_NEAREST) > 0
    pixels[inside] = coarse[inside]
    return pixels
