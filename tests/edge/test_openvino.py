"""What OpenVINO compiled of a bundle is kept, and taken again only whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest

from edge import runtimes
from quantize.fold import fold
from quantize.toy import HEIGHT, WIDTH, toy_card, toy_network

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGELOUPE_CACHE", str(tmp_path))
    return tmp_path


def save(folder: Path) -> Path:
    folder.mkdir(parents=True)
    onnx.save(fold(toy_network(), toy_card()), folder / "folded.onnx")
    return folder / "folded.onnx"


def classes(model: Path) -> np.ndarray:
    picture = np.random.default_rng(1).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
    with runtimes.create("openvino", model, threads=1) as runtime:
        return runtime.infer(picture)[0]


def test_what_was_compiled_of_a_bundle_is_kept_and_sees_the_same(cache: Path) -> None:
    model = save(cache / "bundles" / "x")
    first = classes(model)
    (blob,) = (cache / "compiled").iterdir()
    written = blob.stat().st_mtime_ns
    assert np.array_equal(classes(model), first)
    assert blob.stat().st_mtime_ns == written


@pytest.mark.parametrize("damage", [b"", b"x", b"\0" * 5000])
def test_a_damaged_file_is_compiled_anew_and_replaced(cache: Path, damage: bytes) -> None:
    model = save(cache / "bundles" / "x")
    first = classes(model)
    (blob,) = (cache / "compiled").iterdir()
    blob.write_bytes(damage)
    assert np.array_equal(classes(model), first)
    written = blob.stat().st_mtime_ns
    assert blob.read_bytes() != damage
    assert np.array_equal(classes(model), first)
    assert blob.stat().st_mtime_ns == written


def test_networks_that_are_no_bundles_are_not_kept(cache: Path) -> None:
    classes(save(cache / "elsewhere"))
    assert not (cache / "compiled").exists()
