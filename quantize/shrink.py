"""Shrink: try a target's candidates and keep the one whose masks stay closest to float on validation pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from edge import runtimes
from models.metrics import binary_iou

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge.frame import Picture
    from edge.mask import Plane
    from quantize.targets import Candidate, Network, Target

SPOT_PX = 5
"""Pictures on which float sees less than this many grid pixels of the focus class say nothing about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One candidate and how well it agrees with float."""

    candidate: Candidate
    agreement: float  # mean IoU of the focus class between float and INT8, 0 to 1


def shrink(target: Target, network: Network, validation: Sequence[Picture], focus: int, out: Path) -> list[Tried]:
    """Make every candidate of `target` and rank them, best first; equals stay in the target's own order.

    Args:
        target: for which chip.
        network: in float, with its calibration pictures.
        validation: pictures of the same kind to choose by; never those of the test split.
        focus: index of the class whose masks are compared.
        out: where candidates are written.

    Raises:
        ModelError: the network can't be made small or run.
    """
    reference = _class_maps("onnxruntime", network.folded, validation)
    tried = [
        Tried(candidate=c, agreement=_agreement(reference, _class_maps(target.proven_in, c.entry, validation), focus))
        for c in target.candidates(network, out)
    ]
    return sorted(tried, key=lambda t: -t.agreement)


def _class_maps(runtime: str, model: Path, pictures: Sequence[Picture]) -> list[Plane]:
    with runtimes.create(runtime, model) as network:
        progress = tqdm(pictures, desc="comparing masks", unit="picture", disable=None, leave=False)
        return [network.infer(picture)[0] for picture in progress]


def _agreement(reference: Sequence[Plane], found: Sequence[Plane], focus: int) -> float:
    pairs = [(a == focus, b == focus) for a, b in zip(reference, found, strict=True)]
    ious = [binary_iou(a, b) for a, b in pairs if int(a.sum()) >= SPOT_PX]
    if ious:
        return float(np.mean(ious))
    return float(np.mean([(a == b).mean() for a, b in zip(reference, found, strict=True)]))
