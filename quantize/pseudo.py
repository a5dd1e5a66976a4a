"""Pseudo-labels: what a model is sure of on unlabelled pictures becomes a data set; the rest of them is ignored.

After Lee, "Pseudo-Label" (ICML 2013 workshop on challenges in representation learning), per pixel and with a band in
which a pixel is nobody's.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from tqdm import tqdm

from edge.errors import DatasetError, ModelError
from edge.picture import read_picture
from models.annotation import IGNORE, ClassMap
from models.index_mask import write_mask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge.mask import Mask
    from quantize.evaluate import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """How likely its class must be for a pixel to count, 0.5 to 1.

    A wrong "good" teaches to overlook defects, a wrong defect to see some: each side has its own limit.
    """

    sure: float = 0.9  # from here on a pixel belongs to the class, where that is not the first
    sure_good: float = 0.9  # likewise, where it is the first
    known: float = 0.5  # pictures with a smaller share of such pixels are left out


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """What became of the pictures."""

    written: int
    left_out: int
    known: float  # share of the written pictures' pixels that have a class
    shares: tuple[float, ...]  # of each class among those


def pseudo_label(model: Model, pictures: Sequence[Path], out: Path, band: Band) -> Labelled:
    """Write `pictures` with what `model` is sure of into the new folder `out`, as a data set of the format `masks`.

    Pictures are linked where the disk allows it, else copied.

    Raises:
        DatasetError: `out` is not empty, or nothing is sure enough.
        ModelError: the model gives no probability per pixel, or fails.
        PictureError: a picture can't be read.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DatasetError(f"{out}: must be a new or empty folder")
    out.parent.mkdir(parents=True, exist_ok=True)
    counts: list[NDArray[np.int64]] = []
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as scratch:
        root = Path(scratch) / "labels"
        for folder in ("images", "masks"):
            (root / folder).mkdir(parents=True)
        for picture in tqdm(pictures, desc="labelling", unit="picture", disable=None):
            classes = sure_classes(_seen(model, picture), band)
            if (classes != IGNORE).mean() < band.known:
                continue
            name = f"{len(counts):06}-{picture.stem}"
            _link(picture, root / "images" / f"{name}{picture.suffix}")
            write_mask(root / "masks" / f"{name}.png", classes, model.classes)
            counts.append(np.bincount(classes.ravel(), minlength=IGNORE + 1))
        if not counts:
            raise DatasetError(f"of {len(pictures)} pictures none is known well enough: lower --sure or --known")
        (root / "classes.txt").write_text(_legend(model, band), encoding="utf-8")
        if out.exists():
            out.rmdir()
        root.replace(out)
    return _summary(np.sum(counts, axis=0), len(counts), len(pictures), len(model.classes))


def sure_classes(mask: Mask, band: Band) -> ClassMap:
    """Give the classes at frame size, `IGNORE` where the model is not sure."""
    size = (mask.frame_width, mask.frame_height)
    classes = mask.on_frame()
    # Between two classes the score is interpolated to where they meet, and is low there: outlines are ignored.
    lead = np.max(
        [cv2.resize(mask.margin(int(c)), size, interpolation=cv2.INTER_LINEAR) for c in np.unique(classes)], 0
    )
    limit = np.where(classes == 0, 2 * band.sure_good - 1, 2 * band.sure - 1)
    return np.where(lead >= 255 * limit, classes, np.uint8(IGNORE)).astype(np.uint8)


def _seen(model: Model, picture: Path) -> Mask:
    mask = model.see(read_picture(picture)).mask
    if mask is None:
        raise ModelError(f"{model.facts.file}: gives objects, not a probability per pixel: give a semantic model")
    return mask


def _link(picture: Path, place: Path) -> None:
    try:
        os.link(picture.resolve(), place)
    except OSError:  # another disk, or one that knows no links
        shutil.copyfile(picture, place)


def _legend(model: Model, band: Band) -> str:
    facts = model.facts
    source = f"# by {facts.name}, {facts.form}, sha256 {facts.sha256}; sure {band.sure:g}, good {band.sure_good:g}"
    return "\n".join([source, *(spec.name for spec in model.classes)]) + "\n"


def _summary(pixels: NDArray[np.int64], written: int, given: int, classes: int) -> Labelled:
    known = int(pixels[:classes].sum())
    return Labelled(
        written=written,
        left_out=given - written,
        known=known / int(pixels.sum()),
        shares=tuple(float(count) / known for count in pixels[:classes]),
    )
