"""Segmenting: a picture of any size in, a mask with its size out."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge import runtimes
from edge.bundle import open_bundle
from edge.errors import BundleError, ModelError
from edge.runtimes.scripted import Scripted
from edge.segment import Segmenter, open_reference, open_segmenter

if TYPE_CHECKING:
    from pathlib import Path


def _picture() -> np.ndarray:
    picture = np.full((480, 640, 3), 128, np.uint8)
    picture[100:300, 200:400] = (0, 0, 255)
    return picture


@pytest.mark.parametrize("opener", [open_segmenter, open_reference])
def test_the_mask_lies_on_the_whole_frame(opener: type, scripted_bundle: Path) -> None:
    with opener(open_bundle(scripted_bundle)) as segmenter:
        mask = segmenter(_picture())
    assert (mask.frame_width, mask.frame_height) == (640, 480)
    assert mask.classes.shape == (60, 80)
    drawn = mask.on_frame()
    assert drawn[200, 300] == 1
    assert abs(int(drawn.sum()) - 200 * 200) < 1500


def test_preparing_and_inferring_one_by_one_gives_the_same(scripted_bundle: Path) -> None:
    with open_segmenter(open_bundle(scripted_bundle)) as segmenter:
        small = segmenter.prepare(_picture())
        assert small.shape == (120, 160, 3)
        assert np.array_equal(segmenter.infer(small, 640, 480).classes, segmenter(_picture()).classes)


def test_a_view_of_a_picture_is_made_contiguous(scripted_bundle: Path) -> None:
    with open_segmenter(open_bundle(scripted_bundle)) as segmenter:
        assert segmenter.prepare(np.zeros((120, 320, 3), np.uint8)[:, ::2]).flags["C_CONTIGUOUS"]


def test_an_output_of_another_size_than_promised_is_refused(tmp_path: Path) -> None:
    segmenter = Segmenter(Scripted(tmp_path), width=160, height=120, output=(30, 40))
    with pytest.raises(ModelError, match="where its manifest says"):
        segmenter(_picture())


def test_a_border_counts_as_what_it_lies_in(tmp_path: Path) -> None:
    mask = Segmenter(Scripted(tmp_path), width=160, height=120, borders={1: 2})(_picture())
    assert mask.borders is not None
    assert set(np.unique(mask.classes)) == {0, 2}
    assert np.array_equal(mask.borders > 0, mask.classes == 2)


def test_an_unknown_target_is_refused(scripted_bundle: Path) -> None:
    with pytest.raises(BundleError, match="has no target coral"), open_segmenter(open_bundle(scripted_bundle), "coral"):
        pass


@pytest.mark.parametrize(
    ("installed", "fits"),
    [("2026.1.0", True), ("2026.4.1rc1", True), ("2025.9", False), ("2027.0", False), ("2026.0.9", False)],
)
def test_a_runtime_outside_the_measured_range_is_refused(
    installed: str, *, fits: bool, scripted_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = open_bundle(scripted_bundle)
    info = bundle.manifest.targets["cpu"].model_copy(update={"version_range": ">=2026.1,<2027"})
    manifest = bundle.manifest.model_copy(update={"targets": {"cpu": info}})
    odd = type(bundle)(
        path=bundle.path, manifest=manifest, receipt={}, sha256="", signed_by=bundle.signed_by, trusted=False
    )
    monkeypatch.setattr(runtimes, "installed", lambda _: installed)
    if fits:
        with open_segmenter(odd) as segmenter:
            assert segmenter(_picture()).classes.any()
    else:
        with pytest.raises(BundleError, match=f"here is {installed}"), open_segmenter(odd):
            pass


def test_a_bundle_can_be_moved(scripted_bundle: Path, tmp_path: Path) -> None:
    shutil.copytree(scripted_bundle, tmp_path / "b")
    with open_segmenter(open_bundle(tmp_path / "b")) as segmenter:
        assert segmenter(_picture()).classes.any()
