"""Suspects: a page with the good pictures that a network finds least good, for somebody to look at once more."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
from tqdm import tqdm

from edge.page import facts, page
from edge.picture import read_picture
from edge.pictures.prepare import prepare
from models.anomaly import lead
from models.whole_file import whole_file
from quantize.overlay import Row, data_uri, shrunk, strip

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.picture import Picture
    from models.anomaly import Learned
    from models.good import GoodPictures

TITLE = "The most suspicious good pictures"
SHOWN = 12
HEAT = 0.6
"""Share of the heat's colour where it is largest."""


class Suspect(NamedTuple):
    """One picture that passes for good."""

    picture: Path
    held_out: bool
    lead: NDArray[np.float32]  # (h, w), logits from the threshold on


def write_suspects(path: Path, learned: Learned, good: GoodPictures) -> None:
    """Write the page, whole or not at all. Raises PictureError."""
    found = learned.threshold
    told = facts(
        [
            ("Good pictures", f"{len(good.learn)} learned from, {len(good.held_out)} held out"),
            ("Expected false rejects", f"at most {found.false_reject:.1%} of pictures like those held out"),
            ("To do", "take away pictures that are not good, and learn again: a few held-out ones set the threshold"),
        ]
    )
    strips = "".join(strip(_row(one)) for one in suspects(learned, good))
    with whole_file(path) as partial:
        partial.write_text(page(TITLE, f"<h1>{TITLE}</h1>{told}{strips}"), encoding="utf-8")


def suspects(learned: Learned, good: GoodPictures) -> list[Suspect]:
    """List the pictures with the largest leads, the largest first."""
    spec, net = learned.checkpoint.recipe.input, learned.checkpoint.network()
    found: list[Suspect] = []
    for picture in tqdm([*good.held_out, *good.learn], desc="suspects", unit="picture", disable=None):
        seen = lead(net, prepare(read_picture(picture), spec.width, spec.height), spec)
        found = sorted([*found, Suspect(picture, picture in good.held_out, seen)], key=_largest)[:SHOWN]
    return found


def _largest(one: Suspect) -> float:
    return -float(one.lead.max())


def _row(one: Suspect) -> Row:
    picture = shrunk(read_picture(one.picture))
    largest = float(one.lead.max())
    return Row(
        why=one.picture.name,
        name=one.picture.name,
        told=f"{abs(largest):.2f} {'above' if largest > 0 else 'below'} the threshold, in logits; "
        + ("held out" if one.held_out else "learned from"),
        pictures=(("Picture", data_uri(picture)), ("Where it is least good", data_uri(_heat(picture, one.lead)))),
    )


def _heat(picture: Picture, lead: NDArray[np.float32]) -> Picture:
    """Lay the probability of an anomaly over a picture, from nothing to red."""
    size = (picture.shape[1], picture.shape[0])
    share = HEAT / (1 + np.exp(-cv2.resize(lead, size, interpolation=cv2.INTER_LINEAR).clip(-30, 30)))[..., None]
    return np.asarray(picture * (1 - share) + np.array([0, 0, 255]) * share, np.uint8)
