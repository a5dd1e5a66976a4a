"""Parity of float and INT8, and the gate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from edge.bundle import open_bundle
from edge.errors import DatasetError
from models.datasets.masks import PngMask
from models.sample import Sample
from quantize.evaluate import class_specs, evaluate, list_samples, open_model, read_sample, terms_for
from quantize.figures import Gate, Parity
from quantize.parity import PictureParity, agreement, compare, summarise
from quantize.score import PictureScore, quality

if TYPE_CHECKING:
    from collections.abc import Sequence


def test_a_network_agrees_with_itself(scripted_bundle: Path, pictures: Path) -> None:
    bundle = open_bundle(scripted_bundle)
    samples, split = list_samples(pictures, "test")
    parity = summarise(compare(bundle, bundle.manifest.targets, samples)["cpu"], bundle.manifest.class_names, 1)
    assert split == "test"
    assert parity.agreement.mean == parity.agreement.worst == parity.agreement.pixels == 1
    assert parity.drop_points == {"good": 0, "spot": 0}
    assert (parity.float_.iou["spot"] or 0) > 0.9
    assert parity.float_ == parity.int8
    assert not Gate().faults(parity)


def test_int8_of_the_toy_agrees_with_its_float(toy_bundle: Path, pictures: Path, tmp_path: Path) -> None:
    bundle = open_bundle(toy_bundle, cache_dir=tmp_path)
    samples, _ = list_samples(pictures, "test")
    parity = summarise(
        compare(bundle, {"openvino": bundle.manifest.targets["openvino"]}, samples, 1)["openvino"],
        bundle.manifest.class_names,
        1,
    )
    assert parity.agreement.mean > 0.9
    assert abs(parity.drop_points["spot"]) < 5


def _missing(float_: Sequence[int], int8: Sequence[int]) -> Parity:
    """Say how many of ten objects each network misses on each picture, with the same pixels for both."""
    counts = np.array([[900, 0], [0, 100]])

    def scored(missed: int) -> PictureScore:
        blobs = np.zeros((2, 3, 7), np.int64)
        blobs[1, :2, 3] = 10 - missed, missed
        return PictureScore(counts=counts, blobs=blobs)

    pictures = [
        PictureParity(
            sample=Sample(picture=Path(f"{i}.png"), truth=PngMask(Path("m.png"), "values", {}), group=str(i)),
            float_=scored(a),
            int8=scored(b),
            between=counts,
        )
        for i, (a, b) in enumerate(zip(float_, int8, strict=True))
    ]
    return summarise(pictures, ("good", "spot"), 1)


def test_objects_that_only_float_finds_fail_the_gate() -> None:
    parity = _missing([0, 1] * 5, [1, 2] * 5)
    assert parity.recall_drop["spot"].points == pytest.approx(10)
    assert parity.recall_drop["spot"].interval == pytest.approx((10, 10))
    assert Gate().faults(parity) == ("10.00 points fewer objects of spot are found, at most 0.5 are allowed",)
    assert not Gate(max_drop_points=10.1).faults(parity)


def test_a_loss_that_may_be_chance_passes_the_gate_and_keeps_its_interval() -> None:
    parity = _missing([0] * 10, [1] + [0] * 9)
    low, high = parity.recall_drop["spot"].interval or (1, 1)
    assert parity.recall_drop["spot"].points == pytest.approx(1)
    assert low == 0
    assert 1 < high < 5
    assert not Gate().faults(parity)


def _seeing(float_: Sequence[int], int8: Sequence[int]) -> Parity:
    """Say how many of 100 pixels of a spot each network sees on each picture of 1,000."""
    nothing = np.zeros((3, 3, 7), np.int64)

    def scored(hit: int) -> PictureScore:
        return PictureScore(counts=np.array([[900, 0, 0], [100 - hit, hit, 0], [0, 0, 0]]), blobs=nothing)

    pictures = [
        PictureParity(
            sample=Sample(picture=Path(f"{i}.png"), truth=PngMask(Path("m.png"), "values", {}), group=str(i)),
            float_=scored(a),
            int8=scored(b),
            between=np.array([[900, 0, 0], [0, 40, 40], [0, 10, 10]]),
        )
        for i, (a, b) in enumerate(zip(float_, int8, strict=True))
    ]
    return summarise(pictures, ("good", "spot", "crack"), 1)


def test_the_loss_of_mean_iou_is_over_the_classes_that_the_truth_has_and_over_the_same_draws() -> None:
    lost = _seeing([80, 60] * 5, [70, 50] * 5).mean_iou_drop
    assert lost
    before, after = (np.mean([900 / (1000 - hit), hit / 100]) for hit in (70, 60))
    assert lost.points == pytest.approx(100 * (before - after))
    low, high = lost.interval or (0, 0)
    assert low < lost.points < high
    assert high - low < 0.5  # float and INT8 drawn apart would give 20 points
    assert not lost.is_chance


def test_a_loss_of_mean_iou_on_one_picture_and_a_gain_on_another_may_be_chance() -> None:
    lost = _seeing([80] * 10, [70, 88] + [80] * 8).mean_iou_drop
    assert lost
    assert lost.points > 0
    assert lost.is_chance


def test_a_loss_of_mean_iou_that_is_no_chance_fails_the_gate_where_it_is_asked_for() -> None:
    gate = Gate(max_drop_points=100, min_agreement=0, max_mean_drop_points=0.2)
    assert gate.faults(_seeing([80, 60] * 5, [70, 50] * 5)) == (
        "mean IoU drops by 5.51 points, at most 0.2 are allowed",
    )
    assert not gate.faults(_seeing([80] * 10, [70, 88] + [80] * 8))
    assert not Gate(max_drop_points=100, min_agreement=0).faults(_seeing([80, 60] * 5, [70, 50] * 5))


def test_a_class_may_lose_what_may_be_chance_and_no_more() -> None:
    gate, wavering = Gate(min_agreement=0), _seeing([80] * 10, [60, 88] + [80] * 8)
    assert wavering.iou_drop["spot"].points == pytest.approx(wavering.drop_points["spot"])
    assert wavering.drop_points["spot"] > gate.max_drop_points
    assert not gate.faults(wavering)
    lower = _seeing([80] * 10, [78] * 10)
    assert gate.faults(lower)[0] == "IoU of spot drops by 2.00 points, at most 0.5 are allowed"
    assert set(lower.iou_drop) == {"good", "spot"}


def test_the_worst_tenth_of_masks_can_fail_the_gate_by_itself() -> None:
    parity = _seeing([80], [80])
    gate = Gate(min_agreement=0, min_worst_tenth=0.85)
    assert gate.faults(parity) == ("the worst tenth of masks agrees to 0.444, at least 0.85 is asked for",)
    assert gate.text == "at most 0.5 points of any class, agreement 0, of the worst tenth 0.85"


def test_the_foreground_can_fail_the_gate_by_itself() -> None:
    parity = _seeing([80], [80])
    alike = parity.model_copy(update={"agreement": parity.foreground, "foreground": parity.agreement})
    gate = Gate(min_agreement=0.9, min_worst_tenth=0.85)
    assert not gate.faults(alike)
    strict = gate.model_copy(update={"of_foreground": True})
    assert [fault.split(" agree")[0] for fault in strict.faults(alike)] == [
        "masks of all classes but the first",
        "the worst tenth of masks of all classes but the first",
    ]
    assert strict.text.endswith("of the foreground likewise")
    assert strict.times(0.5).of_foreground


def test_half_of_what_a_gate_allows() -> None:
    asked = Gate(min_agreement=0.96, max_mean_drop_points=0.2).times(0.5)
    assert (asked.max_drop_points, asked.max_mean_drop_points) == pytest.approx((0.25, 0.1))
    assert asked.min_agreement == pytest.approx(0.98)
    assert asked.min_worst_tenth is None
    assert Gate(min_agreement=0).times(0.5).min_agreement == 0


def test_the_foreground_is_all_classes_but_the_first_as_one() -> None:
    parity = _seeing([80], [80])
    assert parity.agreement.mean == pytest.approx(40 / 90)
    assert parity.foreground
    assert parity.foreground.mean == 1
    assert parity.likeness == pytest.approx((40 / 90 + 1) / 2)


def test_with_too_few_groups_for_an_interval_every_lost_object_counts() -> None:
    parity = _missing([0] * 4, [1, 0, 0, 0])
    assert parity.recall_drop["spot"].interval is None
    assert "2.50 points fewer objects of spot are found" in Gate().faults(parity)[0]


def test_agreement_counts_pictures_where_float_sees_the_class() -> None:
    both = np.array([[900, 10], [10, 90]])
    only_int8 = np.array([[900, 100], [0, 0]])
    neither = np.array([[1000, 0], [0, 0]])
    result = agreement([both, only_int8, neither], 1)
    assert result.pictures == 1
    assert result.mean == pytest.approx(90 / 110)
    assert result.appeared == 1
    assert result.pooled == pytest.approx(90 / 210)


def test_agreement_is_whole_where_nobody_sees_the_class() -> None:
    result = agreement([np.array([[1000, 0], [0, 0]])], 1)
    assert (result.mean, result.pictures, result.pooled) == (1.0, 0, 1.0)


def test_the_gate_names_every_fault(scripted_bundle: Path, pictures: Path) -> None:
    bundle = open_bundle(scripted_bundle)
    samples, _ = list_samples(pictures, "test")
    parity = summarise(compare(bundle, bundle.manifest.targets, samples)["cpu"], bundle.manifest.class_names, 1)
    worse = parity.model_copy(
        update={
            "drop_points": {"good": 0.1, "spot": 2.0},
            "agreement": parity.agreement.model_copy(update={"mean": 0.8}),
        }
    )
    first, second = Gate(max_drop_points=0.5, min_agreement=0.95).faults(worse)
    assert first == "IoU of spot drops by 2.00 points, at most 0.5 are allowed"
    assert second == "masks agree to 0.800 with float, at least 0.95 is asked for"


def test_a_float_file_is_evaluated_with_the_same_figures_as_its_bundle(
    network: Path, toy_bundle: Path, pictures: Path, tmp_path: Path
) -> None:
    samples, _ = list_samples(pictures, "test")
    with open_model(network, threads=1) as model:
        terms = terms_for(model)
        measured = evaluate(model, samples, terms).pictures
    alone = quality([m.score for m in measured], [s.group for s in samples], terms.names, model.focus)
    bundle = open_bundle(toy_bundle, cache_dir=tmp_path)
    parity = summarise(
        compare(bundle, {"openvino": bundle.manifest.targets["openvino"]}, samples, 1)["openvino"],
        bundle.manifest.class_names,
        1,
    )
    assert alone == parity.float_


def test_a_folder_without_splits_is_taken_whole(tmp_path: Path) -> None:
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / "a.png"), np.zeros((8, 8), np.uint8))
    samples, split = list_samples(tmp_path, "test")
    assert (len(samples), split) == (1, "all")


def test_a_mask_of_another_size_than_its_picture_is_refused(scripted_bundle: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "p.png"), np.zeros((8, 8, 3), np.uint8))
    cv2.imwrite(str(tmp_path / "m.png"), np.zeros((8, 9), np.uint8))
    sample = Sample(picture=tmp_path / "p.png", truth=PngMask(tmp_path / "m.png", "values", {}), group="a")
    with pytest.raises(DatasetError, match=r"m\.png: is 9x8, its picture 8x8"):
        read_sample(sample, class_specs(open_bundle(scripted_bundle).manifest))
