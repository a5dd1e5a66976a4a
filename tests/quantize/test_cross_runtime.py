"""Masks of one INT8 file by other kernels than this machine's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge.bundle import open_bundle
from edge.demo.appliance import BUNDLE, PICTURES
from edge.errors import ModelError
from edge.picture import read_picture
from edge.pictures.prepare import prepare
from quantize.cross_runtime import cross_runtime
from quantize.receipt import receipt_of
from quantize.rounding import MOST_OF_TWO, _pairs

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("target", ["openvino", "cpu", "jetson"])
def test_the_model_that_ships_sees_the_same_by_other_kernels(target: str, tmp_path: Path) -> None:
    bundle = open_bundle(BUNDLE, cache_dir=tmp_path)
    proof, shape = receipt_of(bundle).targets[target], bundle.manifest.input
    pictures = [prepare(read_picture(p), shape.width, shape.height) for p in sorted(PICTURES.glob("*.jpg"))[:6]]
    entry = bundle.file(proof.measured.entry)
    measured = cross_runtime(proof.measured.runtime, entry, pictures, bundle.manifest.focus_id)
    assert list(measured) == list(proof.cross_runtime)
    assert all(iou > 0.98 for iou in measured.values())


def test_a_file_that_is_no_network_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.xml").write_text("hello")
    with pytest.raises(ModelError, match=r"x\.xml: can't be run with older instructions") as caught:
        cross_runtime("openvino", tmp_path / "x.xml", [np.zeros((8, 8, 3), np.uint8)], 1)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("axis", [0, 1])
def test_neighbouring_weights_of_one_sign_are_added_up(axis: int) -> None:
    kernel = np.zeros((1, 5, 1, 2), np.float32)
    kernel[0, :4, 0, 0] = 3, 4, -5, -1
    kernel[0, :4, 0, 1] = 6, -6, 2, 3
    assert _pairs(np.moveaxis(kernel, 0, axis), axis).tolist() == [7]
    assert _pairs(np.ones((3, 1, 3, 3), np.float32), 0).tolist() == [0, 0, 0]
    assert MOST_OF_TWO * 255 < 2**15
