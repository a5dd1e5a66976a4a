"""Noise floor: how far float agrees with itself, where a picture changes by no more than any camera's noise changes it.

A boundary that one grey level moves is not decided by the network: no INT8 form can be asked to keep it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from edge.segment import open_reference
from models.metrics import Confusion
from quantize.evaluate import class_specs, read_sample
from quantize.parity import agreement, foreground

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.bundle import Bundle
    from edge.picture import Picture
    from models.sample import Sample
    from quantize.figures import Agreement


def noise_floor(bundle: Bundle, samples: Sequence[Sample], threads: int = 0) -> tuple[Agreement, Agreement]:
    """Compare float's masks of each picture with those of the same picture under the least noise.

    Gives the agreement of the focus class's masks and of those of all classes but the first.

    Raises:
        BundleError, ModelError: the bundle can't be run here.
        DatasetError, PictureError: a sample can't be used.
    """
    classes, rng = class_specs(bundle.manifest), np.random.default_rng(0)
    between = []
    with open_reference(bundle, threads) as reference:
        for sample in tqdm(samples, desc="float under noise", unit="picture", disable=None, leave=False):
            picture, _ = read_sample(sample, classes)
            counted = Confusion(len(classes))
            counted.add(reference(noisy(picture, rng)).on_frame(), reference(picture).on_frame())
            between.append(counted.counts)
    return agreement(between, bundle.manifest.focus_id), foreground(between)


def noisy(picture: Picture, rng: np.random.Generator) -> Picture:
    """Raise each number of a picture by one grey level, lower it or leave it; what is grey stays grey."""
    colours = 3 if np.ptp(picture, axis=2).any() else 1
    moved = picture.astype(np.int16) + rng.integers(-1, 2, (*picture.shape[:2], colours), np.int16)
    return np.asarray(np.clip(moved, 0, 255), np.uint8)
