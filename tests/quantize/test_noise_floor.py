"""How far float agrees with itself where pictures change by one grey level."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from edge.bundle import open_bundle
from quantize.evaluate import list_samples
from quantize.figures import PROMISE, Gate
from quantize.noise_floor import noise_floor, noisy
from quantize.parity_table import why_table
from quantize.receipt import receipt_of

if TYPE_CHECKING:
    from pathlib import Path

    from quantize.figures import Agreement


def _parts(root: Path, *reds: int) -> Path:
    """Write a picture for each, half of it so red on black."""
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True)
    for number, red in enumerate(reds):
        picture = np.zeros((120, 160, 3), np.uint8)
        picture[:, :80, 2] = red
        cv2.imwrite(str(root / "images" / f"{number}.png"), picture)
        cv2.imwrite(str(root / "masks" / f"{number}.png"), (picture[..., 2] > 0).astype(np.uint8))
    return root


def _floor(bundle: Path, root: Path) -> Agreement:
    samples, _ = list_samples(root, "test")
    return noise_floor(open_bundle(bundle), samples, threads=1)[0]


def test_no_number_of_a_picture_moves_by_more_than_one() -> None:
    picture = np.arange(256, dtype=np.uint8).repeat(64 * 3).reshape(256, 64, 3)
    moved = noisy(picture, np.random.default_rng(0)).astype(int) - picture
    assert set(np.unique(moved)) == {-1, 0, 1}
    assert abs(moved.mean()) < 0.02
    assert set(np.unique(moved[0])) == {0, 1}
    assert set(np.unique(moved[255])) == {-1, 0}


def test_the_pictures_of_a_grey_camera_stay_grey() -> None:
    picture, rng = np.full((64, 64, 3), 128, np.uint8), np.random.default_rng(0)
    assert not np.ptp(noisy(picture, rng), axis=2).any()
    picture[0, 0, 2] = 129
    assert np.ptp(noisy(picture, rng), axis=2).any()


def test_a_clear_boundary_stays(scripted_bundle: Path, tmp_path: Path) -> None:
    assert _floor(scripted_bundle, _parts(tmp_path / "clear", 200, 250)).worst == pytest.approx(1)


def test_what_one_grey_level_decides_is_told(scripted_bundle: Path, tmp_path: Path) -> None:
    floor = _floor(scripted_bundle, _parts(tmp_path / "mixed", 200, 128))
    assert floor.pictures == 2
    assert 0.1 < floor.worst < 0.9
    assert floor.mean == pytest.approx((1 + floor.worst) / 2)


def test_the_receipt_holds_it(toy_bundle: Path, pictures: Path) -> None:
    floor = receipt_of(open_bundle(toy_bundle)).noise_floor
    assert floor == _floor(toy_bundle, pictures)
    page = open_bundle(toy_bundle).file("report.html").read_text(encoding="utf-8")
    assert f"Float agrees with itself to {100 * floor.mean:.2f} %" in page


def test_who_asks_for_more_than_float_itself_keeps_is_told(toy_bundle: Path) -> None:
    receipt = receipt_of(open_bundle(toy_bundle))
    assert receipt.noise_floor
    assert receipt.noise_floor == receipt.foreground_floor  # there are two classes
    strict = receipt.model_copy(update={"gate": Gate(min_agreement=1.5, min_worst_tenth=1.25)})
    assert "to ask for 1.5 and 1.25 is more than float itself keeps" in why_table(strict)
    assert "where pictures change by one grey level at most." in why_table(receipt)
    apart = receipt.model_copy(
        update={"gate": PROMISE, "foreground_floor": receipt.noise_floor.model_copy(update={"mean": 0.5})}
    )
    assert "to ask for 0.97 is more than float itself keeps" in why_table(apart)
    of_old = receipt.model_copy(update={"noise_floor": None, "foreground_floor": None})
    assert "grey level" not in why_table(of_old)
