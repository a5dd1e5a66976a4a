"""Worst page: the validation pictures on which a network is worst, with truth, prediction and errors, as HTML."""

from __future__ import annotations

import base64
from html import escape
from string import Template
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from edge.draw import COLOURS_BGR
from models.annotation import IGNORE
from models.metrics import Confusion
from models.validation import score_name, seen, wanted
from models.whole_file import whole_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from models.checkpoint import Checkpoint
    from models.example import U8
    from models.recipe import Recipe
    from models.validation import View

SHOWN = 12
"""Pictures on the page."""

WIDTH_PX = 320
"""Of one picture on the page; smaller ones are enlarged."""

MISSED, FALSE, MISTAKEN = (36, 36, 220), (0, 200, 255), (200, 40, 180)
"""BGR: something taken for nothing, nothing taken for something, one class taken for another."""

_PAGE = Template("""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>$title</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 84rem; padding: 0 1rem;
  color: #1b1b1b; background: #fff }
.row { display: grid; grid-template-columns: repeat(4, 1fr); gap: .5rem; margin: .25rem 0 1.5rem }
figure { margin: 0 } img { width: 100%; display: block; image-rendering: pixelated }
figcaption { color: #595959; font-size: .85rem }
.key { display: inline-block; width: .9em; height: .9em; margin: 0 .3em 0 1em; vertical-align: -.08em }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #161616 } figcaption { color: #a8a8a8 } }
</style>
<h1>$title</h1>
<p>$told</p>
<p>Classes:$classes<br>Errors:$errors</p>
$rows
</html>
""")


class _Case(NamedTuple):
    score: float
    view: View
    predicted: U8

    @property
    def wrong_px(self) -> int:
        return int(_wrong(self.view.truth, self.predicted).sum())


def write_worst_page(best: Checkpoint, views: Sequence[View], path: Path) -> None:
    """Write the page, whole or not at all.

    A picture's score is the IoU that picks the checkpoint, on this picture alone; pictures where there is nothing to
    find and nothing was found are not ranked.
    """
    recipe, net = best.recipe, best.network()
    cases = [_Case(_score(one, predicted, recipe), one, predicted) for one in views
             for predicted in [seen(net, one, recipe.input)]]  # fmt: skip
    ranked = sorted((case for case in cases if not np.isnan(case.score)), key=lambda case: (case.score, -case.wrong_px))
    names = [spec.name for spec in recipe.classes]
    page = _PAGE.substitute(
        title=escape(f"{recipe.name}: where it is worst"),
        told=f"The {min(SHOWN, len(ranked))} worst of {len(views)} validation pictures, by IoU "
        f"({escape(score_name(recipe))}), at epoch {best.epoch} (all pictures: {100 * best.score:.1f} %).",
        classes="".join(_key(_colour(place), name) for place, name in enumerate(names) if place),
        errors=_key(MISSED, "missed") + _key(FALSE, "false") + _key(MISTAKEN, "taken for another class"),
        rows="\n".join(_row(case) for case in ranked[:SHOWN]),
    )
    with whole_file(path) as partial:
        partial.write_text(page, encoding="utf-8")


def _score(view: View, predicted: U8, recipe: Recipe) -> float:
    confusion = Confusion(len(recipe.classes))
    confusion.add(predicted, view.truth)
    known = [iou for iou in np.array(confusion.iou())[wanted(recipe)] if not np.isnan(iou)]
    return float(np.mean(known)) if known else float("nan")


def _row(case: _Case) -> str:
    picture, truth = case.view.picture, case.view.truth
    forms = {
        "Picture": picture,
        "Truth": _filled(picture, truth),
        "Prediction": _filled(picture, case.predicted),
        "Errors": _errors(picture, truth, case.predicted),
    }
    figures = "".join(
        f'<figure><img alt="{caption}" src="{_data_uri(image)}"><figcaption>{caption}</figcaption></figure>'
        for caption, image in forms.items()
    )
    return f'<p>{escape(case.view.name)}: IoU {100 * case.score:.1f} %</p>\n<div class="row">{figures}</div>'


def _filled(picture: U8, classes: U8) -> U8:
    result = picture.copy()
    for place in set(np.unique(classes).tolist()) - {0}:
        inside = classes == place
        colour = np.array(_colour(place) if place != IGNORE else (128, 128, 128), np.float32)
        result[inside] = (0.45 * result[inside] + 0.55 * colour).astype(np.uint8)
    return result


def _errors(picture: U8, truth: U8, predicted: U8) -> U8:
    grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    result = np.asarray(64 + grey // 2, np.uint8)
    wrong = _wrong(truth, predicted)
    result[wrong] = MISTAKEN
    result[wrong & (predicted == 0)] = MISSED
    result[wrong & (truth == 0)] = FALSE
    return result


def _wrong(truth: U8, predicted: U8) -> NDArray[np.bool_]:
    wrong: NDArray[np.bool_] = (truth != predicted) & (truth != IGNORE)
    return wrong


def _colour(place: int) -> tuple[int, int, int]:
    return COLOURS_BGR[(place - 1) % len(COLOURS_BGR)]


def _key(bgr: tuple[int, int, int], name: str) -> str:
    return f'<span class="key" style="background: rgb{bgr[::-1]}"></span>{escape(name)}'


def _data_uri(picture: U8) -> str:
    if picture.shape[1] < WIDTH_PX:
        grown = (WIDTH_PX, round(picture.shape[0] * WIDTH_PX / picture.shape[1]))
        picture = np.asarray(cv2.resize(picture, grown, interpolation=cv2.INTER_NEAREST), np.uint8)
    data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()
