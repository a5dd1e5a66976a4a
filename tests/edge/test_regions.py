"""Blobs, and their outlines at frame resolution."""

from __future__ import annotations

from dataclasses import replace
from operator import itemgetter

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edge.mask import Mask
from edge.regions import regions
from edge.rle import decode

LABELS = ("background", "leaf", "lesion")
WANTED = ("leaf", "lesion")


def mask_of(classes: np.ndarray, scale: float = 4.0, score: int = 230) -> Mask:
    height, width = classes.shape
    return Mask(
        classes=classes.astype(np.uint8),
        scores=np.full(classes.shape, score, np.uint8),
        frame_width=round(width * scale),
        frame_height=round(height * scale),
    )


def test_nothing_gives_no_regions() -> None:
    assert regions(mask_of(np.zeros((10, 20))), LABELS, WANTED) == []


def test_blobs_of_all_classes_come_largest_first() -> None:
    classes = np.zeros((40, 60))
    classes[5:20, 5:30] = 1
    classes[30:34, 40:44] = 2
    found = regions(mask_of(classes), LABELS, WANTED)
    assert [(region.id, region.label) for region in found] == [(1, "leaf"), (2, "lesion")]
    assert found[0].bbox == (20, 20, 100, 60)
    assert found[1].score == pytest.approx(230 / 255)


def test_classes_that_are_not_wanted_are_left_out() -> None:
    classes = np.ones((10, 10))
    classes[2:4, 2:4] = 2
    assert [region.label for region in regions(mask_of(classes), LABELS, ("lesion",))] == ["lesion"]


def test_pixels_that_touch_at_a_corner_are_one_blob() -> None:
    classes = np.zeros((10, 10))
    classes[2, 2] = classes[3, 3] = 1
    assert len(regions(mask_of(classes), LABELS, WANTED)) == 1


def test_a_blob_touching_the_border_reaches_the_border_of_the_frame() -> None:
    classes = np.zeros((10, 10))
    classes[:3, :] = 1
    (region,) = regions(mask_of(classes), LABELS, WANTED)
    assert region.bbox[:3] == (0, 0, 40)
    assert decode(region.segmentation)[0].all()


def test_a_single_pixel_is_kept() -> None:
    classes = np.zeros((10, 10))
    classes[4, 6] = 2
    (region,) = regions(mask_of(classes), LABELS, WANTED)
    assert region.area_px > 0
    assert region.centroid == pytest.approx((25.5, 17.5), abs=0.5)


def test_a_hole_stays_open() -> None:
    classes = np.zeros((30, 30))
    classes[5:25, 5:25] = 1
    classes[12:18, 12:18] = 0
    (region,) = regions(mask_of(classes), LABELS, WANTED)
    drawn = decode(region.segmentation)
    assert drawn[60, 60] == 0
    assert drawn[30, 30] == 1


def test_the_outline_follows_the_scores_between_grid_pixels() -> None:
    """A disc given by soft scores on a coarse grid is drawn with under a tenth of a grid pixel's error."""
    size, scale, radius = 48, 8, 13.3
    fine = np.zeros((size * scale, size * scale), np.uint8)
    cv2.circle(fine, (190, 190), round(radius * scale), 1, -1)
    share = fine.reshape(size, scale, size, scale).mean(axis=(1, 3))
    classes = (share >= 0.5).astype(np.uint8)
    scores = np.round(np.where(classes, share, 1 - share) * 255).astype(np.uint8)
    mask = Mask(classes=classes, scores=scores, frame_width=size * scale, frame_height=size * scale)
    (region,) = regions(mask, LABELS, WANTED)
    wrong = decode(region.segmentation) != fine
    assert wrong.sum() < 0.1 * scale * 2 * np.pi * radius * scale


@given(arrays(np.uint8, (9, 13), elements=st.integers(0, 2)), st.floats(1.0, 7.0))
def test_regions_of_one_class_never_overlap_and_measures_agree(classes: np.ndarray, scale: float) -> None:
    found = regions(mask_of(classes, scale), LABELS, WANTED)
    for class_id in (1, 2):
        drawings = [decode(region.segmentation) for region in found if region.class_id == class_id]
        if drawings:
            assert np.sum(drawings, axis=0).max() <= 1
    for region in found:
        drawn = decode(region.segmentation)
        assert drawn.sum() == region.area_px
        rows, columns = np.nonzero(drawn)
        box = (columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1)
        assert tuple(region.bbox) == tuple(int(v) for v in box)
        assert region.centroid == pytest.approx((columns.mean(), rows.mean()))


def test_the_frame_size_map_agrees_with_the_regions() -> None:
    classes = np.zeros((40, 60))
    cv2.ellipse(classes, (30, 20), (18, 9), 20, 0, 360, 1, -1)
    mask = mask_of(classes, 5.0)
    (region,) = regions(mask, LABELS, WANTED)
    assert np.array_equal(decode(region.segmentation), mask.on_frame())


