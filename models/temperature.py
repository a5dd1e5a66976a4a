"""Temperature: one number that a trained network's logits are divided by, so that its confidence means what it says.

Temperature scaling after Guo et al., "On Calibration of Modern Neural Networks" (ICML 2017, arXiv:1706.04599): the
temperature of the greatest likelihood on validation pictures. It is divided into the weights of the last layer, so that
the graph, its classes and how it quantises stay as they are.

All classes count the same, each by the pixels that are seen as it. With every pixel counting the same, the background,
which nobody doubts, would choose the temperature. What a pixel is seen as depends on the picture alone, so that the
likelihood still asks for true probabilities; weights by true class would ask for those of classes that are equally
frequent. Measured with the shipped network for coffee leaves; expected calibration error in %, 61 validation pictures
chose the temperature, 60 others are the test:

                                        val                      test
    pixels count             T     all    seen as lesion    all    seen as lesion
    -                        1     0.09        4.77        0.06        4.61
    the same                 1.18  0.07        4.05        0.06        3.90
    by the class seen        1.56  0.29        2.24        0.32        2.14
    by the true class        1.71  0.46        2.03        0.49        2.21
    those seen as lesion     1.68  0.42        2.03        0.45        2.18
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
import torch
from tqdm import tqdm

from models.annotation import IGNORE
from models.card import Calibration
from models.metrics.reliability import Reliability
from models.normalise import normalise

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from models.archs import Network
    from models.checkpoint import Checkpoint
    from models.recipe import Recipe
    from models.validation import View

LOWEST, HIGHEST = 0.25, 4.0
"""Temperatures beyond these say that the pictures are too few or too easy, or that the network has learned nothing."""

KEPT = 1 << 22
"""Logits that the search looks at, 16 MiB."""

HALVINGS = 30


class Pixels(NamedTuple):
    """Pixels of the network's output whose truth is known."""

    logits: NDArray[np.float32]  # (n, classes)
    truth: NDArray[np.uint8]  # (n,)


class _Errors(NamedTuple):
    """Expected calibration errors, 0 to 1; none without pixels."""

    all: float | None
    focus: float | None  # of pixels seen as the score class


def calibrate(checkpoint: Checkpoint, views: Sequence[View]) -> Checkpoint:
    """Divide the logits by the temperature that suits `views`, in the weights, and note what that did.

    A network that gives no logits per pixel, or whose pixels of the score class would not be better calibrated, stays
    as it is.
    """
    net = checkpoint.network()
    if net.task != "semantic":
        return checkpoint
    before = _errors(net, views, checkpoint.recipe)
    temperature = fit(_sample(net, views, checkpoint.recipe)) or 1.0
    cool(net, temperature)
    after = _errors(net, views, checkpoint.recipe)
    if (after.focus or 0) >= (before.focus or 0):
        tqdm.write(
            f"confidence stays as it is: no temperature between {LOWEST:g} and {HIGHEST:g} improves it on "
            f"{len(views)} validation pictures: give more of them, or train longer"
        )
        return checkpoint
    told = Calibration(
        temperature=temperature,
        pictures=len(views),
        error=(before.all, after.all),
        focus_error=(before.focus, after.focus),
    )
    return replace(checkpoint, weights=net.state_dict(), calibration=told)


def fit(pixels: Pixels) -> float | None:
    """Find the temperature of the greatest likelihood where each class that is seen counts the same.

    None where it would be below `LOWEST` or above `HIGHEST`. The negative logarithm of the likelihood is convex in the
    temperature's inverse, so that its slope has one zero, which is found by halving.
    """
    if not len(pixels.truth):
        return None
    low, high = 1 / HIGHEST, 1 / LOWEST
    if _slope(pixels, low) >= 0 or _slope(pixels, high) <= 0:
        return None
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _slope(pixels, middle) < 0 else (low, middle)
    return 2 / (low + high)


def cool(net: Network, temperature: float) -> None:
    """Divide the logits of a semantic network by `temperature`, in the weights that they are proportional to."""
    with torch.no_grad():
        for name in net.scoring:
            for weight in net.get_submodule(name).parameters():
                weight.div_(temperature)


def _slope(pixels: Pixels, inverse: float) -> float:
    """Give the derivative of the negative log-likelihood by the temperature's inverse."""
    logits, truth = pixels
    chances = np.exp(inverse * (logits - logits.max(axis=1, keepdims=True)))
    chances /= chances.sum(axis=1, keepdims=True)
    slopes = (chances * logits).sum(axis=1) - logits[np.arange(len(truth)), truth]
    seen = logits.argmax(axis=1)
    counts = np.bincount(seen)
    sums = np.bincount(seen, slopes)
    return float((sums[counts > 0] / counts[counts > 0]).mean())


def _sample(net: Network, views: Sequence[View], recipe: Recipe) -> Pixels:
    """Draw as many pixels of each class that is seen, from each picture, as may be kept."""
    classes = len(recipe.classes)
    most = max(1, KEPT // (classes * classes * len(views)))
    rng = np.random.default_rng(recipe.train.seed)
    drawn = []
    for logits, truth in _look(net, views, recipe):
        seen = logits.argmax(axis=1)
        for place in range(classes):
            (of_class,) = np.nonzero(seen == place)
            chosen = rng.permutation(of_class)[:most]
            drawn.append(Pixels(logits[chosen], truth[chosen]))
    return Pixels(*(np.concatenate(planes) for planes in zip(*drawn, strict=True)))


def _errors(net: Network, views: Sequence[View], recipe: Recipe) -> _Errors:
    everywhere, focus = Reliability(), Reliability()
    for logits, truth in _look(net, views, recipe):
        seen = logits.argmax(axis=1)
        sure = 1 / np.exp(logits - logits.max(axis=1, keepdims=True)).sum(axis=1)
        is_focus = seen == recipe.score_id
        everywhere.add(sure, seen == truth)
        focus.add(sure[is_focus], (seen == truth)[is_focus])
    return _Errors(*(_number(pooled.error()) for pooled in (everywhere, focus)))


@torch.no_grad()
def _look(net: Network, views: Sequence[View], recipe: Recipe) -> Iterator[Pixels]:
    """Give each picture's pixels; those of the truth are taken at the centres of the network's."""
    for one in tqdm(views, desc="confidence", unit="picture", disable=None, leave=False):
        logits = net(normalise(torch.from_numpy(one.picture)[None], recipe.input))[0].permute(1, 2, 0).numpy()
        truth = np.asarray(cv2.resize(one.truth, logits.shape[1::-1], interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)
        yield Pixels(logits[truth != IGNORE], truth[truth != IGNORE])


def _number(value: float) -> float | None:
    return None if np.isnan(value) else value
