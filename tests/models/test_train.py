"""Training: seeded, chosen by validation, safe to stop at any moment."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch

from edge.errors import ConfigError, DatasetError, ModelError, PictureError
from models.checkpoint import Checkpoint
from models.recipe import Recipe
from models.train import Options, train
from quantize.toy import write_toy_pictures
from tests.models import toy

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("one_thread")

TOY = toy.TOY | {"train": {"epochs": 3, "batch": 4, "warmup_epochs": 0, "validate_every": 1}}


def recipe(section: str = "train", **changes: object) -> Recipe:
    return Recipe.model_validate(TOY | {section: TOY.get(section, {}) | changes})


RECIPE = recipe()


@pytest.fixture
def toys(tmp_path: Path) -> Path:
    return write_toy_pictures(tmp_path / "toys", train=8, val=2, test=1)


def same(first: Checkpoint, second: Checkpoint) -> bool:
    return all(torch.equal(first.weights[name], second.weights[name]) for name in first.weights)


def scores(out: Path) -> list[float]:
    with (out / "history.csv").open(encoding="utf-8") as file:
        return [float(row["val_iou_spot"]) for row in csv.DictReader(file)]


def test_the_same_seed_gives_the_same_weights(toys: Path, tmp_path: Path) -> None:
    assert same(train(RECIPE, toys, tmp_path / "a"), train(RECIPE, toys, tmp_path / "b"))


def test_the_best_epoch_on_the_validation_split_is_kept(toys: Path, tmp_path: Path) -> None:
    best = train(RECIPE, toys, tmp_path / "out")
    assert len(scores(tmp_path / "out")) == 3
    assert best.score == pytest.approx(max(scores(tmp_path / "out")), abs=1e-4)
    loaded = Checkpoint.load(tmp_path / "out" / "best.pt")
    assert (loaded.epoch, loaded.score, loaded.recipe) == (best.epoch, best.score, RECIPE)


def test_the_test_split_is_never_read(toys: Path, tmp_path: Path) -> None:
    rows = (toys / "test.csv").read_text(encoding="utf-8").splitlines()[1:]
    for row in rows:
        (toys / row.split(",")[0]).write_bytes(b"not to be opened")
    assert train(RECIPE, toys, tmp_path / "out").epoch >= 1


def test_all_losses_and_all_sampling_work_together(toys: Path, tmp_path: Path) -> None:
    everything = RECIPE.model_dump(mode="json") | {
        "loss": {"focal": 1.0, "iou": 1.0, "lovasz": 1.0},
        "sampling": {"balance": 1.0, "defect_crop": 0.5, "copy_paste": 1.0},
        "score": "mean",
        "train": RECIPE.train.model_dump() | {"precision": "bfloat16"},
    }
    assert train(Recipe.model_validate(everything), toys, tmp_path / "out").epoch >= 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_was_stopped_ends_as_if_it_had_not_been(toys: Path, tmp_path: Path, number: signal.Signals) -> None:
    def stop(epoch: int, _score: float) -> None:
        if epoch == 1:
            os.kill(os.getpid(), number)

    before = signal.getsignal(number)  # ignored where the tests run in the background of a shell
    with pytest.raises(KeyboardInterrupt):
        train(RECIPE, toys, tmp_path / "stopped", Options(watch=stop))
    assert torch.load(tmp_path / "stopped" / "state.pt", weights_only=True)["progress"]["step"] == 3  # of two an epoch
    assert signal.getsignal(number) == before
    resumed = train(RECIPE, toys, tmp_path / "stopped", Options(resume=True))
    straight = train(RECIPE, toys, tmp_path / "straight")
    assert same(resumed, straight)
    histories = [(tmp_path / name / "history.csv").read_bytes() for name in ("stopped", "straight")]
    assert histories[0] == histories[1]
    assert not (tmp_path / "stopped" / "state.pt").exists()


def test_a_run_that_was_killed_can_go_on(toys: Path, tmp_path: Path) -> None:
    (tmp_path / "recipe.json").write_text(RECIPE.model_dump_json(), encoding="utf-8")
    script = f"""
import os, signal, torch
from pathlib import Path
from models.recipe import Recipe
from models.train import Options, train

