"""Pictures that can't be judged, and what is wrong with their camera."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from edge.camera_config import PictureConfig
from edge.fitness.look import look_at
from edge.fitness.picture_check import FormatCheck, PictureCheck, Reference, stale
from edge.frame import Shot
from tests import forms

if TYPE_CHECKING:
    from edge.picture import Picture


def plain(value: int, seed: int = 0) -> Picture:
    noise = np.random.default_rng(seed).integers(-3, 4, (64, 96, 3))
    return np.clip(value + noise, 0, 255).astype(np.uint8)


def scene(seed: int = 0) -> Picture:
    """A bench with things on it, sharp, with sensor noise."""
    drawing = np.full((360, 640), 120, np.uint8)
    rng = np.random.default_rng(3)
    for _ in range(40):
        x, y, size = (int(value) for value in rng.integers((0, 0, 8), (640, 360, 60)))
        cv2.rectangle(drawing, (x, y), (x + size, y + size), int(rng.integers(20, 230)), -1)
    noise = np.random.default_rng(seed).integers(-3, 4, (360, 640, 3))
    return np.asarray(np.clip(drawing[..., None] + noise, 0, 255), np.uint8)


def kinds(check: PictureCheck, *pictures: Picture, step_s: float = 1.0) -> list[list[str]]:
    found = [check.faults(picture, at * step_s, simulated=False) for at, picture in enumerate(pictures)]
    return [[fault.kind for fault in faults] for faults in found]


@pytest.mark.parametrize(("value", "kind"), [(4, "dark"), (253, "saturated"), (128, None)])
def test_dark_and_overexposed_pictures_are_named(value: int, kind: str | None) -> None:
    assert kinds(PictureCheck(PictureConfig()), plain(value)) == [[kind] if kind else []]


def test_a_picture_is_stale_by_its_age() -> None:
    assert stale(1.0, PictureConfig()) == ()
    assert str(stale(3.0, PictureConfig())[0]) == "stale: the picture is 3.0 s old, at most 2.0 s are accepted"


def test_the_same_picture_of_a_live_camera_is_frozen_after_some_seconds_and_alive_at_the_next_that_differs() -> None:
    check = PictureCheck(PictureConfig(frozen_s=3))
    same = plain(128)
    assert kinds(check, same, same, same, same, plain(128, seed=1)) == [[], [], [], ["frozen"], []]


@pytest.mark.parametrize("form", ["planes", "jpeg"])
def test_blur_is_told_against_a_reference_of_all_pixels_in_every_form(form: str) -> None:
    limits = PictureConfig()
    sharp, soft = scene(1), cv2.GaussianBlur(scene(2), (0, 0), 8).astype(np.uint8)
    for picture, expected in ((sharp, []), (soft, ["blurred"])):
        seen = forms.planes(picture) if form == "planes" else forms.reduced(picture, 160, 90)
        check = PictureCheck(limits, Reference.of(scene()))
        assert [fault.kind for fault in check.faults(seen, 0.0, simulated=False)] == expected


def test_a_file_may_show_the_same_picture_for_ever() -> None:
    check = PictureCheck(PictureConfig(frozen_s=0.1))
    assert not any(check.faults(plain(128), at, simulated=True) for at in (0.0, 10.0, 20.0))


def test_noise_is_told_from_texture_and_from_a_plain_sheet() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (240, 320, 3), np.uint8)
    fabric = np.tile(np.array([[60, 120, 190, 120]], np.uint8), (240, 80))
    check = PictureCheck(PictureConfig())
    assert kinds(check, noise, plain(128), np.dstack([fabric] * 3), scene()) == [["noise"], [], [], []]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda picture: plain(90, seed=int(picture.sum() % 1000)), "covered"),
        (lambda picture: cv2.GaussianBlur(picture, (0, 0), 4), "blurred"),
        (lambda picture: np.roll(picture, 30, axis=1), "moved"),
        (lambda picture: cv2.convertScaleAbs(picture, alpha=0.6), None),
        (lambda picture: picture, None),
    ],
    ids=["covered", "blurred", "moved", "darker", "the same"],
)
def test_a_camera_is_compared_with_its_reference(change: object, kind: str | None) -> None:
    assert callable(change)
    check = PictureCheck(PictureConfig(), Reference.of(scene(seed=9)))
    told = kinds(check, *[np.asarray(change(scene(seed)), np.uint8) for seed in range(4)])
    assert told[-1] == ([kind] if kind else [])


def test_a_part_that_passes_is_no_camera_that_moved() -> None:
    check = PictureCheck(PictureConfig(), Reference.of(scene()))
    passing = []
    for left in range(0, 560, 80):
        picture = scene(left)
        picture[100:260, left : left + 80] = 30
        passing.append(picture)
    assert not any(kinds(check, *passing))


def test_looking_costs_the_same_pixels_whatever_the_size() -> None:
    small, large = scene(), cv2.resize(scene(), (1920, 1080))
    assert look_at(small).brightness == pytest.approx(look_at(np.asarray(large, np.uint8)).brightness, abs=2)


def test_a_change_of_size_or_format_lasts_until_it_is_undone() -> None:
    check = FormatCheck(None)
    shots = [Shot(picture=plain(128), format=form) for form in ("MJPG", "YUYV", "MJPG")]
    shots.append(Shot(picture=plain(128)[:32], format="MJPG"))
    told = [[str(fault) for fault in check.faults(shot)] for shot in shots]
    assert told[0] == told[2] == []
    assert told[1][0].startswith("wrong_format: 96x64 YUYV instead of 96x64 MJPG")
    assert told[3][0].startswith("wrong_format: 96x32 MJPG instead of 96x64 MJPG")
