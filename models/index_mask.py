"""Index mask: class indices as a palette PNG, which says by itself that its values are no grey."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from models.annotation import IGNORE
from models.whole_file import whole_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from models.annotation import ClassMap
    from models.recipe import ClassSpec

Colour = tuple[int, int, int]

VOID_COLOUR: Colour = (224, 224, 192)
"""Pascal VOC's colour of what nobody vouches for."""


def write_mask(path: Path, classes: ClassMap, specs: Sequence[ClassSpec]) -> None:
    """Write (H, W) class indices, `IGNORE` as 255, whole or not at all.

    With a `classes.txt` beside `masks/` they are read back as they are. Without it, masks that hold no more than 0 and
    255 are black and white to anybody, and 255 is what is marked.
    """
    image = Image.fromarray(classes)
    palette = np.zeros((IGNORE + 1, 3), np.uint8)
    palette[: len(specs)] = [spec.colour or _voc_colour(index) for index, spec in enumerate(specs)]
    palette[IGNORE] = VOID_COLOUR
    image.putpalette(palette.tobytes())
    with whole_file(path) as partial:
        image.save(partial, "PNG")


def _voc_colour(index: int) -> Colour:
    """Give the colour of a class in Pascal VOC's map: the bits of the index, three by three, from the highest on."""
    red, green, blue = (
        sum((index >> (3 * place + channel) & 1) << (7 - place) for place in range(8)) for channel in range(3)
    )
    return red, green, blue
