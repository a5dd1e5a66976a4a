"""Mask2Former: what its queries mean, what it learns from, and where its weights come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from edge.errors import ModelError
from models import archs
from models.annotation import IGNORE
from models.archs import Batch
from models.losses import SegmentationLoss
from models.recipe import LossSpec
from tests.models.archs.teach import teach

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

pytest.importorskip("transformers")

TINY = {"width": 0.2, "depth": 1, "encoder_layers": 1, "decoder_layers": 2, "queries": 6}
CRITERION = SegmentationLoss(torch.ones(4), LossSpec())


def build(stuff: str = "0", weights: str = "") -> archs.Network:
    torch.manual_seed(0)
    return archs.build("mask2former", 4, **TINY, stuff=stuff, weights=weights)


def batch() -> Batch:
    classes = torch.zeros(2, 64, 96, dtype=torch.uint8)
    classes[0, 8:30, 8:40] = 1
    classes[0, 40:60, 50:90] = 2
    classes[1, 5:30, 60:80] = 3
    classes[1, :2] = IGNORE
    pictures = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(1)) + classes[:, None].float()
    return Batch(pictures, classes, torch.zeros(2, 64, 96, dtype=torch.int32))


def test_three_steps_teach_every_weight_that_is_not_frozen() -> None:
    net = build().train()
    losses, taught = teach(net, batch(), CRITERION)
    assert taught == {name for name, p in net.named_parameters() if p.requires_grad}
    assert losses[2] < losses[0]


def test_half_precision_is_matched_in_full() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        assert build().training_loss(batch(), CRITERION).isfinite()


def test_pictures_that_nobody_knows_anything_of_are_no_fault() -> None:
    given = batch()
    unknown = Batch(given.pictures, torch.full_like(given.classes, IGNORE), given.objects)
    assert build().training_loss(unknown, CRITERION).isfinite()


def outputs(*queries: tuple[int, float, tuple[int, int, int, int]]) -> list[NDArray[np.float32]]:
    """Write queries of (class, class logit, rows and columns of the mask) as the network would."""
    classes = np.zeros((1, len(queries), 5), np.float32)
    masks = np.full((1, len(queries), 16, 24), -8, np.float32)
    for place, (label, logit, (top, bottom, left, right)) in enumerate(queries):
        classes[0, place, label] = logit
        masks[0, place, top:bottom, left:right] = 8
    return [classes, masks]


def test_things_are_objects_and_stuff_is_only_painted() -> None:
    seen = build(stuff="0,3").decode(
        outputs((0, 9.0, (0, 16, 12, 24)), (1, 9.0, (0, 4, 0, 4)), (1, 9.0, (8, 12, 0, 4)), (3, 9.0, (12, 16, 0, 12)))
    )
    assert [seen.classes[2, 2], seen.classes[10, 2], seen.classes[14, 2], seen.classes[2, 20]] == [1, 1, 3, 0]
    assert [one.class_id for one in seen.objects] == [1, 1]
    assert not np.logical_and(*(one.mask for one in seen.objects)).any()


def test_nothing_and_the_unsure_are_not_shown() -> None:
    seen = build().decode(outputs((4, 9.0, (0, 8, 0, 8)), (1, 0.5, (8, 16, 0, 8))))
    assert seen.objects == ()
    assert not seen.classes.any()


def test_what_is_covered_by_a_surer_query_is_dropped() -> None:
    seen = build().decode(outputs((1, 5.0, (0, 8, 0, 8)), (2, 9.0, (0, 8, 2, 10))))
    assert [one.class_id for one in seen.objects] == [2]
    assert seen.classes[4, 0] == 0


def test_objects_come_best_first() -> None:
    scores = [one.score for one in build().decode(outputs((1, 5.0, (0, 4, 0, 4)), (2, 9.0, (8, 12, 0, 4)))).objects]
    assert scores == sorted(scores, reverse=True)
    assert all(0.9 < score < 1 for score in scores)


@pytest.mark.parametrize("stuff", ["9", "1.5", "rust"])
def test_stuff_that_is_no_class_is_refused(stuff: str) -> None:
    with pytest.raises(ValueError, match=r"stuff = .*class indices up to 3"):
        build(stuff=stuff)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights")
    net = build()
    assert isinstance(net.model, torch.nn.Module)
    net.model.save_pretrained(path)  # type: ignore[operator] # the library's, not torch's
    return path


def test_training_can_start_from_a_folder(folder: Path) -> None:
    started = archs.build("mask2former", 6, **TINY, weights=str(folder)).state_dict()
    other = {name for name, value in build().state_dict().items() if not torch.equal(value, started[name])}
    assert {name.split(".")[1] for name in other} == {"class_predictor", "criterion"}  # these depend on the classes


def test_weights_of_another_size_are_refused_in_one_line(folder: Path) -> None:
    with pytest.raises(ModelError, match=r"2 are missing or of another size, such as .*quer") as caught:
        archs.build("mask2former", 4, **{**TINY, "queries": 5}, weights=str(folder))
    assert "\n" not in str(caught.value)


def test_absent_weights_are_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none: can't be read: give a folder") as caught:
        build(weights=str(tmp_path / "none"))
    assert "\n" not in str(caught.value)
