"""Anomaly: a network that marks what good parts don't show, learned from good pictures and synthetic defects alone."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
import torch
from tqdm import tqdm

from edge.errors import ConfigError, DatasetError
from edge.picture import read_picture
from edge.pictures.prepare import halve, prepare
from models.checkpoint import Checkpoint
from models.example import Example
from models.index_mask import write_mask
from models.normalise import normalise
from models.recipe import Recipe
from models.split_lists import write_lists
from models.synthetic_defects import spoil
from models.train import Options, train

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from models.archs import Network
    from models.good import GoodPictures
    from models.recipe import InputSpec
    from models.sample import Split

SPOILT = 64
"""Spoilt copies per split that are written down: to validate on, to take INT8 ranges from, to look at."""

ARCHS = ("loupenet", "unet", "deeplabv3plus")
"""Those whose last layer, `head`, gives the logits."""

STEPS = 2000
"""Batches of a run whose recipe does not say."""

TIE = 1e-3
"""How far below the threshold, in logits, a picture that lies on it is kept: float arithmetic differs by less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """From where on a pixel counts as an anomaly."""

    lead: float  # logit of `anomaly` less that of `good`, as the network was trained
    pictures: int  # good ones, held out, that it was taken from
    false_reject: float  # share of further good pictures that are expected, at most, to show an anomaly


class Learned(NamedTuple):
    """A network whose anomalies begin at the threshold."""

    checkpoint: Checkpoint
    threshold: Threshold


def default_recipe(name: str, size: tuple[int, int], pictures: int, licence: str) -> Recipe:
    """Give the recipe of a user who has none: `size` is width and height of the input, in pixels."""
    batch = 8
    return Recipe.model_validate(
        {
            "name": name,
            "classes": [{"name": "good"}, {"name": "anomaly", "colour": [255, 0, 0]}],
            "score_class": "anomaly",
            "input": {"width": size[0], "height": size[1]},
            # Dice makes a network sure of all it sees: good pictures can then no longer be told apart by their scores.
            "loss": {"dice": 0},
            "sampling": {"synthetic": 0.75},
            # A bend that is harmless is one that good parts show: little of each.
            "augment": {
                "scale": [0.9, 1.1], "rotate_deg": 5, "shift": 0.03, "brightness": 0.1, "contrast": 0.12, "gamma": 0.12,
                "colour_cast": 0.03, "saturation": 0.1, "hue_deg": 2, "blur_px": 0.8, "noise": 3, "jpeg": 0.15,
            },
            "train": {
                "epochs": math.ceil(STEPS * batch / pictures), "batch": batch, "learning_rate": 2e-3, "ema": 0.995,
                "validate_every": max(1, math.ceil(STEPS * batch / pictures / 8)),
            },
            "provenance": {"licence": licence, "data": f"{pictures} good pictures with synthetic defects"},
        }
    )  # fmt: skip


def learn(good: GoodPictures, recipe: Recipe, out: Path, false_reject: float, options: Options) -> Learned:
    """Train on `good` alone and put the threshold where `threshold` does; writes what `models.train` does.

    `best.pt` has the threshold in it, `last.pt` the weights as they were trained. `data` in `out` is the data set that
    was made: the good pictures, and spoilt copies with their masks. Held-out pictures stand in its `val` and `test`,
    half each; its `test` serves to compare INT8 with float, no more.

    Raises:
        ConfigError: the recipe is none for this.
        DatasetError, PictureError: a picture can't be used.
        ModelError, KeyboardInterrupt: as `models.train.train` does.
    """
    _check(recipe)
    write_data(good, recipe, out / "data")
    train(recipe, out / "data", out, options)
    # The last weights, not the best on synthetic defects: those are no sample of what a line will see.
    trained = Checkpoint.load(out / "last.pt")
    found = threshold(leads(trained.network(), list(good.held_out), recipe.input), false_reject)
    moved = moved_to(trained, found.lead)
    moved.save(out / "best.pt")
    return Learned(moved, found)


def write_data(good: GoodPictures, recipe: Recipe, root: Path) -> None:
    """Write a data set of good pictures, which stay where they are, and spoilt copies, at most `SPOILT` per split."""
    for folder in ("spoilt", "masks"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "classes.txt").write_text("\n".join(spec.name for spec in recipe.classes) + "\n", encoding="utf-8")
    groups = sorted(set(good.held_out.values()))
    validation = set(groups[::2])
    parts: dict[Split, dict[Path, str]] = {
        "train": good.learn,
        "val": {path: group for path, group in good.held_out.items() if group in validation},
        "test": {path: group for path, group in good.held_out.items() if group not in validation},
    }
    tables: dict[Split, list[dict[str, str]]] = {}
    for split, pictures in parts.items():
        progress = tqdm(pictures.items(), desc=f"good pictures, {split}", unit="picture", disable=None)
        tables[split] = [_row(path, _empty_mask(path, root, recipe), group) for path, group in progress]
        tables[split] += _spoilt(pictures, recipe, root, split)
    write_lists(root, tables)


