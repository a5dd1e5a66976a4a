"""Distillation: a student learns what its teacher sees, as its teacher sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from edge.errors import ConfigError, ModelError
from models.annotation import IGNORE
from models.checkpoint import Checkpoint, build_network
from models.distil import Teacher, divergence, open_teacher
from models.learner import Lesson
from models.normalise import normalise
from models.recipe import DistilSpec, Recipe
from models.train import train
from quantize.toy import write_toy_pictures

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("one_thread")

EVEN = torch.ones(1, 3, 1, 1)


def recipe_of(arch: str, *, spot: str = "spot", teacher: Path | None = None) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "toy",
            "classes": [{"name": "good"}, {"name": spot, "weight": 3}],
            "score_class": spot,
            "input": {"width": 64, "height": 32},
            "arch": {"name": arch, "width": 0.5},
            "train": {"epochs": 1, "batch": 4, "warmup_epochs": 0},
            "distil": teacher and {"teacher": teacher},
            "provenance": {"licence": "MIT", "data": "toys"},
        }
    )


def write_teacher(path: Path, recipe: Recipe) -> Path:
    torch.manual_seed(3)
    Checkpoint(recipe, build_network(recipe).state_dict(), 1, 0.5).save(path)
    return path


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def pictures() -> torch.Tensor:
    return torch.randint(0, 256, (4, 32, 64, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def test_who_agrees_has_nothing_to_learn_however_the_classes_weigh() -> None:
    logits = noise(2, 3, 4, 5).requires_grad_()
    taught = (logits.detach() / 2).softmax(dim=1)
    loss = divergence(logits, taught, 2.0, torch.tensor([1.0, 5.0, 0.5]).view(1, 3, 1, 1))
    loss.backward()  # type: ignore[no-untyped-call] # torch leaves it untyped
    assert loss.item() == pytest.approx(0, abs=1e-6)
    assert logits.grad is not None
    assert logits.grad.abs().max() < 1e-6


def test_the_divergence_is_the_textbook_s() -> None:
    logits, theirs = noise(1, 3, 2, 2), 2 * noise(1, 3, 2, 2).flip(1)
    p, q = (theirs / 4).softmax(dim=1), (logits / 4).softmax(dim=1)
    expected = 4**2 * (p * (p / q).log()).sum(dim=1).mean()
    torch.testing.assert_close(divergence(logits, p, 4.0, EVEN), expected)


def test_pixels_weigh_as_the_classes_that_the_teacher_sees() -> None:
    sure = torch.tensor([[[[1.0, 0.0]], [[0.0, 1.0]], [[0.0, 0.0]]]])  # the first class on the left, the second right
    wrong_left = torch.tensor([[[[0.0, 0.0]], [[9.0, 9.0]], [[0.0, 0.0]]]])
    wrong_right = wrong_left.roll(-1, dims=1)
    heavy = torch.tensor([1.0, 9.0, 1.0]).view(1, 3, 1, 1)
    left, right = (divergence(logits, sure, 1.0, heavy) for logits in (wrong_left, wrong_right))
    torch.testing.assert_close(right, 9 * left, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("factor", [2, 4])
def test_a_finer_teacher_gives_shares_of_an_output_pixel(factor: int) -> None:
    fine = noise(1, 3, 4 * factor, 6 * factor).softmax(dim=1)
    even = divergence(torch.zeros(1, 3, 4, 6), fine, 1.0, EVEN)
    assert 0 < even.item() < divergence(torch.zeros(1, 3, 4 * factor, 6 * factor), fine, 1.0, EVEN).item()
    flat = torch.tensor([0.7, 0.2, 0.1]).view(1, 3, 1, 1)
    everywhere = flat.log().expand(1, 3, 4, 6)
    same = divergence(everywhere, flat.expand(1, 3, 4 * factor, 6 * factor), 1.0, EVEN)
    assert same.item() == pytest.approx(0, abs=1e-6)


def test_the_teacher_sees_pictures_as_it_was_trained(tmp_path: Path) -> None:
    recipe = recipe_of("fcn")
    bright = recipe.model_copy(update={"input": recipe.input.model_copy(update={"mean": (0.0, 0.0, 0.0)})})
    checkpoint = Checkpoint.load(write_teacher(tmp_path / "t.pt", bright))
    spec = DistilSpec(teacher=tmp_path / "t.pt", temperature=1)
    taught = Teacher(checkpoint, spec, torch.ones(2))(pictures())
    with torch.no_grad():
        expected = checkpoint.network()(normalise(pictures(), bright.input)).softmax(dim=1)
    torch.testing.assert_close(taught, expected)


def test_a_student_follows_its_teacher_where_nobody_knows_the_truth(tmp_path: Path) -> None:
    recipe = recipe_of("loupenet", teacher=write_teacher(tmp_path / "t.pt", recipe_of("unet")))
    torch.manual_seed(0)
    net = build_network(recipe)
    lesson = Lesson(net, recipe)
    unknown = torch.full((4, 32, 64), IGNORE, dtype=torch.uint8)
    optimiser = torch.optim.AdamW(net.parameters(), 3e-3)
    losses = []
    for _ in range(30):
        loss = lesson(pictures(), unknown, unknown.int())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert sum(losses[-3:]) < 0.7 * sum(losses[:3])


def test_a_run_with_a_teacher_gives_a_checkpoint_without(tmp_path: Path) -> None:
    toys = write_toy_pictures(tmp_path / "toys", train=8, val=2, test=1)
    teacher = write_teacher(tmp_path / "t.pt", recipe_of("unet"))
    kept = teacher.read_bytes()
    alone, taught = (
        train(recipe_of("loupenet", teacher=who), toys, tmp_path / f"{bool(who)}") for who in (None, teacher)
    )
    assert taught.weights.keys() == alone.weights.keys()
    assert not torch.equal(taught.weights["head.weight"], alone.weights["head.weight"])
    assert teacher.read_bytes() == kept
    teacher.unlink()
    Checkpoint.load(tmp_path / "True" / "best.pt").network()  # needs no teacher


def test_a_teacher_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    student = recipe_of("loupenet", teacher=tmp_path / "t.pt")
    net = build_network(student)
    with pytest.raises(ModelError, match=r"t\.pt: No such file"):
        open_teacher(student, net)
    write_teacher(tmp_path / "t.pt", recipe_of("loupenet", spot="scratch"))
    with pytest.raises(ConfigError, match=r"t\.pt: knows the classes good, scratch, not good, spot: train it with"):
        open_teacher(student, net)
    write_teacher(tmp_path / "t.pt", recipe_of("centermask"))
    with pytest.raises(ConfigError, match="the teacher has the task instance: both must be semantic"):
        open_teacher(student, net)
    write_teacher(tmp_path / "t.pt", recipe_of("fcn"))
    with pytest.raises(ConfigError, match="the student has the task instance: both must be semantic"):
        open_teacher(student, build_network(recipe_of("centermask")))
