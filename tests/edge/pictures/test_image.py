"""One picture in each form: what is asked of it is answered the same way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from edge.bundle import open_bundle
from edge.demo.appliance import BUNDLE, PICTURES
from edge.fitness.look import look_at
from edge.picture import read_picture
from edge.pictures.image import bgr, cut, grey, pack, unpack
from edge.pictures.prepare import prepare
from edge.segment import open_segmenter
from edge.slot import Slot
from tests import forms

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge.picture import Picture
    from edge.pictures.image import Image

SIZE = (1920, 1080)
LEAVES = sorted(PICTURES.glob("*.jpg"))


def shown(path: Path) -> Picture:
    """Give a real picture as a camera of 1080 lines would."""
    return np.asarray(cv2.resize(read_picture(path), SIZE, interpolation=cv2.INTER_CUBIC), np.uint8)


def small_jpeg(picture: Picture) -> Image:
    return forms.reduced(picture, 256, 256, quality=95)


FORMS: dict[str, Callable[[Picture], Image]] = {
    "planes": forms.planes,
    "jpeg": small_jpeg,
    "bgr": lambda picture: picture,
}


@pytest.fixture(params=FORMS)
def made(request: pytest.FixtureRequest) -> tuple[Image, Picture]:
    """A real picture in each form, and all of its pixels."""
    image = FORMS[request.param](shown(LEAVES[0]))
    return image, bgr(image)


def test_it_crosses_a_slot_as_it_is(made: tuple[Image, Picture], tmp_path: Path) -> None:
    image, pixels = made
    with Slot.create(tmp_path / "frames", 8 << 20) as slot:
        words, arrays = pack(image)
        slot.write({"image": words}, arrays)
        snapshot = slot.newest()
        assert snapshot is not None
        there = unpack(snapshot.meta["image"], snapshot.arrays)
        assert type(there) is type(image)
        assert there.shape == image.shape == (1080, 1920, 3)
        assert np.array_equal(bgr(there), pixels)
        kept = there.copy()
        del snapshot, there
    assert np.array_equal(bgr(kept), pixels)


@pytest.mark.parametrize("corner", [(100, 50), (101, 51)])
def test_a_rectangle_is_what_the_whole_has_there(made: tuple[Image, Picture], corner: tuple[int, int]) -> None:
    image, pixels = made
    x, y = corner
    assert np.array_equal(bgr(cut(image, x, y, 333, 201)), pixels[y : y + 201, x : x + 333])


def test_it_looks_the_same_small_and_grey(made: tuple[Image, Picture]) -> None:
    image, pixels = made
    seen = grey(image, 96, 72)
    assert seen.shape == (72, 96)
    assert np.abs(seen - grey(pixels, 96, 72)).mean() < 0.5


@pytest.mark.parametrize("size", [(256, 256), (512, 256), (640, 352), (1920, 1080), (1000, 999)])
def test_planes_are_prepared_to_within_three_grey_levels(size: tuple[int, int]) -> None:
    """Where no colour is clipped: a mean of clipped colours is not the clipped mean."""
    picture = shown(LEAVES[1])
    soft = np.asarray(60 + picture * 0.5, np.uint8)
    planes = forms.planes(soft)
    off = np.abs(prepare(planes, *size).astype(int) - prepare(planes.bgr(), *size))
    assert off.mean() < 0.6
    assert off.max() <= (3 if size[0] <= 960 else 8)  # larger than chroma: it is interpolated, not repeated


def test_a_jpeg_is_prepared_to_within_four_grey_levels() -> None:
    image = small_jpeg(shown(LEAVES[2]))
    off = np.abs(prepare(image, 256, 256).astype(int) - prepare(bgr(image), 256, 256))
    assert off.mean() < 0.5
    assert off.max() <= 4


@pytest.mark.parametrize("form", ["planes", "jpeg"])
def test_the_network_sees_the_same_in_every_form(form: str) -> None:
    """The shipped bundle, on its real pictures: as planes, and as JPEG, against their pixels."""
    with open_segmenter(open_bundle(BUNDLE)) as segmenter:
        for path in LEAVES:
            image = FORMS[form](shown(path))
            seen, meant = segmenter(image).classes, segmenter(bgr(image)).classes
            assert (seen == meant).mean() > 0.995, path.name


def test_planes_are_looked_at_as_their_pixels_are() -> None:
    planes = forms.planes(shown(LEAVES[3]))
    seen, meant = look_at(planes), look_at(planes.bgr())
    for name in ("brightness", "contrast", "step", "rise", "variance"):
        assert getattr(seen, name) == pytest.approx(getattr(meant, name), rel=1e-6), name
    assert seen.colour == pytest.approx(meant.colour)
    assert seen.content == meant.content


def test_a_jpeg_has_the_light_and_the_colours_of_its_pixels() -> None:
    image = small_jpeg(shown(LEAVES[4]))
    seen, meant = look_at(image), look_at(bgr(image))
    assert seen.brightness == pytest.approx(meant.brightness, abs=1.5)
    assert seen.colour == pytest.approx(meant.colour, abs=1.5)
    assert seen.contrast == pytest.approx(meant.contrast, rel=0.05)
