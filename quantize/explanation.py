"""Explanation: on which pixels of a picture a model's decision rests, with the proof that it does, and drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.errors import ConfigError
from models.explain import cover, explain, hottest
from models.whole_file import whole_file
from quantize.overlay import overlay, shrunk

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.mask import Mask
    from edge.picture import Picture
    from edge.segment import Segmenter
    from models.explain import Heat
    from quantize.overlay import Coloured

    Grid = NDArray[np.bool_]
    """(h, w) bool, on the network's own grid."""

SHARE = 0.05
"""Of the picture: so much is covered to prove that it matters."""

SQUARE_PX = 8
"""Chance covers squares of this side: single pixels are too small to be missed."""

COLOURS = cv2.COLORMAP_INFERNO
GRADIENT = "linear-gradient(90deg, #000004, #781c6d, #ed6925, #fcffa4)"
"""The same for pages, as CSS."""

TINT = 0.6
"""Share of the heat's colour in a drawing."""

BAR_PX, LINE_PX, GAP_PX = 14, 26, 8
INK, PAPER = (40, 40, 40), 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why pixels were seen as one class. Certainties are means over those pixels, 0 to 1."""

    class_id: int
    picture: Picture  # as the network took it
    mask: Mask
    heat: Heat  # of `picture`'s size
    certainty: float
    certainty_without: float  # the `SHARE` of the picture that matters most
    certainty_by_chance: float  # without as much that was chosen by chance


def explain_class(segmenter: Segmenter, picture: Picture, class_id: int) -> Explanation | None:
    """Explain what is seen as one class on a picture of any size; None where nothing is. Raises ModelError."""
    mask = segmenter(picture)
    return _explain(segmenter, picture, mask, mask.classes == class_id, class_id)


def explain_place(segmenter: Segmenter, picture: Picture, x: int, y: int) -> Explanation | None:
    """Explain the connected blob that is seen at a pixel of the picture; None outside of it. Raises ModelError."""
    height, width = picture.shape[:2]
    if not (0 <= x < width and 0 <= y < height):
        return None
    mask = segmenter(picture)
    row, column = y * mask.classes.shape[0] // height, x * mask.classes.shape[1] // width
    class_id = int(mask.classes[row, column])
    _, blobs = cv2.connectedComponents(mask.member(class_id), connectivity=8)
    return _explain(segmenter, picture, mask, blobs == blobs[row, column], class_id)


def _explain(segmenter: Segmenter, picture: Picture, mask: Mask, where: Grid, class_id: int) -> Explanation | None:
    if not where.any():
        return None
    taken = segmenter.prepare(picture)
    height, width = taken.shape[:2]

    def certainty(shown: Picture) -> float:
        seen = segmenter.infer(shown, width, height)
        return float(np.where(seen.classes == class_id, seen.scores, 0)[where].mean()) / 255

    heat, covered = explain(taken, certainty), cover(taken)
    squares = np.random.default_rng(0).random((height // SQUARE_PX, width // SQUARE_PX), np.float32)
    chance = np.asarray(cv2.resize(squares, (width, height), interpolation=cv2.INTER_NEAREST), np.float32)
    without, by_chance = (
        certainty(np.where(hottest(order, SHARE)[..., None], covered, taken)) for order in (heat, chance)
    )
    return Explanation(
        class_id=class_id,
        picture=taken,
        mask=mask,
        heat=heat,
        certainty=certainty(taken),
        certainty_without=without,
        certainty_by_chance=by_chance,
    )


def told(why: Explanation, name: str) -> str:
    """Say in a sentence how far the marked pixels carry the decision."""
    return (
        f"{name}, {100 * why.certainty:.0f} % certain; {100 * why.certainty_without:.0f} % without the hottest "
        f"{100 * SHARE:g} % of the picture, {100 * why.certainty_by_chance:.0f} % without {100 * SHARE:g} % by chance"
    )


def heated(picture: Picture, heat: Heat) -> Picture:
    """Lay the heat, black to yellow, over a picture, which is greyed; (H, W, 3) uint8 BGR."""
    size = picture.shape[1], picture.shape[0]
    grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    levels = np.asarray(255 * cv2.resize(heat, size, interpolation=cv2.INTER_LINEAR).clip(0, 1), np.uint8)
    return np.asarray(cv2.addWeighted(grey, 1 - TINT, cv2.applyColorMap(levels, COLOURS), TINT, 0), np.uint8)


def write_sheet(path: Path, picture: Picture, why: Explanation, classes: Sequence[Coloured]) -> None:
    """Write `sheet` as PNG, whole or not at all. Raises ConfigError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as partial:
            partial.write_bytes(cv2.imencode(".png", sheet(picture, why, classes))[1].tobytes())
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}: give a folder that can be written") from error


def sheet(picture: Picture, why: Explanation, classes: Sequence[Coloured]) -> Picture:
    """Draw picture, mask and heat side by side, with a bar of the heat's colours and what they say below."""
    small = shrunk(picture)
    seen = shrunk(overlay(picture, why.mask.on_frame(), classes, {why.class_id}))
    height, width = small.shape[:2]
    page = np.full((height + LINE_PX + 3 * GAP_PX, 3 * width + 2 * GAP_PX, 3), PAPER, np.uint8)
    for number, part in enumerate((small, seen, heated(small, why.heat))):
        left = number * (width + GAP_PX)
        page[:height, left : left + width] = part
    base = height + GAP_PX + BAR_PX
    left = 2 * (width + GAP_PX)
    _write(page, told(why, classes[why.class_id].name), (0, base))
    _write(page, "rests on it:  not at all", (left, base))
    _write(page, "most", (left + width - 40, base))
    bar = np.linspace(0, 255, width - 230).astype(np.uint8)[None].repeat(BAR_PX, axis=0)
    page[base - BAR_PX + 2 : base + 2, left + 180 : left + width - 50] = cv2.applyColorMap(bar, COLOURS)
    return page


def _write(page: Picture, text: str, corner: tuple[int, int]) -> None:
    cv2.putText(page, text, corner, cv2.FONT_HERSHEY_SIMPLEX, 0.45, INK, 1, cv2.LINE_AA)
