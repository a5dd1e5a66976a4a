"""Overlay: masks drawn over pictures, small enough to live in a page."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from numpy.typing import NDArray

    from edge.manifest import ClassInfo
    from edge.mask import Plane
    from edge.picture import Picture
    from models.recipe import ClassSpec

    Coloured = ClassInfo | ClassSpec

WIDTH = 512
PALETTE = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (204, 121, 167))
"""RGB; Okabe and Ito's colours, told apart by colour-blind readers: for classes that name none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One picture of a report, in several forms."""

    why: str  # it is shown
    name: str
    told: str  # about it
    pictures: tuple[tuple[str, str], ...]  # captions and data URIs


def overlay(picture: Picture, classes: Plane, infos: Sequence[Coloured], filled: Collection[int]) -> Picture:
    """Fill some classes and draw the outlines of the others, but the first; (H, W, 3) uint8 BGR."""
    result = picture.copy()
    thickness = max(2, 3 * picture.shape[1] // WIDTH)
    for index in range(1, len(infos)):
        # The outline of the whole object is drawn, not of the holes that other classes make in it.
        mask = np.isin(classes, [index] if index in filled else [index, *filled]).astype(np.uint8)
        colour = class_colour(infos, index)[::-1]
        if index in filled:
            tint = np.array(colour, np.float32)
            result[mask > 0] = (0.35 * result[mask > 0] + 0.65 * tint).astype(np.uint8)
        elif not (classes == index).any():
            continue
        outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        cv2.drawContours(result, outlines, -1, colour, thickness if index not in filled else 1)
    return result


def class_colour(infos: Sequence[Coloured], index: int) -> tuple[int, int, int]:
    """Give the RGB colour in which a class is drawn."""
    return infos[index].colour or PALETTE[(index - 1) % len(PALETTE)]


def data_uri(picture: Picture) -> str:
    """Encode a picture as a JPEG data URI."""
    data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 80])[1]
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()


def shrunk(picture: Picture) -> Picture:
    """Make a picture small enough to live in a page."""
    size = (WIDTH, max(1, round(picture.shape[0] * WIDTH / picture.shape[1])))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def marked(picture: Picture, marks: Iterable[tuple[NDArray[np.bool_], tuple[int, int, int]]]) -> Picture:
    """Mark pixels of the large picture, each kind in its RGB colour, on this small one, which is greyed and dimmed.

    A small pixel is marked where any of the large ones that it stands for is.
    """
    height, width = picture.shape[:2]
    grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    result = np.asarray(128 + grey // 4, np.uint8)
    for where, rgb in marks:
        share = cv2.resize(where.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
        result[share > 0] = rgb[::-1]
    return result


def strip(row: Row) -> str:
    """Show one picture of the gallery in all its forms."""
    figures = "".join(
        f'<figure><img src="{uri}" alt="{escape(row.name)}, {escape(caption)}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
        for caption, uri in row.pictures
    )
    return (
        f'<div class="row"><h3>{escape(row.why)}</h3><p class="soft">{escape(row.told)}</p>'
        f'<div class="strip" style="--columns:{len(row.pictures)}">{figures}</div></div>'
    )