torch.set_num_threads(1)
here = Path({str(tmp_path)!r})
recipe = Recipe.model_validate_json((here / "recipe.json").read_text())
die = lambda epoch, score: epoch == 2 and os.kill(os.getpid(), signal.SIGKILL)
train(recipe, here / "toys", here / "killed", Options(watch=die))
"""
    killed = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    resumed = train(RECIPE, toys, tmp_path / "killed", Options(resume=True))
    assert same(resumed, train(RECIPE, toys, tmp_path / "straight"))


def test_an_unfinished_run_is_not_overwritten(toys: Path, tmp_path: Path) -> None:
    (tmp_path / "state.pt").write_bytes(b"hours of work")
    with pytest.raises(ConfigError, match=r"unfinished run.*--resume"):
        train(RECIPE, toys, tmp_path)
    assert (tmp_path / "state.pt").read_bytes() == b"hours of work"


def test_a_run_is_resumed_with_its_own_recipe_only(toys: Path, tmp_path: Path) -> None:
    def stop(_epoch: int, _score: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(RECIPE, toys, tmp_path / "out", Options(watch=stop))
    with pytest.raises(ConfigError, match=r"state\.pt: is of another recipe"):
        train(recipe(learning_rate=1e-3), toys, tmp_path / "out", Options(resume=True))


def test_something_else_is_not_resumed(toys: Path, tmp_path: Path) -> None:
    torch.save({"weights": {}}, tmp_path / "state.pt")
    with pytest.raises(ModelError, match=r"state\.pt: not the state of a run"):
        train(RECIPE, toys, tmp_path, Options(resume=True))


def test_there_must_be_something_to_resume(toys: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"state\.pt: No such file.*run that was stopped"):
        train(RECIPE, toys, tmp_path, Options(resume=True))


def test_a_score_that_no_longer_rises_ends_the_run(toys: Path, tmp_path: Path) -> None:
    lazy = recipe(epochs=50, early_stop=2, learning_rate=1e-9)
    assert len(set(scores_of(lazy, toys, tmp_path))) == 1
    assert len(scores(tmp_path)) == 3  # the first, and two that are no better


def scores_of(wanted: Recipe, toys: Path, out: Path) -> list[float]:
    train(wanted, toys, out)
    return scores(out)


def test_a_loss_that_is_no_number_ends_the_run_and_says_when(toys: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"^epoch \d: .*no longer a finite number: lower train\.learning_rate"):
        train(recipe(learning_rate=1e30, epochs=9), toys, tmp_path / "out")
    for path in (tmp_path / "out").glob("*.pt"):
        weights = torch.load(path, weights_only=True).get("weights", {})
        assert all(value.isfinite().all() for value in weights.values())


def test_weights_of_another_recipe_are_taken_over_where_they_fit(
    toys: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = train(RECIPE, toys, tmp_path / "first")
    three = Recipe.model_validate(TOY | {"classes": [*TOY["classes"], {"name": "third"}]})
    still = three.model_copy(update={"train": three.train.model_copy(update={"learning_rate": 1e-12, "epochs": 1})})
    second = train(still, toys, tmp_path / "second", Options(start=tmp_path / "first" / "best.pt"))
    assert torch.allclose(second.weights["stem.0.weight"], first.weights["stem.0.weight"], atol=1e-5)
    count = len(first.weights)
    assert f"best.pt: {count - 2} of {count} weights taken over" in capsys.readouterr().out  # all but the head's


def test_extra_pictures_are_learned_from(toys: Path, tmp_path: Path) -> None:
    more = write_toy_pictures(tmp_path / "more", train=4, val=1, test=1)
    seen = train(RECIPE, toys, tmp_path / "a", Options(extra=(more,)))
    assert not same(seen, train(RECIPE, toys, tmp_path / "b"))


def test_pictures_that_are_held_out_are_no_extra_ones(toys: Path, tmp_path: Path) -> None:
    row = (toys / "val.csv").read_text(encoding="utf-8").splitlines()[1]
    leak = tmp_path / "leak"
    for name in row.split(",")[:2]:
        (leak / name).parent.mkdir(parents=True)
        (leak / name).symlink_to(toys / name)
    with pytest.raises(DatasetError, match="is held out in"):
        train(RECIPE, toys, tmp_path / "out", Options(extra=(leak,)))


def test_a_validation_split_without_what_is_looked_for_is_refused(toys: Path, tmp_path: Path) -> None:
    for row in (toys / "val.csv").read_text(encoding="utf-8").splitlines()[1:]:
        mask = toys / row.split(",")[1]
        mask.write_bytes((toys / "masks" / "3.png").read_bytes())  # every third picture is good
    with pytest.raises(DatasetError, match="no validation picture shows spot"):
        train(RECIPE, toys, tmp_path / "out")


def test_a_broken_picture_is_left_out_where_that_is_wanted(toys: Path, tmp_path: Path) -> None:
    (toys / "masks" / "1.png").unlink(missing_ok=True)
    with pytest.raises(DatasetError):
        train(RECIPE, toys, tmp_path / "out")
    assert train(RECIPE, toys, tmp_path / "out", Options(skip_broken=True)).epoch >= 1


def test_pictures_that_memory_does_not_hold_are_read_again(
    toys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = train(RECIPE, toys, tmp_path / "held")
    monkeypatch.setattr("models.training_set.HELD_BYTES", 40_000)  # some of them
    assert same(train(RECIPE, toys, tmp_path / "read"), held)


def test_a_picture_that_vanishes_is_named_in_one_line(
    toys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def vanish(_epoch: int, _score: float) -> None:
        (toys / "images" / "1.png").unlink(missing_ok=True)

    monkeypatch.setattr("models.training_set.HELD_BYTES", 0)
    with pytest.raises(PictureError, match=r"^[^\n]*1\.png: No such file[^\n]*$"):
        train(recipe(epochs=9), toys, tmp_path / "out", Options(watch=vanish))


def test_a_device_that_is_not_there_is_named(toys: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"device 'warp': .*give cpu, cuda or cuda:NUMBER"):
        train(RECIPE, toys, tmp_path / "out", replace(Options(), device="warp"))
