"""Label Studio JSON: polygons and ellipses in per cent of the picture, brush strokes packed bit by bit (labelstud.io).

Of several annotations of a task the ground truth counts, else the latest. Tasks that nobody has annotated are passed
over; annotated ones without a region are clean.
"""

from __future__ import annotations

import math
import re
from array import array
from collections import Counter, defaultdict
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple
from urllib.parse import unquote

import numpy as np
from pydantic import AliasChoices, Field, PlainValidator

from edge.errors import DatasetError
from edge.picture import SUFFIXES
from models.brush import unpack
from models.drawn import Described, Drawn, Fill, Part, Shape, gather, refused
from models.foreign import Foreign, load_rows
from models.link import path_in
from models.rgba import from_base64, read_rgba
from models.shapes import ellipse, polygons

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.rle import Rle
    from models.datasets import Dataset
    from models.folder import Folder

TITLE = "Label Studio JSON"

Region = Fill | str
"""What draws a region, or the kind of one that is no mask."""


def _polygon(percent: array[float], height: int, width: int) -> Rle:
    if len(percent) % 2:
        raise ValueError("its points are not pairs")
    return polygons([np.asarray(percent).reshape(-1, 2) * (width / 100, height / 100)], height, width)


def _ellipse(percent: array[float], height: int, width: int) -> Rle:
    x, y, radius_x, radius_y, turn_deg = percent
    across, down = width / 100, height / 100
    return ellipse((x * across, y * down), (radius_x * across, radius_y * down), math.radians(turn_deg), height, width)


def _bitmask(png: bytes, height: int, width: int) -> NDArray[np.bool_]:
    return read_rgba(png, height, width)[..., 3] > 0


class _Value(NamedTuple):
    """What one result says about a region."""

    region: Region | None = None  # None: it has no place on the picture, as choices and texts
    labels: tuple[str, ...] = ()


def _value(raw: object) -> _Value:
    if not isinstance(raw, dict):
        return _Value()
    lists = [items for key, items in raw.items() if key.endswith("labels") and isinstance(items, list)]
    try:
        region = _region(raw)
    except (TypeError, ValueError, KeyError, OverflowError):
        region = refused("can't be read as what it claims to be")
    return _Value(region, tuple(str(label) for items in lists for label in items))


def _region(raw: dict[str, Any]) -> Region | None:
    """Take a region packed, by what stands in it: its type may be just `labels`."""
    if "points" in raw:
        if raw.get("closed") is False:
            return refused("its outline is not closed")
        return partial(_polygon, array("d", [number for x, y in raw["points"] for number in (x, y)]))
    if "rle" in raw:
        return partial(unpack, bytes(list(raw["rle"])))
    if "imageDataURL" in raw:
        return partial(_bitmask, from_base64(str(raw["imageDataURL"])))
    if "radiusX" in raw:
        numbers = [raw[key] for key in ("x", "y", "radiusX", "radiusY")]
        return partial(_ellipse, array("d", [*numbers, raw.get("rotation", 0)]))
    kinds = {"lines": "vertices", "boxes": "height", "points": "x"}
    return next((kind for kind, key in kinds.items() if key in raw), None)


class _Result(Foreign):
    id: str | None = None
    value: Annotated[_Value, PlainValidator(_value)] = _Value()
    original_width: int | None = None
    original_height: int | None = None
    image_rotation: float | None = None


class _Annotation(Foreign):
    result: list[_Result]
    was_cancelled: bool = False
    ground_truth: bool = False
    created_at: str | int | None = None
    updated_at: str | None = None

    def rank(self) -> tuple[bool, str]:
        """Order annotations by how much they count."""
        return self.ground_truth, self.updated_at or str(self.created_at or "")


class _Task(Foreign):
    id: int | str | None = None
    data: dict[str, Any]
    file_upload: str | None = None
    annotations: tuple[_Annotation, ...] = Field((), validation_alias=AliasChoices("annotations", "completions"))


