"""LabelMe JSON, one file per picture: polygons, rectangles, circles and masks, as labelme's own exports fill them.

Shapes with the same label and `group_id` are one object. `__ignore__` marks what nobody vouches for.
https://github.com/wkentaro/labelme
"""

from __future__ import annotations

import math
import posixpath
from array import array
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Annotated

from pydantic import BeforeValidator, Field

from edge.errors import DatasetError
from edge.rle import encode
from models.annotation import MAX_MARKS
from models.drawn import Described, Drawn, Part, Shape, broken, gather
from models.foreign import Foreign, load, read_text
from models.rgba import from_base64, read_rgba
from models.shapes import ellipse, polygons, union

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from edge.rle import Rle
    from models.datasets import Dataset
    from models.folder import Folder

    Runs = Callable[[int, int], Rle]

TITLE = "LabelMe JSON"

IGNORED = "__ignore__"

_OUTLINES = {"polygon", "rectangle", "oriented_rectangle", "rotation"}
_PASSED = {"line": "lines", "linestrip": "lines", "point": "points", "points": "points"}


class _Shape(Foreign):
    label: Annotated[str, Field(min_length=1)]
    points: list[tuple[float, float]]
    shape_type: Annotated[str, BeforeValidator(lambda value: value or "polygon")] = "polygon"
    group_id: int | str | None = None
    mask: str | None = None  # base64 of a PNG


class _File(Foreign):
    shapes: Annotated[list[_Shape], Field(max_length=MAX_MARKS)]
    picture: Annotated[str, Field(alias="imagePath")]
    embedded: Annotated[str | None, Field(alias="imageData")] = None
    height: Annotated[int | None, Field(alias="imageHeight")] = None
    width: Annotated[int | None, Field(alias="imageWidth")] = None


def find(folder: Folder) -> list[Path]:
    """List the JSON files with shapes and a picture's path."""
    return folder.json("object", "shapes", "imagePath")


def read(files: Sequence[Path], folder: Folder) -> Dataset:
    """Read them as one data set; a broken file is a fault. Raises DatasetError: two describe the same picture."""
    listed = folder.root / "labels.txt"
    labels = [line.strip() for line in read_text(listed).splitlines()] if listed.is_file() else []
    return gather("labelme", folder.root, (_part(path, folder, labels) for path in files), folder.pictures)


def _part(path: Path, folder: Folder, listed: Sequence[str]) -> Part:
    try:
        data = load(path, _File)
    except DatasetError as error:
        return broken(path, error)
    objects, passed = dict[object, tuple[str, str, list["Runs"]]](), Counter[str]()
    for number, shape in enumerate(data.shapes, 1):
        if (fill := _fill(shape)) is None:
            passed[_PASSED.get(shape.shape_type, f"shapes of the type {shape.shape_type[:40]}")] += 1
            continue
        one = number if shape.group_id is None else (shape.label, shape.group_id)
        objects.setdefault(one, (shape.label, f"shape {number}", []))[2].append(fill)
    shapes = tuple(
        Shape(label, place, fills[0] if len(fills) == 1 else partial(_together, tuple(fills)), ignored=label == IGNORED)
        for label, place, fills in objects.values()
    )
    size = (data.height, data.width) if data.height is not None and data.width is not None else None
    names = _names(path, data.picture, folder.root)
    described = Described(
        names=names,
        truth=Drawn(where=str(path), shapes=shapes, size=size),
        fault=_only_inside(names, folder) if data.embedded else "",
        passed=passed,
    )
    labels = (label for label in (*listed, *(shape.label for shape in shapes)) if label and label != IGNORED)
    return Part(path, labels, [described])


def _names(path: Path, picture: str, root: Path) -> tuple[str, ...]:
    """Give the picture's path from `root`, as the file beside which it was saved tells it, and the file's own name."""
    home = path.parent.relative_to(root).as_posix()
    told = picture.replace("\\", "/")
    if told.startswith("/") or told[1:2] == ":":
        told = posixpath.basename(told)
    return posixpath.normpath(f"{home}/{told}"), f"{home}/{path.stem}"


def _only_inside(names: Sequence[str], folder: Folder) -> str:
    why = ""
    for name in names:
        try:
            folder.pictures.find(name)
        except DatasetError:
            why = "its picture is only inside it, as imageData: take it out (`labelme_export_json` does), put it beside"
        else:
            return ""
    return why


def _fill(shape: _Shape) -> Runs | None:
    points = array("d", (value for point in shape.points for value in point))
    if shape.shape_type == "rectangle" and len(shape.points) == 2:
        left, top, right, bottom = points
        points = array("d", (left, top, right, top, right, bottom, left, bottom))
    if shape.shape_type in _OUTLINES:
        return partial(polygons, (points,))
    if shape.shape_type == "circle":
        return partial(_circle, points)
    if shape.shape_type == "mask":
        return partial(_mask, points, shape.mask or "")
    return None


def _circle(points: Sequence[float], height: int, width: int) -> Rle:
    if len(points) != 4:
        raise ValueError(f"a circle has {len(points) // 2} points: its centre and one on its rim are needed")
    x, y, rim_x, rim_y = points
    radius = math.hypot(rim_x - x, rim_y - y)
    return ellipse((x, y), (radius, radius), 0.0, height, width)


def _mask(points: Sequence[float], text: str, height: int, width: int) -> Rle:
    if len(points) != 4 or max(map(abs, points)) > max(height, width):
        raise ValueError(f"the corners of its mask are not in the picture of {width}x{height}")
    left, top, right, bottom = map(int, points)
    if left < 0 or top < 0 or right < left or bottom < top or right >= width or bottom >= height:
        raise ValueError(
            f"its mask from ({left}, {top}) to ({right}, {bottom}) is not in the picture of {width}x{height}"
        )
    pixels = read_rgba(from_base64(text), bottom - top + 1, right - left + 1)[..., 0] > 0
    return encode(pixels.view("u1"), left, top, width, height)


def _together(fills: Sequence[Runs], height: int, width: int) -> Rle:
    return union([fill(height, width) for fill in fills])
