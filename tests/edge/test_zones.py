"""Zones: counted on the grid, against counting every pixel of the frame."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.errors import PictureError
from edge.mask import Coverage, Mask
from edge.region import Box
from edge.regions import regions
from edge.rle import decode
from edge.tile_config import ZoneConfig
from edge.zones import Zones, check_zones

WIDTH, HEIGHT, SCALE = 160, 120, 2


def zone(*outline: object, least_share: float = 0.5) -> ZoneConfig:
    return ZoneConfig.model_validate({"outline": list(outline), "least_share": least_share})


def mask_of(classes: np.ndarray, area: Box | None = None) -> Mask:
    coverage = None if area is None else Coverage(area=area, tiles=1, examined=())
    scores = np.full_like(classes, 200)
    return Mask(classes=classes, scores=scores, frame_width=WIDTH, frame_height=HEIGHT, coverage=coverage)


def spot(x: int, y: int, width: int, height: int, area: Box | None = None) -> Mask:
    """A rectangle of class 1, in frame pixels."""
    classes = np.zeros((HEIGHT // SCALE, WIDTH // SCALE), np.uint8)
    if area is not None:
        classes, x, y = np.zeros((area.height // SCALE, area.width // SCALE), np.uint8), x - area.x, y - area.y
    classes[y // SCALE : (y + height) // SCALE, x // SCALE : (x + width) // SCALE] = 1
    return mask_of(classes, area)


def told(mask: Mask, **zones: ZoneConfig) -> list[tuple[str, ...]]:
    return [region.zones for region in Zones(zones).tell(regions(mask, ["good", "spot"], ["spot"]), mask)]


def test_a_region_lies_in_every_zone_that_holds_enough_of_it_and_in_no_other() -> None:
    left, right, all_of_it = zone(0, 0, 80, 120), zone(80, 0, 80, 120), zone(0, 0, 160, 120)
    assert told(spot(20, 20, 20, 20), left=left, right=right, all=all_of_it) == [("left", "all")]
    assert told(spot(72, 20, 40, 20), left=left, right=right, all=all_of_it) == [("right", "all")]


def test_how_much_of_it_is_enough_is_for_the_zone_to_say() -> None:
    across = spot(40, 20, 80, 20)  # half of it on either side
    right = zone(84, 0, 76, 120, least_share=0.4)
    strict, touched = zone(84, 0, 76, 120, least_share=0.6), zone(110, 0, 50, 120, least_share=0.01)
    assert told(across, right=right, strict=strict, touched=touched) == [("right", "touched")]


def test_zones_may_be_polygons_and_what_only_their_rectangle_holds_is_not_in_them() -> None:
    corner = zone([0, 0], [160, 0], [0, 120])
    assert told(spot(10, 10, 20, 20), corner=corner) == [("corner",)]
    assert told(spot(120, 90, 20, 20), corner=corner) == [()]


def test_without_regions_or_without_zones_there_is_nothing_to_tell() -> None:
    assert told(mask_of(np.zeros((60, 80), np.uint8)), all=zone(0, 0, 160, 120)) == []
    assert told(spot(20, 20, 20, 20)) == [()]


def test_where_only_a_part_of_the_frame_is_looked_at_zones_stay_where_they_are() -> None:
    area = Box(40, 20, 80, 60)
    assert told(spot(50, 30, 20, 20, area), left=zone(0, 0, 80, 120), far=zone(130, 90, 30, 30)) == [("left",)]
    assert told(spot(90, 30, 20, 20, area), left=zone(0, 0, 80, 120)) == [()]


def test_a_zone_beyond_the_picture_is_refused_with_its_name() -> None:
    with pytest.raises(PictureError, match="zone rim reaches to 170, 120, the picture has 160x120 pixels"):
        told(spot(20, 20, 20, 20), rim=zone(90, 0, 80, 120))
    check_zones({"rim": zone(80, 0, 80, 120)}, 160, 120)


def test_pictures_of_another_size_have_their_zones_drawn_anew() -> None:
    zones = Zones({"left": zone(0, 0, 80, 60)})
    small = spot(20, 20, 20, 20)
    large = Mask(classes=small.classes, scores=small.scores, frame_width=4 * WIDTH, frame_height=4 * HEIGHT)
    for mask, lies in ((small, ("left",)), (large, ()), (small, ("left",))):
        assert [r.zones for r in zones.tell(regions(mask, ["good", "spot"], ["spot"]), mask)] == [lies]


@pytest.mark.parametrize("seed", range(8))
def test_it_agrees_with_counting_every_pixel(seed: int) -> None:
    chance = np.random.default_rng(seed)
    noise = cv2.GaussianBlur(chance.random((HEIGHT // SCALE, WIDTH // SCALE)).astype(np.float32), (0, 0), 3)
    mask = mask_of((noise > np.quantile(noise, 0.7)).astype(np.uint8))
    points = chance.integers(0, (WIDTH // 8 + 1, HEIGHT // 8 + 1), (5, 2)) * 8
    corners = np.asarray(cv2.convexHull(points.astype(np.int32))[:, 0], np.int32)
    if np.ptp(corners, axis=0).min() < 16:
        corners = np.array([[0, 0], [96, 8], [40, 120]], np.int32)
    drawn = np.zeros((HEIGHT // SCALE, WIDTH // SCALE), np.uint8)
    half = np.rint((corners / SCALE - 0.5) * 256).astype(np.int32)
    cv2.fillPoly(drawn, [half], 1, shift=8)
    inside = np.kron(drawn, np.ones((SCALE, SCALE), np.uint8)).astype(bool)
    found = regions(mask, ["good", "spot"], ["spot"])
    shares = [inside[decode(region.segmentation) == 1].mean() for region in found]
    assert len(found) > 3
    for share in (0.01, 0.3, 0.5, 0.9, 1.0):
        zones = Zones({"it": zone(*corners.tolist(), least_share=share)})
        lies = [region.zones == ("it",) for region in zones.tell(found, mask)]
        assert lies == [bool(one >= share - 1e-9) for one in shares]
