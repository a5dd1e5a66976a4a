"""Evaluation: from a model and pictures to figures, tables and JSON."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge.cli import main
from edge.errors import ConfigError, DatasetError
from edge.picture import read_picture
from edge.tile_config import TilingConfig
from models.annotation import IGNORE, Planes
from models.archs import SeenObject
from models.metrics.average_precision import Instances
from models.metrics.escape import NOTHING
from models.metrics.reliability import Reliability
from quantize.estimate import conclude
from quantize.evaluate import Measured, Model, evaluate, list_samples, open_model, terms_for
from quantize.evaluation import Estimate, Evaluation, ModelFacts
from quantize.evaluation_table import span
from quantize.measure import Pools, Terms, View, certainty, measure

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from models.sample import Sample


@pytest.fixture
def model(network: Path) -> Iterator[Model]:
    with open_model(network, threads=1) as opened:
        yield opened


@pytest.fixture(scope="module")
def told(network: Path, pictures: Path) -> Evaluation:
    samples, split = list_samples(pictures, "test")
    with open_model(network, threads=1) as opened:
        terms = terms_for(opened)
        return conclude(opened, evaluate(opened, samples, terms), terms, ("toys", split))


def painted(sample: Sample, seen: list[np.ndarray], true: list[np.ndarray], terms: Terms) -> Measured:
    """Measure class maps that nobody had to infer, one per group."""
    pools = Pools(reliability=Reliability(), defect_reliability=Reliability(), instances=None)
    measured = []
    for number, (a, b) in enumerate(zip(seen, true, strict=True)):
        one = type(sample)(picture=sample.picture, truth=sample.truth, group=f"g{number}")
        measured.append(measure(one, View(classes=a), Planes(b, np.zeros(b.shape, np.uint16)), terms, pools))
    return Measured(pictures=tuple(measured), pools=pools, skipped=())


def test_the_toy_is_measured_in_every_way(told: Evaluation) -> None:
    good, spot = told.classes
    assert (spot.iou.value or 0) > 0.9
    assert spot.iou.interval is None  # four pictures with spots decide nothing
    assert (spot.iou.groups, good.iou.groups) == (4, 6)
    assert good.iou.interval is not None
    assert spot.objects is not None
    assert spot.objects.missed == 0
    assert sum(size.found for size in spot.objects.by_size) == spot.objects.found > 0
    assert (told.decision.defective, told.decision.good) == (4, 2)
    assert (told.decision.escape.value, told.decision.false_reject.value) == (0, 0)
    assert told.aupro is not None
    assert (told.aupro.value or 0) > 0.95
    assert told.reliability is not None
    assert told.average_precision is None
    assert told.panoptic is None
    assert sum(map(sum, told.confusion)) == 6 * 320 * 192


def test_figures_survive_json(told: Evaluation) -> None:
    assert Evaluation.model_validate_json(told.model_dump_json()) == told


def test_an_interval_over_too_few_groups_is_called_undecidable() -> None:
    assert span(Estimate(value=0.9, interval=None, groups=3)) == "undecidable, 3 groups"
    assert span(Estimate(value=0.9, interval=(0.85, 0.95), groups=30)) == "85.0 to 95.0 %"
    assert span(Estimate(value=None, interval=None, groups=0)) == ""


def test_no_escape_among_a_few_parts_is_no_proof_of_none(pictures: Path, model: Model) -> None:
    samples, _ = list_samples(pictures, "test")
    maps = [np.zeros((50, 50), np.uint8) for _ in range(8)]
    for plane in maps:
        plane[10:20, 10:20] = 1
    terms = terms_for(model)
    share = conclude(model, painted(samples[0], maps, maps, terms), terms, ("x", "test")).classes[1].objects
    assert share is not None
    assert share.recall.value == 1
    assert list(share.recall.interval or ()) == pytest.approx([0.676, 1.0], abs=1e-3)


def test_a_class_in_few_groups_is_undecidable_though_others_are_not(pictures: Path, model: Model) -> None:
    samples, _ = list_samples(pictures, "test")
    maps = [np.zeros((50, 50), np.uint8) for _ in range(8)]
    for plane in maps[:3]:
        plane[10:20, 10:20] = 1
    terms = terms_for(model)
    good, spot = conclude(model, painted(samples[0], maps, maps, terms), terms, ("x", "test")).classes
    assert good.iou.interval is not None
    assert spot.iou == Estimate(value=1.0, interval=None, groups=3)


def test_the_least_object_is_a_matter_of_terms(pictures: Path, model: Model) -> None:
    samples, _ = list_samples(pictures, "test")
    empty, truth = np.zeros((2, 200, 250), np.uint8)
    truth[10:13, 10:21] = 1  # 33 pixels
    for asked, missed in ((None, 1), (33, 1), (34, 0)):
        terms = terms_for(model, min_object_px=asked)
        (one,) = painted(samples[0], [empty], [truth], terms).pictures
        assert one.score.blobs[1, 1].sum() == missed
        assert one.defective == bool(missed)


def test_the_score_of_a_picture_is_that_of_its_surest_region_that_is_large_enough(pictures: Path, model: Model) -> None:
    samples, _ = list_samples(pictures, "test")
    view = model.see(read_picture(samples[0].picture))
    sure = certainty(view, ("good", "spot"), (1,), 9)
    assert 0.5 < sure <= 1
    assert certainty(view, ("good", "spot"), (1,), 10**6) == NOTHING
    small, large = np.zeros((2, 40, 40), np.bool_)
    small[:2, :2], large[10:30, 10:30] = True, True
    objects = (SeenObject(1, 0.9, small), SeenObject(1, 0.6, large), SeenObject(2, 0.99, large))
    view = View(classes=large.astype(np.uint8), objects=objects)
    assert certainty(view, ("good", "spot", "dent"), (1,), 9) == 0.6
    assert certainty(view, ("good", "spot", "dent"), (1, 2), 9) == 0.99


def test_objects_are_scored_as_instances_and_as_segments(pictures: Path) -> None:
    samples, _ = list_samples(pictures, "test")
    truth = Planes(np.zeros((60, 60), np.uint8), np.zeros((60, 60), np.uint16))
    masks = np.zeros((2, 60, 60), np.bool_)
    masks[0, 5:20, 5:20], masks[1, 30:50, 30:50] = True, True
    for number, mask in enumerate(masks, start=1):
        truth.classes[mask], truth.objects[mask] = 1, number
    truth.classes[:, 55:] = IGNORE
    terms = Terms(names=("good", "spot"), rejecting=(1,))
    pools = Pools(reliability=Reliability(), defect_reliability=Reliability(), instances=Instances())
    model = Model(facts=FACTS, classes=(), focus=1, see=lambda _: View(classes=truth.classes))
    view = View(classes=masks[1].astype(np.uint8), objects=(SeenObject(1, 0.8, masks[1]),))
    one = measure(samples[0], view, truth, terms, pools)
    told = conclude(model, Measured(pictures=(one,), pools=pools, skipped=()), terms, ("x", "all"))
    assert told.average_precision is not None
    assert told.average_precision.ap == pytest.approx(0.5, abs=0.01)  # one of two, at every IoU
    assert told.panoptic is not None
    assert told.panoptic.by_class["spot"] == pytest.approx(2 / 3)
    assert told.aupro is None
    assert told.reliability is None


FACTS = ModelFacts(name="x", file="x.onnx", form="float", sha256="0", task="panoptic")


def test_a_class_to_reject_must_be_one_of_the_models(model: Model) -> None:
    with pytest.raises(ConfigError, match="--reject dent: must be one of the model's classes spot"):
        terms_for(model, ["dent"])


def test_broken_pictures_stop_an_evaluation_or_are_skipped_and_told(
    pictures: Path, network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "toys"
    shutil.copytree(pictures, broken)
    samples, _ = list_samples(broken, "test")
    samples[1].picture.write_bytes(b"no picture")
    command = ["evaluate", str(network), str(broken), "--json", "--threads", "1"]
    assert main(command) == 2
    assert samples[1].picture.name in capsys.readouterr().err
    assert main([*command, "--skip-broken"]) == 0
    printed = capsys.readouterr()
    told = Evaluation.model_validate_json(printed.out)
    assert told.dataset.pictures == len(samples) - 1
    assert len(told.skipped) == 1
    assert f"skipped {samples[1].picture}" in printed.err


def test_where_nothing_can_be_used_there_is_nothing_to_evaluate(model: Model, pictures: Path, tmp_path: Path) -> None:
    broken = tmp_path / "toys"
    shutil.copytree(pictures, broken)
    samples, _ = list_samples(broken, "test")
    for sample in samples:
        sample.picture.write_bytes(b"no picture")
    with pytest.raises(DatasetError, match="none of 6 pictures can be used"):
        evaluate(model, samples, terms_for(model), skip_broken=True)


def test_a_bundle_is_evaluated_as_its_target_runs_it(
    toy_bundle: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(toy_bundle), str(pictures), "--json", "--threads", "1"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["model"]["form"] == "openvino"
    assert told["schema"] == "edgeloupe.evaluation/1"


def test_a_bundle_is_evaluated_in_the_part_and_the_tiles_that_a_camera_would_have(
    toy_bundle: Path, network: Path, pictures: Path
) -> None:
    sample = list_samples(pictures, "test")[0][0]
    picture = read_picture(sample.picture)
    height, width = picture.shape[:2]
    how = TilingConfig.model_validate({"roi": [0, 0, width // 2, height], "tiles": {"size": [width // 2, height]}})
    with open_model(toy_bundle, threads=1, how=how) as opened:
        seen = opened.see(picture)
    assert seen.mask is not None
    assert seen.mask.coverage is not None
    assert seen.mask.coverage.tiles == 1
    assert not seen.classes[:, width // 2 :].any()
    with pytest.raises(ConfigError, match="only bundles look at pictures in parts"), open_model(network, how=how):
        pass


def test_the_table_is_for_people(network: Path, pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(network), str(pictures), "--threads", "1", "--min-object-px", "20"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("6 pictures, 6 groups")
    assert any(line.startswith("mean IoU") for line in lines)
    assert any(line.startswith("AUPRO") for line in lines)
    assert any(line.startswith("spot") and "undecidable, 4 groups" in line for line in lines)
    assert main(["evaluate", str(network), str(pictures), "--min-object-px", "0"]) == 2
