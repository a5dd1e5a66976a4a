"""Zones: which of a camera's named parts each region lies in.

A region lies in a zone when at least the zone's `least_share` of its pixels do. Zones are drawn once, on the grid of
the network's masks; within a grid pixel they have no edges.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from edge.errors import PictureError
from edge.rle import runs_of
from edge.tiles.roi import drawn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from edge.mask import Mask
    from edge.region import Box, Region
    from edge.tile_config import ZoneConfig


_SLACK_PX = 1e-3
"""Sums of fractions are as exact as that."""


class _Grid(NamedTuple):
    """How a grid lies on a frame."""

    width: int
    height: int
    area: Box  # of the frame, that the grid covers
    frame_width: int
    frame_height: int


class _Drawing(NamedTuple):
    """One zone on a grid."""

    name: str
    least_share: float
    grid: _Grid
    sums: NDArray[np.int32]  # grid pixels of it above and left of each corner, (h + 1, w + 1)
    below: NDArray[np.float64]  # frame pixels of it above each grid row, by grid column, (w, h + 1)
    before: NDArray[np.float64]  # frame pixels of it left of each frame column, (frame_width + 1,)


class Zones:
    """The zones of one camera under one recipe; may be used by several threads at once."""

    def __init__(self, zones: Mapping[str, ZoneConfig]) -> None:
        self._zones = dict(zones)
        self._drawn: tuple[_Grid, list[_Drawing]] | None = None  # for the pictures that came last

    def fit(self, mask: Mask) -> list[_Drawing]:
        """Draw them on the grid of `mask`, once. Raises PictureError where one reaches beyond the picture."""
        height, width = mask.classes.shape
        grid = _Grid(width, height, mask.area, mask.frame_width, mask.frame_height)
        known = self._drawn
        if known is None or known[0] != grid:
            known = self._drawn = grid, [_draw(name, zone, grid) for name, zone in self._zones.items()]
        return known[1]

    def tell(self, regions: Sequence[Region], mask: Mask) -> list[Region]:
        """Give the regions of `mask` with the zones they lie in. Raises as `fit` does."""
        zones = self.fit(mask) if regions else []
        by_box = [_by_box(zone, regions) for zone in zones]
        unclear = np.flatnonzero(np.any([part for _, part in by_box], axis=0)) if zones else np.zeros(0, np.intp)
        counted = _Counted.of([regions[place] for place in unclear.tolist()])
        inside: list[list[str]] = [[] for _ in regions]
        for zone, (lies, _) in zip(zones, by_box, strict=True):
            if len(unclear):
                lies[unclear] = counted.lie_in(zone)
            for place in np.flatnonzero(lies).tolist():
                inside[place].append(zone.name)
        return [
            region._replace(zones=tuple(names)) if names else region
            for region, names in zip(regions, inside, strict=True)
        ]


def check_zones(zones: Mapping[str, ZoneConfig], width: int, height: int) -> None:
    """See that zones lie on pictures of that size. Raises PictureError."""
    for name, zone in zones.items():
        right, bottom = (max(side) for side in zip(*zone.outline, strict=True))
        if right > width or bottom > height:
            raise PictureError(
                f"zone {name} reaches to {right}, {bottom}, the picture has {width}x{height} pixels: draw it anew"
            )


def _draw(name: str, zone: ZoneConfig, grid: _Grid) -> _Drawing:
    check_zones({name: zone}, grid.frame_width, grid.frame_height)
    plane = drawn(zone.outline, grid.area, (grid.width, grid.height))
    if plane is None:  # it fills what is looked at
        plane = np.ones((grid.height, grid.width), np.uint8)
    below = np.zeros((grid.width, grid.height + 1))
    np.cumsum(plane.T, axis=1, out=below[:, 1:])
    below *= grid.area.height / grid.height
    before = np.zeros(grid.frame_width + 1)
    columns, covered = _grid_columns(np.arange(grid.frame_width), grid)
    np.cumsum(np.where(covered, below[columns, -1], 0), out=before[1:])
    return _Drawing(name, zone.least_share, grid, np.asarray(cv2.integral(plane), np.int32), below, before)


def _grid_columns(columns: NDArray[np.integer], grid: _Grid) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Give the grid column of each frame column, and whether the grid covers it."""
    found = np.floor((columns + 0.5 - grid.area.x) * grid.width / grid.area.width).astype(np.intp)
    return np.clip(found, 0, grid.width - 1), (found >= 0) & (found < grid.width)


def _by_box(zone: _Drawing, regions: Sequence[Region]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Say which regions lie in a zone as a whole, by their boxes, and which may do so in part."""
    grid = zone.grid
    x, y, width, height = np.array([region.bbox for region in regions]).T
    left, right = _span(x - grid.area.x, width, grid.width / grid.area.width, grid.width)
    top, bottom = _span(y - grid.area.y, height, grid.height / grid.area.height, grid.height)
    sums = zone.sums
    held = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
    whole = held == (bottom - top) * (right - left)
    return whole & (held > 0), (held > 0) & ~whole


def _span(
    begin: NDArray[np.integer], length: NDArray[np.integer], scale: float, most: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Give the first and the last but one grid line around spans of frame pixels."""
    first = np.clip(np.floor(begin * scale), 0, most)
    last = np.clip(np.ceil((begin + length) * scale), 0, most)
    return first.astype(np.intp), last.astype(np.intp)


class _Counted(NamedTuple):
    """Regions whose pixels are counted; their runs, one region after the other."""

    edges: NDArray[np.int64]  # where ones begin and end, by turns, in pixels down the columns
    first: NDArray[np.intp]  # place of each region's first edge
    area: NDArray[np.int64]

    @classmethod
    def of(cls, regions: Sequence[Region]) -> _Counted:
        """Read the runs."""
        ends = [np.cumsum(runs_of(region.segmentation)) for region in regions]
        edges = [each[: len(each) // 2 * 2] for each in ends]
        first = np.cumsum([0, *(len(each) for each in edges[:-1])])
        area = np.array([region.area_px for region in regions], np.int64)
        return cls(np.concatenate(edges) if edges else np.zeros(0, np.int64), first, area)

    def lie_in(self, zone: _Drawing) -> NDArray[np.bool_]:
        """Say which of them have enough pixels in a zone."""
        grid = zone.grid
        column, row = np.divmod(self.edges, grid.frame_height)
        here, covered = _grid_columns(column, grid)
        rows = np.clip((row - grid.area.y) * grid.height / grid.area.height, 0, grid.height)
        whole = np.minimum(rows.astype(np.intp), grid.height - 1)
        above = zone.below[here, whole]
        above = above + (rows - whole) * (zone.below[here, whole + 1] - above)
        so_far = zone.before[column] + np.where(covered, above, 0)  # of the zone before each edge, down the columns
        so_far[0::2] *= -1
        pixels = np.add.reduceat(so_far, self.first)
        return np.asarray(pixels >= zone.least_share * self.area - _SLACK_PX, np.bool_)
