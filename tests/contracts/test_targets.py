"""What every quantisation target must do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest

from edge import runtimes
from edge.errors import ModelError
from edge.picture import read_picture
from edge.pictures.prepare import prepare
from quantize import targets
from quantize.fold import fold
from quantize.toy import HEIGHT, WIDTH, toy_card, toy_network, write_toy_pictures

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", targets.NAMES)
def test_every_candidate_runs_on_its_runtime_and_agrees_with_float(name: str, tmp_path: Path) -> None:
    root = write_toy_pictures(tmp_path / "toys", train=6, val=1, test=1)
    pictures = [prepare(read_picture(p), WIDTH, HEIGHT) for p in sorted((root / "images").iterdir())]
    folded = tmp_path / "folded.onnx"
    onnx.save(fold(toy_network(), toy_card()), folded)
    with runtimes.create("onnxruntime", folded) as runtime:
        expected = [runtime.infer(p)[0] for p in pictures]
    target = targets.create(name)
    assert {target.runtime, target.proven_in} <= set(runtimes.NAMES)
    network = targets.Network(folded, pictures)
    candidates = list(target.candidates(network, tmp_path / "out"))
    assert candidates
    assert len({c.recipe for c in candidates}) == len({c.entry.parent for c in candidates}) == len(candidates)
    for candidate in candidates:
        with runtimes.create(target.proven_in, candidate.entry, threads=1) as runtime:
            found = [runtime.infer(p)[0] for p in pictures]
        assert np.mean([(a == b).mean() for a, b in zip(expected, found, strict=True)]) > 0.99
    every = frozenset(node.name for node in network.equalised.graph.node)
    spared = list(target.candidates(network, tmp_path / "spared", every))
    assert len(spared) == (name != "coral")  # which computes in integers throughout
    for candidate in spared:
        with runtimes.create(target.proven_in, candidate.entry, threads=1) as runtime:
            assert all(np.array_equal(a, runtime.infer(p)[0]) for a, p in zip(expected, pictures, strict=True))
    with runtimes.create(target.proven_in, target.float_form(network, tmp_path), threads=1) as runtime:
        assert all(np.array_equal(a, runtime.infer(p)[0]) for a, p in zip(expected, pictures, strict=True))


def test_an_unknown_target_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ModelError, match="must be one of openvino"):
        targets.create("abacus")


@pytest.mark.parametrize("name", targets.NAMES)
def test_a_file_that_is_no_network_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(b"hello")
    with pytest.raises(ModelError, match=r"x\.onnx"):
        next(targets.create(name).candidates(targets.Network(tmp_path / "x.onnx", []), tmp_path / "out"))
