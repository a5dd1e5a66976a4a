"""Anomaly: good pictures alone teach to find planted defects, and the threshold keeps its promise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import onnxruntime
import pytest
import torch

from edge.errors import ConfigError
from edge.picture import read_picture
from models.anomaly import TIE, default_recipe, lead, leads, learn, moved_to, threshold, write_data
from models.checkpoint import Checkpoint
from models.datasets import open_dataset
from models.export import export
from models.good import find_good
from models.train import Options
from quantize.fold import fold, load_model

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from models.anomaly import Learned
    from models.recipe import Recipe

SIZE = 64


def texture(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Brushed metal: lines along one axis, a little uneven light."""
    lines = cv2.GaussianBlur(rng.normal(0, 25, (SIZE, SIZE)).astype(np.float32), (0, 0), sigmaX=0.5, sigmaY=8)
    light = np.linspace(-10, 10, SIZE)[None] * rng.uniform(-1, 1)
    return np.repeat((120 + lines + light).clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)


def planted(rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A texture with a ring, which is none of the synthetic shapes."""
    picture, mask = texture(rng), np.zeros((SIZE, SIZE), np.uint8)
    cv2.circle(mask, (int(rng.integers(16, 48)), int(rng.integers(16, 48))), int(rng.integers(5, 12)), 1, 3)
    picture[mask > 0] = np.clip(picture[mask > 0].astype(int) + int(rng.choice([-45, 45])), 0, 255)
    return picture, mask > 0


def recipe(pictures: int = 24, **train: float) -> Recipe:
    base = default_recipe("toy", (SIZE, SIZE), pictures, licence="MIT")
    spec = base.train.model_copy(update={"epochs": 1, "validate_every": 1, "warmup_epochs": 0.2, **train})
    arch = base.arch.model_copy(update={"width": 0.5})
    return base.model_copy(update={"train": spec, "arch": arch})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("good")
    rng = np.random.default_rng(0)
    for number in range(32):
        cv2.imwrite(str(root / f"{number:02}.png"), texture(rng))
    return root


@pytest.fixture(scope="module")
def learned(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Learned:
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("run")
    return learn(find_good(folder), recipe(epochs=16, validate_every=16), out, 0.2, Options(device="cpu"))


def test_planted_defects_are_found_well_above_chance(learned: Learned) -> None:
    net, spec = learned.checkpoint.network(), learned.checkpoint.recipe.input
    rng = np.random.default_rng(9)
    better = []
    for _ in range(12):
        picture, mask = planted(rng)
        seen = cv2.resize(lead(net, picture, spec), (SIZE, SIZE))
        inside, outside = seen[mask], seen[~mask]
        better.append((inside[:, None] > outside[None]).mean())  # the area under the ROC curve of this picture
    assert np.mean(better) > 0.8


def test_no_more_held_out_pictures_are_rejected_than_was_asked_for(learned: Learned, folder: Path) -> None:
    held_out = list(find_good(folder).held_out)
    rejected = [v > 0 for v in leads(learned.checkpoint.network(), held_out, learned.checkpoint.recipe.input)]
    assert np.mean(rejected) <= 0.2
    assert learned.threshold.pictures == len(held_out) == 8
    assert learned.threshold.false_reject <= 0.2


def test_the_exported_network_goes_the_way_of_every_other(learned: Learned, folder: Path, tmp_path: Path) -> None:
    export(learned.checkpoint, tmp_path / "best.onnx")
    model, card = load_model(tmp_path / "best.onnx")
    assert card.class_names == ("good", "anomaly")
    session = onnxruntime.InferenceSession(fold(model, card).SerializeToString(), providers=["CPUExecutionProvider"])
    net, spec = learned.checkpoint.network(), learned.checkpoint.recipe.input
    rng = np.random.default_rng(4)
    for picture in [read_picture(folder / "00.png"), *(planted(rng)[0] for _ in range(3))]:
        classes, scores = session.run(None, {"picture": picture[None]})
        seen = lead(net, picture, spec)
        sure = np.abs(seen) > 1e-3
        assert np.array_equal(classes[0][sure], (seen > 0)[sure])
        assert np.abs(scores[0] - 255 / (1 + np.exp(-np.abs(seen)))).max() <= 1


@pytest.mark.parametrize(
    ("count", "wanted", "rank", "promised"), [(99, 0.05, 95, 0.05), (19, 0.05, 19, 0.05), (10, 0.05, 10, 1 / 11)]
)
def test_the_threshold_is_the_conformal_quantile(count: int, wanted: float, rank: int, promised: float) -> None:
    found = threshold([float(v) for v in reversed(range(1, count + 1))], wanted)
    assert (found.lead, found.pictures) == (rank, count)
    assert found.false_reject == pytest.approx(promised)


def test_further_good_pictures_are_rejected_as_rarely_as_promised() -> None:
    rng = np.random.default_rng(0)
    rates = []
    for _ in range(400):
        limit = threshold(list(rng.normal(size=30)), 0.1).lead
        rates.append((rng.normal(size=200) > limit).mean())
    assert np.mean(rates) == pytest.approx(0.1, abs=0.02)


def test_moving_the_bias_moves_every_lead_alike(learned: Learned, folder: Path) -> None:
    spec, picture = learned.checkpoint.recipe.input, read_picture(folder / "03.png")
    before = lead(learned.checkpoint.network(), picture, spec)
    after = lead(moved_to(learned.checkpoint, 1.5).network(), picture, spec)
    assert np.allclose(before - after, 1.5 + TIE, atol=1e-4)


def test_the_data_set_that_is_made_can_be_read_and_holds_defects_in_each_split(folder: Path, tmp_path: Path) -> None:
    good, spec = find_good(folder), recipe()
    write_data(good, spec, tmp_path)
    data = open_dataset(tmp_path).sound()
    for split in ("train", "val", "test"):
        maps = {s.picture.parent.name: s.class_map(spec.classes) for s in data.part(split)}
        assert (maps["spoilt"] == 1).any()
        assert not maps[folder.name].any()
    assert {s.picture for s in data.part("train") if s.picture.parent == folder} == set(good.learn)


def test_a_run_writes_a_checkpoint_that_has_the_threshold_in_it(folder: Path, tmp_path: Path) -> None:
    done = learn(find_good(folder), recipe(), tmp_path / "out", 0.2, Options(device="cpu"))
    saved = Checkpoint.load(tmp_path / "out" / "best.pt")
    assert torch.equal(saved.weights["head.bias"], done.checkpoint.weights["head.bias"])


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"sampling": {"synthetic": 0}}, "sampling.synthetic"),
        ({"arch": {"name": "fcn"}}, "arch.name = fcn: must be one of loupenet"),
        ({"score_class": "good"}, "must have two classes, the second one its score_class"),
    ],
)
def test_a_recipe_that_is_none_for_this_is_refused(
    change: dict[str, object], text: str, folder: Path, tmp_path: Path
) -> None:
    wrong = type(recipe()).model_validate({**recipe().model_dump(mode="json"), **change})
    with pytest.raises(ConfigError, match=text):
        learn(find_good(folder), wrong, tmp_path / "out", 0.05, Options())
    assert not (tmp_path / "out").exists()