def leads(net: Network, pictures: Iterable[Path], spec: InputSpec) -> list[float]:
    """Give the largest lead of each picture."""
    progress = tqdm(pictures, desc="good pictures", unit="picture", disable=None)
    return [float(lead(net, prepare(read_picture(path), spec.width, spec.height), spec).max()) for path in progress]


@torch.no_grad()
def lead(net: Network, picture: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.float32]:
    """Give the logit of `anomaly` less that of `good` for a prepared picture, (h, w)."""
    good, anomaly = net(normalise(torch.from_numpy(picture)[None], spec))[0]
    difference: NDArray[np.float32] = (anomaly - good).numpy()
    return difference


def threshold(largest: Sequence[float], false_reject: float) -> Threshold:
    """Put the threshold so that at most `false_reject` of further good pictures are expected above it.

    It is the ceil((n + 1) (1 - false_reject))-th smallest of n (Vovk et al., "Algorithmic Learning in a Random World",
    2005, as split conformal prediction), which holds if held-out and further pictures come from the same process. Too
    few pictures can't promise that much: then it is their largest lead, and 1 / (n + 1) is what they promise.
    """
    count = len(largest)
    rank = min(count, math.ceil((count + 1) * (1 - false_reject)))
    return Threshold(lead=sorted(largest)[rank - 1], pictures=count, false_reject=1 - rank / (count + 1))


def moved_to(checkpoint: Checkpoint, lead: float) -> Checkpoint:
    """Lower the anomaly's bias by `lead`, so that an anomaly is the more probable class from there on."""
    bias = checkpoint.weights["head.bias"].clone()
    bias[1] -= lead + TIE
    return replace(checkpoint, weights={**checkpoint.weights, "head.bias": bias})


def _check(recipe: Recipe) -> None:
    if (recipe.score_id, len(recipe.classes)) != (1, 2):
        raise ConfigError(f"recipe {recipe.name}: must have two classes, the second one its score_class")
    if not recipe.sampling.synthetic:
        raise ConfigError(f"recipe {recipe.name}: sampling.synthetic = 0: must be above 0, good pictures show nothing")
    if recipe.arch.name not in ARCHS:
        raise ConfigError(f"recipe {recipe.name}: arch.name = {recipe.arch.name}: must be one of {', '.join(ARCHS)}")


def _row(picture: Path, mask: Path, group: str) -> dict[str, str]:
    return {"image": str(picture.resolve()), "mask": str(mask.resolve()), "group": group}


def _empty_mask(picture: Path, root: Path, recipe: Recipe) -> Path:
    height, width = read_picture(picture).shape[:2]
    path = root / "masks" / f"good-{width}x{height}.png"
    if not path.exists():
        write_mask(path, np.zeros((height, width), np.uint8), recipe.classes)
    return path


def _spoilt(pictures: dict[Path, str], recipe: Recipe, root: Path, split: Split) -> list[dict[str, str]]:
    """Write spoilt copies of pictures spread over the split; each has a defect that can be seen."""
    rng = np.random.default_rng([recipe.train.seed, len(split)])
    listed = sorted(pictures)
    chosen = listed[:: max(1, math.ceil(len(listed) / SPOILT))]
    rows = []
    for number, path in enumerate(tqdm(chosen, desc=f"synthetic defects, {split}", unit="picture", disable=None)):
        clean, donor = (
            halve(read_picture(p), recipe.input.width, recipe.input.height)
            for p in (path, listed[rng.integers(len(listed))])
        )
        size = clean.shape[:2]
        example = Example(clean, np.zeros(size, np.uint8), np.zeros(size, np.uint16))
        tries = (spoil(example, donor, 1, rng) for _ in range(20))
        spoilt = next((one for one in tries if (one.classes == 1).any()), example)
        picture, mask = (root / folder / f"{split}-{number:03}.png" for folder in ("spoilt", "masks"))
        if not cv2.imwrite(str(picture), spoilt.picture):
            raise DatasetError(f"{picture}: can't be written: is the disk full?")
        write_mask(mask, spoilt.classes, recipe.classes)
        rows.append(_row(picture, mask, pictures[path]))
    return rows
