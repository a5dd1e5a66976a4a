"""Mosaics: tiles put together as if the network had seen all at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.mask import Mask
from edge.regions import regions
from edge.tiles.layout import Layout, lay
from edge.tiles.mosaic import Mosaic, with_context

LABELS = ("good", "spot", "crack")
SIDE = 32
"""Pixels and grid pixels to a side of a tile: one each."""


def layout_of(width: int, height: int = SIDE, overlap: float = 0.25) -> Layout:
    return lay((width, height), (SIDE, SIDE), (SIDE, SIDE), overlap=overlap, most=1000)


def cut(classes: np.ndarray, scores: np.ndarray, layout: Layout) -> Mosaic:
    """Let every tile see its part of a mask."""
    mosaic = Mosaic(layout)
    for tile in layout:
        x, y, width, height = tile.box
        part = slice(y, y + height), slice(x, x + width)
        mosaic.add(tile, mask_of(classes[part], scores[part]))
    return mosaic


def mask_of(classes: np.ndarray, scores: np.ndarray | int = 230, borders: np.ndarray | None = None) -> Mask:
    height, width = classes.shape
    given = np.broadcast_to(np.asarray(scores, np.uint8), classes.shape).copy()
    return Mask(classes=classes.astype(np.uint8), scores=given, frame_width=width, frame_height=height, borders=borders)


@given(st.integers(SIDE, 150), st.integers(SIDE, 90), st.floats(0, 0.5), st.randoms(use_true_random=False))
def test_tiles_that_agree_give_exactly_what_they_saw(width: int, height: int, overlap: float, chance: object) -> None:
    rng = np.random.default_rng(chance.getrandbits(32))  # type: ignore[attr-defined] # a random.Random
    classes = rng.integers(0, 4, (height, width), np.uint8)
    scores = rng.integers(70, 256, (height, width), np.uint8)
    seen = cut(classes, scores, layout_of(width, height, overlap)).mask()
    assert np.array_equal(seen.classes, classes)
    assert np.array_equal(seen.scores, scores)


def test_where_tiles_disagree_probability_goes_over_without_a_step() -> None:
    layout = lay((400, 256), (256, 256), (256, 256), overlap=0.4, most=2)
    mosaic = Mosaic(layout)
    left, right = layout
    mosaic.add(left, mask_of(np.ones((256, 256)), 230))
    mosaic.add(right, mask_of(np.zeros((256, 256)), 230))
    seen = mosaic.mask()
    of_spot = np.where(seen.classes[0] == 1, seen.scores[0], 255 - seen.scores[0].astype(int))
    assert of_spot[:180].tolist() == [230] * 180
    assert of_spot[220:].tolist() == [25] * 180
    steps = np.diff(of_spot[180:220])
    assert (steps <= 0).all()
    assert steps.min() >= -52


@pytest.mark.parametrize("order", [1, -1])
def test_the_order_of_tiles_does_not_matter(order: int) -> None:
    rng = np.random.default_rng(7)
    layout = layout_of(80, 56)
    looks = [(tile, mask_of(rng.integers(0, 2, (SIDE, SIDE)), rng.integers(128, 256, (SIDE, SIDE)))) for tile in layout]
    forth, back = Mosaic(layout), Mosaic(layout)
    for tile, mask in looks:
        forth.add(tile, mask)
    for tile, mask in reversed(looks):
        back.add(tile, mask)
    one, other = forth.mask(), back.mask()
    undecided = one.scores < 129
    assert np.array_equal(one.classes[~undecided], other.classes[~undecided])
    assert np.abs(one.scores.astype(int) - other.scores).max() <= 1


def test_what_one_tile_sees_cut_off_at_its_edge_is_seen_whole_by_its_neighbour() -> None:
    layout = layout_of(56)
    mosaic = Mosaic(layout)
    for tile in layout:
        classes = np.zeros((SIDE, SIDE))
        if tile.box.x:
            classes[10:14, 29 - tile.box.x : 35 - tile.box.x] = 1  # the left one misses what it has of it
        mosaic.add(tile, mask_of(classes, 240))
    (found,) = regions(mosaic.mask(), LABELS, ["spot"])
    assert found.bbox == (29, 10, 6, 4)


@pytest.mark.parametrize("at", range(0, 70, 3))
def test_a_defect_across_a_seam_is_one_region(at: int) -> None:
    classes = np.zeros((56, 100))
    classes[20:36, at : at + 30] = 2
    seen = cut(classes, np.full(classes.shape, 220, np.uint8), layout_of(100, 56)).mask()
    (found,) = regions(seen, LABELS, ["crack"])
    assert found.area_px == 16 * 30
    assert found.score == pytest.approx(220 / 255)


def test_nobody_looked_means_class_zero_with_score_zero() -> None:
    layout = layout_of(100)
    mosaic = Mosaic(layout)
    mosaic.add(next(iter(layout)), mask_of(np.ones((SIDE, SIDE))))
    seen = mosaic.mask()
    assert (seen.scores[:, -SIDE:] == 0).all()
    assert (seen.classes[:, -SIDE:] == 0).all()
    assert (seen.classes[:, :20] == 1).all()


def test_borders_are_those_of_the_tile_that_lies_best() -> None:
    layout = layout_of(56)
    mosaic = Mosaic(layout)
    for tile, value in zip(layout, (255, 0), strict=True):
        mosaic.add(tile, mask_of(np.ones((SIDE, SIDE)), borders=np.full((SIDE, SIDE), value, np.uint8)))
    borders = mosaic.mask().borders
    assert borders is not None
    assert (borders[:, :28] == 255).all()
    assert (borders[:, 29:] == 0).all()


def test_the_reduced_picture_adds_what_is_larger_than_a_tile_only() -> None:
    whole = np.zeros((20, 40))
    whole[2:18, 2:24] = 1
    whole[5:9, 30:34] = 2
    small = np.zeros((80, 160))
    small[30:34, 40:44] = 2
    reduced = Mask(
        classes=whole.astype(np.uint8),
        scores=np.full(whole.shape, 200, np.uint8),
        frame_width=320,
        frame_height=160,
    )
    tiled = Mask(
        classes=small.astype(np.uint8),
        scores=np.full(small.shape, 220, np.uint8),
        frame_width=320,
        frame_height=160,
    )
    seen = with_context(tiled, reduced, (64, 64))
    assert seen.classes[31, 41] == 2
    assert seen.scores[31, 41] == 220
    assert seen.classes[40, 40] == 1
    assert seen.scores[40, 40] == 200
    assert (seen.classes[20:36, 120:136] == 0).all()
    assert (tiled.classes != seen.classes).any()
