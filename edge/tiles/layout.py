"""Layout: where a large picture is cut so that a network sees all of it, and how much each tile has to say where."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edge.errors import PictureError
from edge.region import Box

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

FULL = 8
"""What all tiles over one grid pixel weigh together, in each direction."""

_STEEPNESS = 16
"""Of a seam: from one tile to the next in some ten grid pixels of an overlap of sixty."""

MOST_GRID_PIXELS = 10_000_000
"""Of all tiles together: five bytes each while they are put together."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Span:
    """One tile in one direction."""

    start_px: int  # of the picture
    start: int  # in the common grid, of the part that has a say
    skip: int  # grid pixels of the tile before that part: they have none
    weights: NDArray[np.int16]  # one to each grid pixel of that part, at most `FULL`
    owns: NDArray[np.bool_]  # where no other tile weighs more


class Tile(NamedTuple):
    """One part of the picture that the network looks at."""

    column: Span
    row: Span
    box: Box  # of the picture

    @property
    def place(self) -> tuple[slice, slice]:
        """Rows and columns of the common grid where it has a say."""
        top, left = self.row.start, self.column.start
        return slice(top, top + len(self.row.weights)), slice(left, left + len(self.column.weights))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layout:
    """Tiles over one picture, and the grid that their grids add up to."""

    width: int  # of the picture
    height: int
    tile: tuple[int, int]  # width and height in pixels of the picture
    grid: tuple[int, int]  # width and height of the common grid
    columns: tuple[Span, ...]
    rows: tuple[Span, ...]

    def __len__(self) -> int:
        return len(self.columns) * len(self.rows)

    def __iter__(self) -> Iterator[Tile]:
        for row in self.rows:
            for column in self.columns:
                yield Tile(column, row, Box(column.start_px, row.start_px, *self.tile))


def lay(picture: tuple[int, int], tile: tuple[int, int], grid: tuple[int, int], *, overlap: float, most: int) -> Layout:
    """Lay tiles over a picture; the last ones are moved inward rather than filled up. All sizes are width, height.

    Args:
        picture: what is to be covered.
        tile: in pixels of the picture.
        grid: what the network gives for a tile.
        overlap: share of a tile that neighbours have in common at least, less than a pixel apart.
        most: so many tiles are accepted.

    Raises:
        PictureError: a tile is larger than the picture, or too many are needed.
    """
    width, height = picture
    if tile[0] > width or tile[1] > height:
        raise PictureError(
            f"tiles of {tile[0]}x{tile[1]} are larger than the {width}x{height} pixels to look at: "
            "set a smaller tiles.size, or remove tiles"
        )
    (columns, cells_across), (rows, cells_down) = (
        _spans(*axis, overlap) for axis in zip(picture, tile, grid, strict=True)
    )
    if len(columns) * len(rows) > most:
        raise PictureError(
            f"{len(columns) * len(rows)} tiles of {tile[0]}x{tile[1]} are needed for {width}x{height} pixels, "
            f"tiles.most is {most}: raise it, or set a larger tiles.size or a roi"
        )
    if cells_across * cells_down > MOST_GRID_PIXELS:
        raise PictureError(
            f"masks of tiles of {tile[0]}x{tile[1]} have {cells_across}x{cells_down} pixels for a picture of "
            f"{width}x{height}, at most {MOST_GRID_PIXELS} are accepted: set a larger tiles.size or a roi"
        )
    return Layout(width=width, height=height, tile=tile, grid=(cells_across, cells_down), columns=columns, rows=rows)


def _spans(length_px: int, tile_px: int, cells: int, overlap: float) -> tuple[tuple[Span, ...], int]:
    """Spread tiles evenly in one direction; give them and the pixels of the common grid.

    Tiles begin at pixels of the common grid, so that their grids fall on it without being resampled. Where the
    length is no multiple of a grid pixel, the common grid is finer by less than one of its pixels over the whole
    length, and a tile lies off it by less than that.
    """
    whole = math.ceil(length_px * cells / tile_px)
    step = max(cells - math.ceil(overlap * cells), 1)
    last = math.ceil((whole - cells) / step)
    starts = [number * (whole - cells) // max(last, 1) for number in range(last + 1)]
    weights = _weights(starts, cells, whole)
    spans = []
    for number, start in enumerate(starts):
        here = weights[:, start : start + cells]
        (said,) = np.nonzero(here[number])
        part = slice(int(said[0]), int(said[-1]) + 1)
        spans.append(
            Span(
                start_px=min(start * length_px // whole, length_px - tile_px),
                start=start + part.start,
                skip=part.start,
                weights=here[number, part],
                owns=here[:, part].argmax(axis=0) == number,
            )
        )
    return tuple(spans), whole


def _weights(starts: list[int], cells: int, whole: int) -> NDArray[np.int16]:
    """Weigh tiles by how far a grid pixel lies inside them, (tiles, whole); each column adds up to `FULL`.

    A network sees least well at the edge of its picture, which is no edge of the scene; at the edges of the
    picture itself there is nobody else to ask. Shares go with a power of the depth: what only the tile saw that shows
    a small defect whole is not to be voted down by one that has it near its edge.
    """
    depth = np.zeros((len(starts), whole))
    inside = np.arange(cells) + 0.5
    for number, start in enumerate(starts):
        from_left = inside if number else np.full(cells, float(cells))
        from_right = inside[::-1] if number + 1 < len(starts) else np.full(cells, float(cells))
        depth[number, start : start + cells] = np.minimum(from_left, from_right)
    steep = (depth / depth.max(axis=0)) ** _STEEPNESS
    shares = np.cumsum(steep / steep.sum(axis=0), axis=0)
    return np.asarray(np.diff(np.rint(FULL * shares), axis=0, prepend=0), np.int16)
