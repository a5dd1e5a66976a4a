"""Sam: clicks in, the mask of one thing out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from models import archs
from models.annotation import IGNORE
from models.archs import Batch
from models.losses import SegmentationLoss
from models.recipe import LossSpec
from tests.models.archs.teach import teach

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("transformers")

TINY = {"width": 0.2, "depth": 1, "clicks": 3}
CRITERION = SegmentationLoss(torch.ones(3), LossSpec())


def build() -> archs.Network:
    torch.manual_seed(0)
    return archs.build("sam", 3, **TINY)


def batch() -> Batch:
    classes = torch.zeros(3, 64, 96, dtype=torch.uint8)
    classes[0, 8:30, 8:40] = 1
    classes[1, 5:30, 60:80] = 2
    classes[1, :2] = IGNORE
    pictures = torch.randn(3, 3, 64, 96, generator=torch.Generator().manual_seed(1)) + classes[:, None].float()
    return Batch(pictures, classes, torch.zeros(3, 64, 96, dtype=torch.int32))


def test_three_steps_teach_every_weight_that_is_not_frozen() -> None:
    net = build().train()
    losses, taught = teach(net, batch(), CRITERION)
    assert taught == {name for name, p in net.named_parameters() if p.requires_grad}
    assert losses[2] < losses[0]


def test_half_precision_learns_too() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        assert build().training_loss(batch(), CRITERION).isfinite()


def test_pictures_without_objects_teach_nothing() -> None:
    given = batch()
    loss = build().training_loss(Batch(given.pictures, torch.zeros_like(given.classes), given.objects), CRITERION)
    assert loss.item() == 0
    loss.backward()  # type: ignore[no-untyped-call] # torch leaves it untyped


def test_the_answer_depends_on_where_the_click_is() -> None:
    net = build().eval()
    picture, points, labels = net.example(64, 96)
    there = points.clone()
    there[0, 0] = torch.tensor([3.0, 60.0])
    with torch.no_grad():
        assert not torch.allclose(net(picture, points, labels)[0], net(picture, there, labels)[0], rtol=1e-3, atol=0)


def test_unused_places_for_clicks_may_hold_any_point() -> None:
    net = build().eval()
    picture, points, labels = net.example(64, 96)
    other = points.clone()
    other[:, 1:] = 17.0
    with torch.no_grad():
        assert torch.equal(net(picture, points, labels)[0], net(picture, other, labels)[0])


def test_published_weights_answer_as_they_were_trained_until_they_learn_more(tmp_path: Path) -> None:
    net = build()
    assert isinstance(net.model, torch.nn.Module)
    net.model.save_pretrained(tmp_path)  # type: ignore[operator] # the library's, not torch's
    started = archs.build("sam", 3, **TINY, weights=str(tmp_path)).state_dict()
    other = {name for name, value in net.state_dict().items() if not torch.equal(value, started[name])}
    assert other == {"hint"}
    assert started["hint"].item() == 0


def test_the_parts_one_after_the_other_are_the_whole() -> None:
    net = build().eval()
    picture, *clicks = net.example(32, 64)
    parts = net.parts(32, 64)
    assert parts["encoder"].outputs == parts["decoder"].inputs[:3]
    with torch.no_grad():
        features = parts["encoder"].module(picture)
        apart = parts["decoder"].module(*features, *clicks)
        together = net(picture, *clicks)
    assert all(torch.equal(a, b) for a, b in zip(apart, together, strict=True))


def test_the_mask_that_is_thought_best_is_the_one_object() -> None:
    logits = np.full((1, 3, 4, 6), -1, np.float32)
    logits[0, 0] = 1
    logits[0, 2, 1:3, 2:4] = 1
    seen = build().decode([logits, np.array([[0.1, 0.2, 0.9]], np.float32)])
    assert seen.classes.sum() == 4
    ((class_id, score, mask),) = seen.objects
    assert (class_id, mask.sum()) == (1, 4)
    assert score == pytest.approx(0.9)


def test_an_empty_mask_is_no_object() -> None:
    assert build().decode([np.full((1, 3, 4, 6), -1, np.float32), np.zeros((1, 3), np.float32)]).objects == ()


@pytest.mark.parametrize(("option", "value"), [("clicks", 0.0), ("clicks", 1.5), ("depth", 99.0)])
def test_an_option_out_of_its_range_is_refused(option: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{option} = .*: must be a whole number from 1 to"):
        archs.build("sam", 3, **{**TINY, option: value})