def find(folder: Folder) -> list[Path]:
    """List the JSON files of tasks; also the short ones, JSON-MIN, which are refused with a reason."""
    keys = (("data", "annotations"), ("data", "completions"), _MIN)
    return sorted({path for wanted in keys for path in folder.json("list", *wanted)})


def read(files: Sequence[Path], folder: Folder) -> Dataset:
    """Read them as one data set. Raises DatasetError: damaged, or two files describe the same picture."""
    short = set(folder.json("list", *_MIN))
    for path in files:
        if path in short:
            raise DatasetError(f"{path}: is JSON-MIN, which leaves out what belongs together: export as JSON")
    return gather("label_studio", folder.root, (_part(path) for path in files), folder.pictures)


_MIN = ("annotation_id", "annotator")


def _part(path: Path) -> Part:
    described, counted = list[Described](), Counter[str]()
    for number, task in enumerate(load_rows(path, "list", _Task), 1):
        valid = [annotation for annotation in task.annotations if not annotation.was_cancelled]
        if not valid:
            counted["pictures are not annotated: they were passed over"] += 1
            continue
        if len(valid) > 1:
            counted["pictures have several annotations: the ground truth was taken, else the latest"] += 1
        where = f"{path}: task {number if task.id is None else task.id!r}"
        described.append(_described(task, max(valid, key=_Annotation.rank), where))
    shapes = (shape for one in described if isinstance(one.truth, Drawn) for shape in one.truth.shapes)
    notes = [f"{count} {what}" for what, count in counted.items()]
    return Part(path, dict.fromkeys(shape.label for shape in shapes), described, notes=notes)


def _described(task: _Task, annotation: _Annotation, where: str) -> Described:
    shapes, passed, names = list[Shape](), Counter[str](), _names(task)
    sizes = {
        (one.original_height, one.original_width)
        for one in annotation.result
        if one.original_height is not None and one.original_width is not None
    }
    fault = ""
    if any(one.image_rotation for one in annotation.result):
        fault = "was annotated on a turned picture: save the picture turned and annotate that"
    elif len(sizes) > 1 or names is None:
        fault = "shows several pictures: make one task of each"
    for place, region, labels in _regions(annotation.result):
        if isinstance(region, str):
            passed[region] += 1
        elif len(labels) == 1:
            shapes.append(Shape(labels[0], place, region))
        else:
            fault = fault or f"{place} has {len(labels)} labels: give it one"
    truth = Drawn(where=where, shapes=tuple(shapes), size=next(iter(sizes), None))
    return Described(names=names or (), truth=truth, fault=fault, passed=passed)


def _regions(results: Iterable[_Result]) -> Iterator[tuple[str, Region, list[str]]]:
    """Put the results of each region together: one may hold its outline and another one its label."""
    of_region = defaultdict[str, list[_Result]](list)
    for number, result in enumerate(results, 1):
        of_region[f"region {number if result.id is None else result.id!r}"].append(result)
    for place, group in of_region.items():
        region = next((one.value.region for one in group if one.value.region is not None), None)
        if region is not None:
            yield place, region, list(dict.fromkeys(label for one in group for label in one.value.labels))


def _names(task: _Task) -> tuple[str, ...] | None:
    """Give what the picture may be called, with and without what an upload put before its name; None for several."""
    texts = [text for value in task.data.values() for text in (value if isinstance(value, list) else [value])]
    shown = dict.fromkeys(path for path in map(_path, texts) if _is_picture(path))
    if len(shown) > 1:
        return None
    paths = [*shown, *([task.file_upload] if task.file_upload else [])]
    return tuple(name for path in paths for name in (path, _UPLOAD.sub("", path)))


_UPLOAD = re.compile(r"(?<![^/])[0-9a-f]{8}-(?=[^/]+$)")


def _path(text: object) -> str:
    """Give the path in a link to a picture: of an upload, a local file (`?d=`), a web server or a store."""
    if not isinstance(text, str):
        return ""
    local = text.partition("/local-files/?d=")[2]
    return unquote(local) if local else path_in(text)


def _is_picture(path: str) -> bool:
    return PurePosixPath(path.replace("\\", "/")).suffix.lower() in SUFFIXES
