"""Large pictures: what the reduced picture loses is found, once, where it lies; and nothing is looked at in vain."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge.bundle import open_bundle
from edge.errors import BundleError, PictureError
from edge.picture import read_picture
from edge.region import Box
from edge.regions import regions
from edge.runtimes.scripted import Scripted
from edge.segment import Segmenter, open_segmenter
from edge.strict_yaml import loads
from edge.tile_config import TilingConfig
from edge.tiles.tiled import TiledSegmenter
from tests.forms import planes, reduced

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.mask import Plane
    from edge.picture import Picture
    from edge.region import Region

ROOT = Path(__file__).parents[3]
SPOT = 1


class Counted(Scripted):
    """Finds red at half of 160x120, and counts how often it was asked."""

    def __init__(self) -> None:
        super().__init__(Path("model.txt"))
        self.times = 0

    def infer(self, picture: Picture) -> tuple[Plane, Plane]:
        self.times += 1
        return super().infer(picture)


@pytest.fixture
def network() -> Counted:
    return Counted()


def look(network: Counted, how: str) -> TiledSegmenter:
    segmenter = Segmenter(network, width=160, height=120, output=(60, 80))
    return TiledSegmenter(segmenter, loads(how, "how", TilingConfig), [SPOT])


def with_spots(width: int, height: int, *spots: tuple[int, int, int, int]) -> Picture:
    picture = np.full((height, width, 3), 128, np.uint8)
    for x, y, w, h in spots:
        picture[y : y + h, x : x + w] = (0, 0, 255)
    return picture


def found(look: TiledSegmenter | Segmenter, picture: Picture) -> list[Region]:
    return regions(look(picture), ("good", "spot"), ["spot"])


def test_tiles_find_what_the_reduced_picture_loses(network: Counted) -> None:
    picture = with_spots(1600, 1200, (903, 517, 8, 8))
    assert found(Segmenter(network, width=160, height=120), picture) == []
    (spot,) = found(look(network, "tiles: {}"), picture)
    assert spot.bbox.x == pytest.approx(903, abs=2)
    assert spot.bbox.y == pytest.approx(517, abs=2)
    assert spot.area_px == pytest.approx(64, abs=24)
    assert spot.segmentation.size == (1200, 1600)


@pytest.mark.parametrize("at", range(90, 190, 9))
def test_a_defect_across_a_seam_is_one_region_wherever_the_seam_lies(network: Counted, at: int) -> None:
    (spot,) = found(look(network, "tiles: {overlap: 0.1}"), with_spots(478, 355, (at, at, 40, 24)))
    assert spot.area_px == pytest.approx(40 * 24, rel=0.08)
    assert spot.centroid == pytest.approx((at + 20, at + 12), abs=1.5)


def test_a_tile_may_be_of_another_size_than_the_network_takes(network: Counted) -> None:
    large = look(network, "tiles: {size: [320, 240]}")
    (spot,) = found(large, with_spots(1600, 1200, (700, 500, 60, 40)))
    assert spot.area_px == pytest.approx(60 * 40, rel=0.05)
    coverage = large(with_spots(1600, 1200)).coverage
    assert coverage is not None
    assert coverage.tiles == len(coverage.examined) == 6 * 6


def test_a_strip_of_a_line_scan_camera_is_looked_at_from_end_to_end(network: Counted) -> None:
    strip = with_spots(512, 20_000, (5, 3, 40, 40), (300, 9_990, 40, 40), (460, 19_950, 40, 40))
    spots = sorted(region.bbox.y for region in found(look(network, "tiles: {size: [512, 384]}"), strip))
    assert spots == pytest.approx([3, 9_990, 19_950], abs=4)


def test_only_the_region_of_interest_is_looked_at_and_places_stay_those_of_the_frame(network: Counted) -> None:
    picture = with_spots(640, 480, (50, 50, 40, 40), (400, 300, 40, 40))
    part = look(network, "roi: [320, 240, 320, 240]")
    (spot,) = found(part, picture)
    assert spot.bbox == pytest.approx((400, 300, 40, 40), abs=2)
    assert network.times == 1
    mask = part(picture)
    assert mask.coverage is not None
    assert mask.coverage.area == Box(320, 240, 320, 240)
    drawn = mask.on_frame()
    assert drawn.shape == (480, 640)
    assert drawn[320, 420] == SPOT
    assert not drawn[:240].any()
    shown = mask.over_frame(64, 48)
    assert shown[32, 42] == SPOT
    assert np.count_nonzero(shown) == pytest.approx(4 * 4, abs=9)


def test_of_a_polygon_nothing_outside_counts_and_tiles_outside_are_left_out(network: Counted) -> None:
    picture = with_spots(640, 480, (100, 100, 30, 30), (560, 420, 30, 30))
    part = look(network, "{roi: [[0, 0], [639, 0], [0, 479]], tiles: {}}")
    (spot,) = found(part, picture)
    assert spot.bbox == pytest.approx((100, 100, 30, 30), abs=2)
    assert network.times < 25
    mask = part(picture)
    assert mask.coverage is not None
    assert mask.coverage.tiles == len(mask.coverage.examined) < 25
    assert mask.scores[-1, -1] == 0


def test_a_cascade_takes_one_look_where_there_is_nothing_to_see(network: Counted) -> None:
    mask = look(network, "{tiles: {}, cascade: {}}")(with_spots(1600, 1200))
    assert network.times == 1
    assert mask.coverage is not None
    assert (mask.coverage.tiles, mask.coverage.examined) == (13 * 13, ())


def test_a_cascade_looks_closer_where_it_saw_something_or_was_unsure(network: Counted) -> None:
    clear, faint = (203, 185, 24, 20), (1203, 955, 8, 8)
    near = look(network, "{tiles: {}, cascade: {unsure_below: 0.9}}")
    picture = with_spots(1600, 1200, clear, faint)
    spots = found(near, picture)
    assert [spot.bbox for spot in spots] == [pytest.approx(clear, abs=2), pytest.approx(faint, abs=2)]
    assert network.times < 12
    coverage = near(picture).coverage
    assert coverage is not None
    for x, y, w, h in (clear, faint):
        assert any(
            b.x <= x and b.y <= y and b.x + b.width >= x + w and b.y + b.height >= y + h for b in coverage.examined
        )


def test_what_a_cascade_is_told_to_be_sure_of_is_not_looked_at_again(network: Counted) -> None:
    assert (
        found(look(network, "{tiles: {}, cascade: {unsure_below: 0.0}}"), with_spots(1600, 1200, (1203, 955, 8, 8)))
        == []
    )
    assert network.times == 1


def test_the_reduced_picture_tells_what_no_tile_can_see_whole(network: Counted) -> None:
    class OnlySmall(Counted):
        """Takes a picture that is red all over for a good one."""

        def infer(self, picture: Picture) -> tuple[Plane, Plane]:
            classes, scores = super().infer(picture)
            return (classes * 0, scores) if classes.all() else (classes, scores)

    picture = with_spots(1600, 1200, (200, 200, 900, 700))
    hollow = sum(spot.area_px for spot in found(look(OnlySmall(), "tiles: {}"), picture))
    (spot,) = found(look(OnlySmall(), "tiles: {whole: true}"), picture)
    assert hollow < 0.7 * 900 * 700
    assert spot.area_px == pytest.approx(900 * 700, rel=0.02)


def test_settings_that_do_not_fit_the_picture_are_told(network: Counted) -> None:
    for how, said in (("tiles: {}", "larger than the 100x80"), ("roi: [90, 0, 60, 60]", "roi reaches to 150, 60")):
        with pytest.raises(PictureError, match=said):
            look(network, how)(with_spots(100, 80))


def test_frames_may_change_their_size(network: Counted) -> None:
    tiles = look(network, "tiles: {}")
    for width, height in ((480, 360), (160, 120), (481, 361)):
        (spot,) = found(tiles, with_spots(width, height, (60, 40, 30, 20)))
        assert spot.area_px == pytest.approx(600, rel=0.1)


def test_a_network_whose_masks_are_of_unknown_size_is_refused(network: Counted) -> None:
    with pytest.raises(BundleError, match="open it from a bundle"):
        TiledSegmenter(Segmenter(network, width=160, height=120), TilingConfig(), [SPOT])


def tray(names: Sequence[str]) -> tuple[Picture, list[Picture]]:
    leaves = [read_picture(ROOT / "edge" / "demo" / "pictures" / f"leaf-{name}.jpg") for name in names]
    return np.vstack([np.hstack(leaves[:2]), np.hstack(leaves[2:])]).astype(np.uint8), leaves


def test_the_shipped_network_sees_leaves_on_a_tray_as_it_sees_each_by_itself() -> None:
    bundle = open_bundle(ROOT / "edge" / "demo" / "coffee-leaf.loupe")
    picture, leaves = tray(("02", "04", "06", "08"))
    how = loads("tiles: {size: [1024, 512]}", "how", TilingConfig)
    with open_segmenter(bundle, threads=1) as segmenter:
        seen = TiledSegmenter(segmenter, how, [2])(picture).on_frame()
        reduced = segmenter(picture).on_frame()
        alone = [segmenter(leaf).on_frame() for leaf in leaves]
    expected = np.vstack([np.hstack(alone[:2]), np.hstack(alone[2:])]) == 2

    def agreement(mask: Plane) -> float:
        return float(((mask == 2) & expected).sum() / ((mask == 2) | expected).sum())

    assert agreement(seen) > 0.9
    assert agreement(seen) > agreement(reduced) + 0.03


@pytest.mark.parametrize("how", ["tiles: {}", "{tiles: {}, roi: [101, 51, 399, 301]}", "{tiles: {}, cascade: {}}"])
def test_pictures_may_come_as_decoders_give_them(network: Counted, how: str) -> None:
    picture = with_spots(640, 480, (203, 155, 60, 40))
    look_at = look(network, how)
    plain = look_at(picture)
    for image in (planes(picture), reduced(picture, 160, 120)):
        seen = look_at(image)
        assert seen.coverage == plain.coverage
        assert (seen.classes == plain.classes).mean() > 0.99


def test_nothing_is_reduced_that_no_network_looks_at(network: Counted) -> None:
    picture = with_spots(1600, 1200)
    assert look(network, "tiles: {}").prepare(picture).size == 0
    for how in ("tiles: {whole: true}", "tiles: {}\ncascade: {}", "roi: [90, 0, 60, 60]"):
        assert look(network, how).prepare(picture).shape == (120, 160, 3)
