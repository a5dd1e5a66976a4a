"""Tiles: every pixel of the picture, no tile beyond its edge, and votes that add up."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import PictureError
from edge.tiles.layout import FULL, Layout, lay


@st.composite
def layouts(draw: st.DrawFn) -> tuple[Layout, tuple[int, int], float]:
    cells = draw(st.integers(4, 90)), draw(st.integers(4, 90))
    tile = tuple(draw(st.integers(side, 4 * side)) for side in cells)
    picture = tuple(draw(st.integers(side, 9 * side)) for side in tile)
    overlap = draw(st.floats(0, 0.5))
    return lay((picture[0], picture[1]), (tile[0], tile[1]), cells, overlap=overlap, most=10_000), cells, overlap


@given(layouts())
def test_every_pixel_is_covered_by_tiles_of_full_size(made: tuple[Layout, tuple[int, int], float]) -> None:
    layout, _, _ = made
    covered = np.zeros((layout.height, layout.width), bool)
    for tile in layout:
        x, y, width, height = tile.box
        assert (width, height) == layout.tile
        assert x >= 0
        assert y >= 0
        assert x + width <= layout.width
        assert y + height <= layout.height
        covered[y : y + height, x : x + width] = True
    assert covered.all()
    assert len(layout) == len(list(layout))


@given(layouts())
def test_neighbours_share_what_was_asked_for(made: tuple[Layout, tuple[int, int], float]) -> None:
    layout, _, overlap = made
    for spans, tile_px in ((layout.columns, layout.tile[0]), (layout.rows, layout.tile[1])):
        for one, other in pairwise(spans):
            assert one.start_px + tile_px - other.start_px > overlap * tile_px - 1


@given(layouts())
def test_votes_over_every_grid_pixel_add_up_and_one_tile_owns_it(made: tuple[Layout, tuple[int, int], float]) -> None:
    layout, _, _ = made
    votes = np.zeros(layout.grid[::-1], int)
    owners = np.zeros(layout.grid[::-1], int)
    for tile in layout:
        votes[tile.place] += np.outer(tile.row.weights, tile.column.weights)
        owners[tile.place] += np.outer(tile.row.owns, tile.column.owns)
    assert (votes == FULL**2).all()
    assert (owners == 1).all()


@given(layouts())
def test_a_tile_lies_where_its_grid_says_to_less_than_a_grid_pixel(made: tuple[Layout, tuple[int, int], float]) -> None:
    layout, cells, _ = made
    axes = zip(
        (layout.columns, layout.rows), (layout.width, layout.height), layout.tile, cells, layout.grid, strict=True
    )
    for spans, length_px, tile_px, side, whole in axes:
        for span in spans:
            first = span.start - span.skip
            for cell in (0, side):
                off_px = span.start_px + cell * tile_px / side - (first + cell) * length_px / whole
                assert abs(off_px) < tile_px / side + 1


def test_a_picture_of_whole_tiles_needs_no_more_of_them() -> None:
    layout = lay((1024, 512), (256, 256), (128, 128), overlap=0, most=8)
    assert [tile.box[:2] for tile in layout] == [(x, y) for y in (0, 256) for x in (0, 256, 512, 768)]
    assert layout.grid == (512, 256)


def test_the_last_tile_is_moved_inward() -> None:
    layout = lay((300, 256), (256, 256), (128, 128), overlap=0.2, most=8)
    assert [tile.box.x for tile in layout] == [0, 44]


def test_a_strip_of_a_line_scan_camera_is_covered_end_to_end() -> None:
    layout = lay((2048, 20_000), (512, 512), (128, 128), overlap=0.1, most=1000)
    assert len(layout.columns) == 5
    assert layout.rows[-1].start_px + 512 == 20_000


def test_weight_grows_from_the_edge_of_a_tile_inward_but_not_from_the_edge_of_the_picture() -> None:
    first, last = lay((400, 256), (256, 256), (64, 64), overlap=0.2, most=8).columns
    assert first.weights[0] == FULL
    assert (np.diff(first.weights) <= 0).all()
    assert (np.diff(last.weights) >= 0).all()


@pytest.mark.parametrize(
    ("picture", "tile", "most", "said"),
    [
        ((640, 200), (256, 256), 99, "256x256 are larger than the 640x200 pixels to look at: set a smaller tiles.size"),
        ((3840, 2160), (256, 256), 99, "tiles.most is 99: raise it, or set a larger tiles.size or a roi"),
        ((8000, 8000), (16, 16), 10**6, "at most 10000000 are accepted: set a larger tiles.size or a roi"),
    ],
)
def test_what_does_not_fit_is_told_with_what_to_do(
    picture: tuple[int, int], tile: tuple[int, int], most: int, said: str
) -> None:
    with pytest.raises(PictureError, match=said):
        lay(picture, tile, (16, 16), overlap=0.2, most=most)