def two_discs(gap_px: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draw two discs that touch; give them, and the border between them."""
    classes, border = np.zeros((40, 60), np.uint8), np.zeros((40, 60), np.uint8)
    cv2.circle(classes, (20, 20), 10, 1, -1)
    cv2.circle(classes, (39 + gap_px, 20), 10, 1, -1)
    border[:, 29:31] = 255
    return classes, cv2.bitwise_and(border, 255 * classes)


def test_touching_objects_are_told_apart_by_the_border_and_nothing_is_lost() -> None:
    classes, border = two_discs()
    (whole,) = regions(mask_of(classes), LABELS, WANTED)
    left, right = regions(replace(mask_of(classes), borders=border), LABELS, WANTED)
    assert left.area_px + right.area_px == pytest.approx(whole.area_px, rel=0.01)
    assert abs(left.centroid[0] - right.centroid[0]) == pytest.approx(19 * 4, abs=4)
    assert not (decode(left.segmentation) & decode(right.segmentation)).any()


def test_a_border_within_one_object_does_not_tear_it_apart_where_it_is_open() -> None:
    classes, border = two_discs()
    border[:19] = 0
    assert len(regions(replace(mask_of(classes), borders=border), LABELS, WANTED)) == 1


def test_an_object_that_is_all_border_is_an_object() -> None:
    classes, border = two_discs()
    classes[2:4, 50:54] = 2
    border[2:4, 50:54] = 255
    found = regions(replace(mask_of(classes), borders=border), LABELS, WANTED)
    assert [region.label for region in found] == ["leaf", "leaf", "lesion"]
    assert found[2].bbox == (200, 8, 16, 8)


def test_objects_of_one_size_come_in_the_whole_grids_order() -> None:
    classes = np.zeros((20, 20))
    classes[1, 5] = classes[2, 1] = 1  # from row 1 on, the lower one would come first
    assert [region.bbox.y for region in regions(mask_of(classes), LABELS, WANTED)] == [4, 8]


@st.composite
def masks(draw: st.DrawFn) -> Mask:
    """Draw squares and lines on grids of 1x1 to 64x64, also over their edges; lines are borders."""
    height, width = draw(st.tuples(st.integers(1, 64), st.integers(1, 64)))
    place = st.tuples(st.integers(-4, width + 4), st.integers(-4, height + 4))
    classes, borders = np.zeros((2, height, width), np.uint8)
    for (x, y), side, class_id in draw(st.lists(st.tuples(place, st.integers(1, 20), st.integers(0, 2)), max_size=8)):
        cv2.rectangle(classes, (x, y), (x + side, y + side), class_id, -1)
    for one, other, thick in draw(st.lists(st.tuples(place, place, st.integers(1, 5)), max_size=6)):
        cv2.line(borders, one, other, 255, thick)
    scores = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 256, classes.shape, np.uint8)
    across, down = draw(st.tuples(st.integers(width, 3 * width), st.integers(height, 3 * height)))
    return Mask(classes=classes, scores=scores, frame_width=across, frame_height=down, borders=borders)


def objects_of(mask: Mask, class_id: int) -> list[np.ndarray]:
    """Tell a class's objects apart on the whole grid, one by one."""
    assert mask.borders is not None
    member = mask.classes == class_id
    core = member & (mask.borders == 0)
    count, whole = cv2.connectedComponents(member.view(np.uint8))
    for number in range(1, count):
        if not core[whole == number].any():
            core |= whole == number
    count, numbered = cv2.connectedComponents(core.view(np.uint8))
    if count == 1:
        return []
    nearest = cv2.distanceTransformWithLabels((~core).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)[1]
    return [member & np.isin(nearest, nearest[numbered == number]) for number in range(1, count)]


@given(masks())
def test_touching_objects_are_what_each_is_alone_on_the_whole_grid(mask: Mask) -> None:
    expected = []
    for class_id, label in ((1, "leaf"), (2, "lesion")):
        for one in objects_of(mask, class_id):
            alone = regions(replace(mask, classes=one * np.uint8(class_id), borders=None), LABELS, (label,))
            if alone:  # it covers the centre of a pixel of the frame
                drawn = sum(decode(region.segmentation) for region in alone)
                expected.append((label, np.sum(drawn), np.mean(mask.scores[one]) / 255, drawn))
    expected.sort(key=itemgetter(1), reverse=True)
    found = regions(mask, LABELS, WANTED)
    assert [(region.label, region.area_px) for region in found] == [one[:2] for one in expected]
    assert [region.score for region in found] == pytest.approx([one[2] for one in expected])
    assert all(np.array_equal(decode(r.segmentation), one[3]) for r, one in zip(found, expected, strict=True))


@given(arrays(np.uint8, (12, 17), elements=st.integers(0, 2)), arrays(np.bool_, (12, 17)))
def test_borders_take_no_pixel_from_any_class(classes: np.ndarray, drawn: np.ndarray) -> None:
    whole = mask_of(classes, scale=1.0)
    apart = replace(whole, borders=np.where(drawn & (classes > 0), 255, 0).astype(np.uint8))
    for label in WANTED:
        one, many = (sum(decode(r.segmentation) for r in regions(m, LABELS, (label,))) for m in (whole, apart))
        assert np.array_equal(one, many)
