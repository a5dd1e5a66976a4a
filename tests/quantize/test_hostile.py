"""ONNX files that nobody exports: each is used or refused in one line; memory is bounded, nothing is left over."""

from __future__ import annotations

import resource
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest

from edge.errors import ModelError
from quantize import rules, targets
from quantize.fold import fold, load_model
from quantize.toy import HEIGHT, WIDTH
from tests.quantize.hostile import many_operators, mutant

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FILES, PARTS = 2000, 8
MOST_KIB = 3 << 20
TRIED = ("cpu", "jetson")


@pytest.fixture(scope="module")
def sound() -> bytes:
    return many_operators()


def make(path: Path, folder: Path) -> None:
    """Go the way of `edgeloupe quantize` from the file to what a device runs, with two pictures."""
    model, card = load_model(path)
    folded = folder / "folded.onnx"
    onnx.save(fold(model, card), folded)
    pictures = np.random.default_rng(0).integers(0, 256, (2, HEIGHT, WIDTH, 3), np.uint8)
    network = targets.Network(folded, list(pictures))
    for name in TRIED:
        next(targets.create(name).candidates(network, folder / name))


def refusal(step: Callable[[], object]) -> str:
    """Give the one line in which a step refuses a file; nothing where it takes it."""
    told = ""
    try:
        step()
    except ModelError as error:
        told = str(error)
    assert "\n" not in told
    return told


def test_the_file_that_is_changed_is_sound(sound: bytes, tmp_path: Path) -> None:
    (tmp_path / "sound.onnx").write_bytes(sound)
    make(tmp_path / "sound.onnx", tmp_path)


@pytest.mark.parametrize("part", range(PARTS))
def test_two_thousand_odd_files_are_used_or_refused(part: int, sound: bytes, tmp_path: Path) -> None:
    folder = tmp_path / "inner" / "folder"
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outcomes: Counter[str] = Counter()
    for seed in range(part, FILES, PARTS):
        made = folder / str(seed)
        made.mkdir(parents=True)
        path = made / "odd.onnx"
        path.write_bytes(mutant(sound, seed))
        for target in rules.NAMES:
            refusal(partial(rules.check, path, target))
        told = refusal(partial(make, path, made))
        outcomes["refused" if told else "used"] += 1
    assert min(outcomes["used"], outcomes["refused"]) >= FILES // PARTS // 40, outcomes
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < MOST_KIB
    assert {path.name for path in tmp_path.iterdir()} == {"inner"}
    left = {path.name for made in folder.iterdir() for path in made.iterdir()}
    assert left <= {"odd.onnx", "folded.onnx", *TRIED}
