"""The self-test notices a chip that computes something else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from edge.bundle import open_bundle
from edge.errors import BundleError
from edge.runtimes.scripted import Scripted
from edge.segment import Segmenter, open_segmenter
from edge.selftest import selftest

if TYPE_CHECKING:
    from pathlib import Path

    from edge.mask import Plane
    from edge.picture import Picture


class _Odd(Scripted):
    """A chip with one fault."""

    def __init__(self, model: Path, fault: str) -> None:
        super().__init__(model)
        self._fault = fault

    def infer(self, picture: Picture) -> tuple[Plane, Plane]:
        if self._fault == "colours swapped":
            picture = np.ascontiguousarray(picture[:, :, ::-1])
        classes, scores = super().infer(picture)
        if self._fault == "shifted":
            classes = np.roll(classes, 4, axis=1)
        if self._fault == "grown":
            classes = cv2.dilate(classes, np.ones((2, 2), np.uint8)).astype(np.uint8)
        if self._fault == "unknown class":
            classes[0, 0] = 9
        if self._fault == "smaller":
            classes = classes[::2, ::2]
        return classes, scores


def test_the_same_chip_passes(scripted_bundle: Path) -> None:
    bundle = open_bundle(scripted_bundle)
    with open_segmenter(bundle) as segmenter:
        assert selftest(bundle, segmenter, "cpu") == 1.0


@pytest.mark.parametrize("fault", ["colours swapped", "shifted", "unknown class", "smaller"])
def test_a_faulty_chip_is_refused(fault: str, scripted_bundle: Path) -> None:
    bundle = open_bundle(scripted_bundle)
    segmenter = Segmenter(_Odd(bundle.path, fault), width=160, height=120)
    with pytest.raises(BundleError, match="self-test on probe/1"):
        selftest(bundle, segmenter, "cpu")


def test_rounding_at_the_edge_passes(scripted_bundle: Path) -> None:
    bundle = open_bundle(scripted_bundle)
    assert 0.9 <= selftest(bundle, Segmenter(_Odd(bundle.path, "grown"), width=160, height=120), "cpu") < 1
