"""Tiled: looks at large pictures part by part, at what matters of them only, and closely only where it is worth it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from edge.errors import BundleError, PictureError
from edge.mask import Coverage, Mask
from edge.pictures.image import cut
from edge.region import Box
from edge.tiles.layout import lay
from edge.tiles.mosaic import Mosaic, with_context
from edge.tiles.roi import area_of, drawn

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from edge.picture import Picture
    from edge.pictures.image import Image
    from edge.segment import Segmenter
    from edge.tile_config import TilingConfig
    from edge.tiles.first_look import FirstLook
    from edge.tiles.layout import Layout, Tile


_NOTHING = np.zeros((0, 0, 3), np.uint8)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """What there is to look at in frames of one size."""

    frame: tuple[int, int]  # width, height
    area: Box  # of the frame
    layout: Layout  # over the area
    tiles: tuple[Tile, ...]  # those that the region of interest touches


def plan(how: TilingConfig, frame: tuple[int, int], taken: tuple[int, int], given: tuple[int, int]) -> Plan:
    """Plan the looks at frames of one size; all sizes are width, height.

    Args:
        how: the settings.
        frame: its size.
        taken: by the network.
        given: by the network.

    Raises:
        PictureError: region of interest or tiles do not fit the frame, or there are too many.
    """
    area = area_of(how.roi, *frame)
    if how.tiles is None:
        layout = lay((area.width, area.height), (area.width, area.height), given, overlap=0, most=1)
    else:
        tile, overlap = how.tiles.size or taken, how.tiles.overlap
        layout = lay((area.width, area.height), tile, given, overlap=overlap, most=how.tiles.most)
    inside = drawn(how.roi, area, layout.grid)
    touched = tuple(tile for tile in layout if inside is None or inside[tile.place].any())
    if not touched:  # or nothing would be found in it, for ever
        raise PictureError("roi holds not a single pixel of the network's masks: draw it larger")
    return Plan(frame=frame, area=area, layout=layout, tiles=touched)


class TiledSegmenter:
    """Looks at the pictures of one camera as its settings say; belongs to the thread of the networks it runs."""

    def __init__(
        self, segmenter: Segmenter, how: TilingConfig, wanted: Collection[int], first_look: FirstLook | None = None
    ) -> None:
        """Take the network, `how` to use it, and the classes for whose sake a part is `wanted` to be looked at closer.

        Raises BundleError: nobody said what the network gives.
        """
        if segmenter.output is None:
            raise BundleError("the size of the network's masks is not known: open it from a bundle")
        self._segmenter, self._how, self._first_look = segmenter, how, first_look
        self.width = self.height = 0  # nothing may be lost before
        self._grid = segmenter.output[::-1]
        self._glancing = segmenter if first_look is None else first_look.segmenter
        self._glances = how.cascade is not None or (how.tiles is not None and how.tiles.whole)
        self._wanted = np.isin(np.arange(256), list(wanted))
        self._plan: Plan | None = None

    def __call__(self, picture: Image) -> Mask:
        """Segment one picture. Raises as `see` does."""
        return self.see(picture, self.prepare(picture))

    def prepare(self, picture: Image) -> Picture:
        """Reduce the part that matters to what the network takes that looks first; to nothing where none does."""
        try:
            what = self._planned(picture)
        except PictureError:  # `see` will tell
            return _NOTHING
        if len(what.layout) > 1 and not self._glances:
            return _NOTHING
        height, width = picture.shape[:2]
        return self._glancing.prepare(picture if what.area == (0, 0, width, height) else cut(picture, *what.area))

    def see(self, picture: Image, prepared: Picture) -> Mask:
        """Segment a picture that was prepared. Raises ModelError; PictureError when it does not fit the settings."""
        what = self._planned(picture)
        if len(what.layout) == 1 and self._first_look is None:  # what was prepared is the only tile
            mask, close = self._glance(prepared, what.area), what.tiles
        else:
            first = self._glance(prepared, what.area) if self._glances else None
            close = what.tiles if first is None or self._how.cascade is None else self._worth_a_look(what.tiles, first)
            if first is not None and not close:
                mask = first
            else:
                mask = self._look_closer(cut(picture, *what.area), what, close, first)
        coverage = Coverage(
            area=what.area,
            tiles=len(what.tiles),
            examined=tuple(Box(what.area.x + x, what.area.y + y, w, h) for x, y, w, h in (one.box for one in close)),
            first_look=self._first_look.sha256 if self._first_look else None,
        )
        return replace(mask, frame_width=what.frame[0], frame_height=what.frame[1], coverage=coverage)

    def _planned(self, picture: Image) -> Plan:
        frame = picture.shape[1], picture.shape[0]
        known = self._plan
        if known is None or known.frame != frame:
            taken = self._segmenter.width, self._segmenter.height
            known = self._plan = plan(self._how, frame, taken, self._grid)
        return known

    def _glance(self, prepared: Picture, area: Box) -> Mask:
        """Look at the whole area, reduced."""
        mask = self._glancing.infer(prepared, area.width, area.height)
        if self._first_look is not None:
            mask = replace(mask, classes=self._first_look.classes[mask.classes], borders=None)
        return self._cut_out(mask, area)

    def _worth_a_look(self, tiles: Sequence[Tile], first: Mask) -> tuple[Tile, ...]:
        """Choose tiles where the first look, or a pixel of its grid beside them, saw something or was unsure."""
        limit = round(255 * self._how.cascade.unsure_below) if self._how.cascade else 0
        doubt = self._wanted[first.classes] | ((first.scores < limit) & (first.scores > 0))
        rows, columns = doubt.shape
        down, across = rows / first.frame_height, columns / first.frame_width

        def doubtful(box: Box) -> bool:
            top, bottom = int(box.y * down), int((box.y + box.height) * down)
            left, right = int(box.x * across), int((box.x + box.width) * across)
            return bool(doubt[max(top - 1, 0) : bottom + 2, max(left - 1, 0) : right + 2].any())

        return tuple(tile for tile in tiles if doubtful(tile.box))

    def _look_closer(self, part: Image, what: Plan, close: Sequence[Tile], first: Mask | None) -> Mask:
        mosaic = Mosaic(what.layout)
        examined = {tile.box for tile in close}
        for tile in what.tiles:
            if tile.box in examined:
                mosaic.add(tile, self._segmenter(cut(part, *tile.box)))
            elif first is not None:
                mosaic.add(tile, _magnified(first, tile.box, self._grid))
        mask = mosaic.mask()
        if first is not None and self._how.tiles is not None and self._how.tiles.whole:
            mask = with_context(mask, first, what.layout.tile)
        return self._cut_out(mask, what.area)

    def _cut_out(self, mask: Mask, area: Box) -> Mask:
        """Forget what was seen outside the region of interest."""
        inside = drawn(self._how.roi, area, mask.classes.shape[::-1])
        if inside is None:
            return mask
        return replace(mask, classes=mask.classes * inside, scores=mask.scores * inside)


def _magnified(mask: Mask, box: Box, grid: tuple[int, int]) -> Mask:
    """Give what a mask of the whole shows of a part, on the grid that a closer look would have."""
    rows, columns = mask.classes.shape
    down = (box.y + (np.arange(grid[1]) + 0.5) * box.height / grid[1]) * rows / mask.frame_height
    across = (box.x + (np.arange(grid[0]) + 0.5) * box.width / grid[0]) * columns / mask.frame_width
    place = np.ix_(down.astype(int), across.astype(int))
    return Mask(classes=mask.classes[place], scores=mask.scores[place], frame_width=box.width, frame_height=box.height)
