"""The search for the form that loses least, and for the fewest layers that have to stay in float."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest

from edge.clock import FakeClock
from models.datasets.masks import PngMask
from models.sample import Sample
from quantize.budget import Budget
from quantize.figures import Gate, LayerSensitivity, Parity
from quantize.fold import NETWORK
from quantize.parity import PictureParity, summarise
from quantize.score import PictureScore
from quantize.shrink import Shrinker, Tried
from quantize.targets import Candidate, Network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from quantize.judge import Judge

LAYERS = tuple("abcdefghij")


def parity(right: int) -> Parity:
    """Say that INT8 has `right` of 100 pixels of the defect that float has, which is right about all of them."""
    float_ = np.array([[900, 0], [0, 100]])
    int8 = np.array([[900, 0], [100 - right, right]])
    blobs = np.zeros((2, 3, 7), np.int64)
    one = PictureParity(
        sample=Sample(picture=Path("x.png"), truth=PngMask(Path("m.png"), "values", {}), group="g"),
        float_=PictureScore(counts=float_, blobs=blobs),
        int8=PictureScore(counts=int8, blobs=blobs),
        between=int8,
    )
    return summarise([one], ("good", "spot"), 1)


@dataclass
class ScriptedTarget:
    """A chip whose forms agree as a script says."""

    mixes: bool = True
    runtime: str = "openvino"
    version_range: str = ">=1,<2"
    proven_in: str = "openvino"
    asked: list[frozenset[str]] = field(default_factory=list)

    def candidates(self, network: Network, out: Path, spared: frozenset[str] = frozenset()) -> Iterator[Candidate]:
        del network
        self.asked.append(spared)
        if not spared:
            yield Candidate(recipe="worse", entry=out / "-")
            yield Candidate(recipe="plain", entry=out / "+")
        elif self.mixes:
            yield Candidate(recipe="mixed", entry=out / "".join(sorted(name.removeprefix(NETWORK) for name in spared)))

    def float_form(self, network: Network, out: Path) -> Path:
        raise NotImplementedError


@dataclass
class ScriptedJudge:
    agreement: Callable[[str], int]
    pictures: tuple[None, ...] = (None,)

    def __call__(self, runtime: str, entry: Path) -> Parity:
        return parity(self.agreement(entry.name))


def shrink(target: ScriptedTarget, agreement: Callable[[str], int], budget: Budget | None = None) -> list[Tried]:
    sensitivity = tuple(
        LayerSensitivity(layer=name, operator="Conv", macs=100 - place, mask_loss=0.1 - 0.01 * place, snr_db=30)
        for place, name in enumerate(LAYERS)
    )
    shrinker = Shrinker(
        network=Network(Path("folded.onnx"), []),
        judge=cast("Judge", ScriptedJudge(agreement)),
        gate=Gate(max_drop_points=100, min_agreement=0.9),
        sensitivity=sensitivity[::-1],
        budget=budget or Budget(),
    )
    return shrinker.shrink(target, Path("out"))


def test_the_form_that_agrees_best_is_kept() -> None:
    tried = shrink(ScriptedTarget(), lambda name: 95 if name == "+" else 91)
    assert [one.candidate.recipe for one in tried] == ["plain", "worse"]
    assert not tried[0].faults


@pytest.mark.parametrize(
    ("worse", "worse_s", "kept"), [(95, 0.9, "worse"), (95, 0.99, "plain"), (94, 0.5, "plain"), (89, 0.1, "plain")]
)
def test_of_forms_that_agree_nearly_alike_the_faster_one_is_kept(
    worse: int, worse_s: float, kept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, seconds = ScriptedTarget(proven_in="onnxruntime"), {"-": worse_s, "+": 1.0}
    assert shrink(target, lambda name: 96 if name == "+" else worse)[0].candidate.recipe == "plain"
    monkeypatch.setattr("quantize.shrink.NEARLY", 0.0101)
    monkeypatch.setattr("quantize.shrink.median_times", lambda _, files, __: [seconds[file.name] for file in files])
    tried = shrink(ScriptedTarget(), lambda name: 96 if name == "+" else worse)
    assert tried[0].candidate.recipe == kept
    assert len(tried) == 2


@pytest.mark.parametrize("needed", ["a", "abc", "abcdef", "abcdefghij"])
def test_the_fewest_layers_stay_in_float_that_let_the_gate_pass(needed: str) -> None:
    target = ScriptedTarget()
    tried = shrink(target, lambda name: 95 if set(needed) <= set(name) else 50)
    assert tried[0].spared == tuple(needed)
    assert not tried[0].faults
    assert [one.candidate.recipe for one in tried] == ["mixed", "worse", "plain"]
    assert len(target.asked) <= 1 + 2 * 4 + len(needed)


def test_layers_that_turn_out_not_to_be_needed_are_rounded_again() -> None:
    tried = shrink(ScriptedTarget(), lambda name: 95 if {"b", "d"} <= set(name) else 50)
    assert tried[0].spared == ("b", "d")


def test_where_no_form_has_half_to_spare_the_fewest_layers_stay_in_float_that_let_the_gate_pass_at_all() -> None:
    target = ScriptedTarget()
    tried = shrink(target, lambda name: 93 if {"b", "d"} <= set(name) else 92 if "b" in name else 50)
    assert tried[0].spared == ("b", "d")  # a quarter to spare
    assert len(target.asked) == len(set(target.asked))  # each form is made once
    assert shrink(ScriptedTarget(), lambda _: 92)[0].spared == ()


def test_a_chip_that_knows_integers_only_keeps_its_best_form_and_says_what_is_wrong() -> None:
    tried = shrink(ScriptedTarget(mixes=False), lambda name: 60 if name == "+" else 50)
    assert [one.candidate.recipe for one in tried] == ["plain", "worse"]
    assert "masks agree to 0.600" in tried[0].faults[0]


def test_nothing_is_tried_after_the_budget_but_one_form_there_is() -> None:
    clock = FakeClock()
    budget = Budget(2, clock)
    clock.advance(121)
    target = ScriptedTarget()
    assert [one.candidate.recipe for one in shrink(target, lambda _: 50, budget)] == ["worse"]
    assert len(target.asked) == 1
