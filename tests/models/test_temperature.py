"""Temperature: found where it is known, refused where there is none, and nothing but the confidence changes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from models import archs
from models.annotation import IGNORE
from models.card import ModelCard
from models.checkpoint import Checkpoint
from models.export import card_of
from models.normalise import normalise
from models.recipe import Recipe
from models.temperature import HIGHEST, LOWEST, Pixels, calibrate, cool, fit
from models.validation import View

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from models.archs import Network

pytestmark = pytest.mark.usefixtures("one_thread")

HEIGHT, WIDTH = 96, 128
TRUE = 2.0

SEMANTIC = [name for name in archs.NAMES if name not in {"centermask", "mask2former", "sam"}]


def drawn(logits: NDArray[np.float32], temperature: float, seed: int = 1) -> NDArray[np.uint8]:
    """Draw a truth with the chances that logits (…, classes) give at a temperature."""
    chances = np.exp((logits - logits.max(-1, keepdims=True)) / temperature)
    chances = np.cumsum(chances / chances.sum(-1, keepdims=True), axis=-1)
    thrown = np.random.default_rng(seed).random((*logits.shape[:-1], 1))
    return np.asarray((thrown > chances[..., :-1]).sum(axis=-1), np.uint8)


def made(temperature: float, count: int = 60_000) -> Pixels:
    logits = np.random.default_rng(0).normal(0, 3, (count, 3)).astype(np.float32)
    return Pixels(logits, drawn(logits, temperature))


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.0, 3.5])
def test_the_temperature_that_pixels_were_made_with_is_found(temperature: float) -> None:
    assert fit(made(temperature)) == pytest.approx(temperature, rel=0.05)


def test_a_class_that_is_seen_rarely_counts_as_much_as_a_frequent_one() -> None:
    sure = np.tile(np.array([[9, 0, 0]], np.float32), (100_000, 1))  # and right to that degree
    rare = made(3.0, 1000)
    both = Pixels(np.concatenate([sure, rare.logits]), np.concatenate([drawn(sure, 1.0), rare.truth]))
    alone = fit(both)
    assert alone is not None
    assert alone > 2


def test_pixels_that_are_all_right_have_no_temperature() -> None:
    logits = made(1.0).logits
    assert fit(Pixels(logits, logits.argmax(axis=1).astype(np.uint8))) is None


def test_pixels_that_are_guessed_have_no_temperature() -> None:
    logits = made(1.0).logits
    assert fit(Pixels(logits, np.random.default_rng(2).integers(0, 3, len(logits)).astype(np.uint8))) is None


def test_without_pixels_there_is_no_temperature() -> None:
    assert fit(Pixels(np.zeros((0, 3), np.float32), np.zeros(0, np.uint8))) is None


@pytest.mark.parametrize("name", SEMANTIC)
def test_cooling_divides_the_logits_and_nothing_else(name: str) -> None:
    torch.manual_seed(0)
    net = archs.build(name, 3, width=0.5).eval()
    picture = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        before = net(picture)
        cool(net, TRUE)
        after = net(picture)
    torch.testing.assert_close(after, before / TRUE)
    assert torch.equal(after.argmax(dim=1), before.argmax(dim=1))


def test_every_semantic_architecture_was_cooled() -> None:
    tasks = {name: type(archs.build(name, 3)).task for name in SEMANTIC}
    assert set(tasks.values()) == {"semantic"}


def checkpoint(arch: str = "loupenet") -> Checkpoint:
    recipe = Recipe.model_validate(
        {
            "name": "tiny",
            "classes": [{"name": "good"}, {"name": "spot"}, {"name": "scratch"}],
            "score_class": "spot",
            "input": {"width": WIDTH, "height": HEIGHT},
            "arch": {"name": arch, "width": 0.5},
            "train": {"epochs": 1},
            "provenance": {"licence": "MIT", "data": "nothing"},
        }
    )
    torch.manual_seed(0)
    net = archs.build(arch, 3, width=0.5)
    for name in net.scoring if net.task == "semantic" else ():  # as after training: sure of itself
        torch.nn.init.normal_(net.get_parameter(f"{name}.weight"), std=40.0)
    return Checkpoint(recipe, net.state_dict(), 3, 0.75)


def logits_of(net: Network, picture: NDArray[np.uint8], recipe: Recipe) -> NDArray[np.float32]:
    with torch.no_grad():
        given: torch.Tensor = net(normalise(torch.from_numpy(picture)[None], recipe.input))[0]
    return given.permute(1, 2, 0).numpy()


@pytest.fixture(scope="module")
def trained() -> Checkpoint:
    return checkpoint()


@pytest.fixture(scope="module")
def views(trained: Checkpoint) -> list[View]:
    """Pictures whose truth was drawn from what the network says of them at the temperature `TRUE`."""
    net, rng = trained.network(), np.random.default_rng(3)
    made = []
    for number in range(6):
        picture = rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
        truth = drawn(logits_of(net, picture, trained.recipe), TRUE, number).repeat(2, axis=0).repeat(2, axis=1)
        made.append(View(f"{number}.png", picture, truth))
    return made


@pytest.fixture(scope="module")
def calibrated(trained: Checkpoint, views: list[View]) -> Checkpoint:
    return calibrate(trained, views)


def test_a_network_that_is_too_sure_is_cooled_by_as_much(calibrated: Checkpoint) -> None:
    told = calibrated.calibration
    assert told is not None
    assert told.temperature == pytest.approx(TRUE, rel=0.05)
    assert told.pictures == 6
    for before, after in (told.error, told.focus_error):
        assert before is not None
        assert after is not None
        assert before > 0.05
        assert after < 0.02


def test_what_is_calibrated_stays_as_it_is(calibrated: Checkpoint, views: list[View]) -> None:
    again = calibrate(calibrated, views)
    torch.testing.assert_close(again.weights, calibrated.weights, rtol=1e-3, atol=1e-5)


def test_pixels_that_nobody_vouches_for_do_not_count(trained: Checkpoint, views: list[View]) -> None:
    def scribbled(one: View) -> View:
        truth = one.truth.copy()
        truth[: HEIGHT // 2] = IGNORE
        return one._replace(truth=truth)

    told = calibrate(trained, [scribbled(one) for one in views]).calibration
    assert told is not None
    assert told.temperature == pytest.approx(TRUE, rel=0.05)


def test_a_truth_that_has_nothing_to_do_with_the_pictures_is_refused_with_a_word(
    trained: Checkpoint, views: list[View], capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(4)
    noise = [one._replace(truth=rng.integers(0, 3, one.truth.shape, np.uint8)) for one in views]
    assert calibrate(trained, noise) is trained
    assert f"no temperature between {LOWEST:g} and {HIGHEST:g} improves it on 6" in capsys.readouterr().out


def test_networks_of_objects_are_left_alone(views: list[View]) -> None:
    objects = checkpoint("centermask")
    assert calibrate(objects, views) is objects


def test_a_saved_checkpoint_gives_calibrated_logits_and_the_card_says_so(
    trained: Checkpoint, calibrated: Checkpoint, views: list[View], tmp_path: Path
) -> None:
    calibrated.save(tmp_path / "best.pt")
    net = Checkpoint.load(tmp_path / "best.pt").network()
    card = card_of(Checkpoint.load(tmp_path / "best.pt"), net)
    assert calibrated.calibration is not None
    assert card.calibration == calibrated.calibration
    assert ModelCard.model_validate_json(card.model_dump_json()) == card
    given, plain = (logits_of(one, views[0].picture, trained.recipe) for one in (net, trained.network()))
    np.testing.assert_allclose(given, plain / calibrated.calibration.temperature, rtol=1e-4, atol=1e-4)


def test_a_checkpoint_from_before_temperatures_is_read(trained: Checkpoint, tmp_path: Path) -> None:
    trained.save(tmp_path / "old.pt")
    data = torch.load(tmp_path / "old.pt", weights_only=True)
    del data["calibration"]
    torch.save(data, tmp_path / "old.pt")
    assert replace(Checkpoint.load(tmp_path / "old.pt"), weights={}) == replace(trained, weights={})
