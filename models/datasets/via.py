"""VGG Image Annotator 1 and 2: its project file, its JSON export and its CSV export.

Polygons, circles and ellipses are masks; a `rect` is a box, since it says where something is, not what shape it has.
https://www.robots.ox.ac.uk/~vgg/software/via/
"""

from __future__ import annotations

import csv
import re
from array import array
from collections import Counter, defaultdict
from functools import partial
from typing import TYPE_CHECKING, Annotated, NamedTuple

import pydantic_core
from pydantic import AliasChoices, BeforeValidator, Field, JsonValue

from edge.errors import DatasetError
from models.annotation import MAX_MARKS
from models.datasets import Fault
from models.drawn import Described, Drawn, Part, Shape, broken, gather
from models.folder import peek
from models.foreign import Foreign, checked, read_text
from models.shapes import ellipse, polygons

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from edge.rle import Rle
    from models.datasets import Dataset
    from models.drawn import Fill
    from models.folder import Folder

TITLE = "VIA JSON or CSV"

UNNAMED = "region"
"""The label of regions in a project without attributes."""

LABEL_NAMES = frozenset({"label", "class", "class_id", "class_name", "category", "name", "type", "defect"})
"""Of several attributes, the one that is called so is the label."""

_PROJECT = "_via_img_metadata"
_KEY = re.compile(r"\.(jpe?g|png|bmp|tiff?|webp)-?\d*$", re.IGNORECASE)  # the picture's name, then its bytes
_COLUMNS = ("region_attributes", "region_shape_attributes")  # of the CSV export
_PASSED = {"rect": "boxes", "polyline": "polylines", "point": "points"}


def _listed(value: object) -> object:
    return list(value.values()) if isinstance(value, dict) else value  # VIA 1 numbers its regions


class _Outline(Foreign):
    name: str = ""
    all_points_x: tuple[float, ...] = ()
    all_points_y: tuple[float, ...] = ()
    cx: float = 0
    cy: float = 0
    r: float = 0
    rx: float = 0
    ry: float = 0
    theta: float = 0  # rad, as VIA 2 turns ellipses


class _Region(Foreign):
    outline: Annotated[_Outline, Field(validation_alias=AliasChoices("shape_attributes", "region_shape_attributes"))]
    attributes: dict[str, JsonValue] = Field(default={}, alias="region_attributes")

    def said(self) -> dict[str, str]:
        """Give the attributes that say one thing: text, a number, or one ticked box."""
        values = ((key, _text(value)) for key, value in self.attributes.items())
        return {key: text for key, text in values if text}


class _Picture(Foreign):
    filename: str
    regions: Annotated[tuple[_Region, ...], BeforeValidator(_listed), Field(max_length=MAX_MARKS)] = ()


class _Area(NamedTuple):
    number: int  # of the region, from 1
    fill: Fill
    said: Mapping[str, str]  # its attributes


class _Marked(NamedTuple):
    where: str
    name: str
    areas: Sequence[_Area]
    passed: Mapping[str, int]


class _File(NamedTuple):
    path: Path
    pictures: Sequence[_Marked]
    faults: Sequence[Fault]


def find(folder: Folder) -> list[Path]:
    """List VIA's JSON files; where there are none, its CSV files."""
    return [path for path in folder.ending(".json") if _is_via(path)] or _tables(folder)


def read(files: Sequence[Path], folder: Folder) -> Dataset:
    """Read them as one data set; a broken file is a fault.

    Raises:
        DatasetError: two files describe the same picture, or no attribute is plainly the label.
    """
    whole, parts = list[_File](), list[Part]()
    for path in files:
        try:
            whole.append(_table(path) if path.suffix.lower() == ".csv" else _json(path))
        except DatasetError as error:
            parts.append(broken(path, error))
    said = [area.said for file in whole for picture in file.pictures for area in picture.areas]
    key, notes = _label_key(folder.root, said)
    unread = [] if folder.named else [path.name for path in _tables(folder) if path not in files]
    notes += [f"{name} was passed over: the JSON file was read" for name in unread]
    parts += [_part(file, key) for file in whole]
    return gather("via", folder.root, [*parts, Part(folder.root, (), (), (), notes)], folder.pictures)


def _is_via(path: Path) -> bool:
    look = peek(path)
    if not look or look.form != "object" or not look.keys:
        return False
    return _PROJECT in look.keys or any(_KEY.search(key) for key in look.keys)


def _tables(folder: Folder) -> list[Path]:
    return [path for path in folder.ending(".csv") if "region_shape_attributes" in _first_line(path)]


def _first_line(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.readline(1000).decode("utf-8", "replace")
    except OSError:
        return ""


def _json(path: Path) -> _File:
    try:
        data = pydantic_core.from_json(read_text(path))
    except ValueError as error:
        raise DatasetError(f"{path}: is no whole JSON ({error}): export it again") from error
    entries = data.get(_PROJECT, data)
    if not isinstance(entries, dict):
        raise DatasetError(f"{path}: {_PROJECT} is no list of pictures: export it again")
    return _checked(path, ((f"{path}: {key[:120]}", value) for key, value in entries.items()))


def _table(path: Path) -> _File:
    reader = csv.DictReader(read_text(path).lstrip("#").splitlines())
    places, regions = dict[tuple[str, str], str](), defaultdict[tuple[str, str], list[object]](list)
    try:
        for row in reader:
            key = (row.get("filename") or "", row.get("file_size") or "")
            places.setdefault(key, f"{path}:{reader.line_num}")
            regions[key].append({column: _cell(row.get(column)) for column in _COLUMNS})
    except csv.Error as error:
        raise DatasetError(f"{path}: is no CSV ({error}): export it again") from error
    return _checked(path, ((places[key], {"filename": key[0], "regions": regions[key]}) for key in places))


def _cell(text: str | None) -> object:
    """Read the JSON in a cell; what is none is told of when its picture is checked."""
    try:
        return pydantic_core.from_json(text or "")
    except ValueError:
        return text


def _checked(path: Path, entries: Iterable[tuple[str, object]]) -> _File:
    pictures, faults = list[_Marked](), list[Fault]()
    for where, entry in entries:
        try:
            picture = checked(entry, where, _Picture)
        except DatasetError as error:
            faults.append(Fault(where, str(error).removeprefix(f"{where}: ")))
            continue
        fills = [(number, _fill(region.outline), region) for number, region in enumerate(picture.regions, 1)]
        areas = [_Area(number, fill, region.said()) for number, fill, region in fills if fill]
        kinds = (region.outline.name for _, fill, region in fills if not fill and region.outline.name)
        passed = Counter(_PASSED.get(kind, f"regions of the shape {kind[:40]}") for kind in kinds)
        pictures.append(_Marked(where, picture.filename, areas, passed))
    return _File(path, pictures, faults)


def _text(value: JsonValue) -> str:
    """Read an attribute: VIA writes a group of tick boxes as `{"crack": true, "hole": false}`."""
    if isinstance(value, dict):
        ticked = [key for key, on in value.items() if on]
        return ticked[0] if len(ticked) == 1 else ""
    return str(value).strip() if isinstance(value, str | int) else ""


def _label_key(root: Path, said: Sequence[Mapping[str, str]]) -> tuple[str, list[str]]:
    """Find the attribute that is the label, and what to say of the choice. Raises DatasetError: none plainly is."""
    keys = sorted({key for one in said for key in one})
    if len(keys) == 1 or not said:
        return "".join(keys), []
    if not keys:
        return "", [f"regions have no attribute: all are labelled {UNNAMED!r}"]
    everywhere = [key for key in keys if all(key in one for one in said)]
    for choice in (everywhere, [key for key in everywhere if key.lower() in LABEL_NAMES]):
        if len(choice) == 1:
            return choice[0], [f"of the attributes {', '.join(keys)} the label is {choice[0]}"]
    raise DatasetError(
        f"{root}: regions have the attributes {', '.join(keys)[:200]}: which one is the label? Call it `label`, "
        "and give it to every region"
    )


def _part(file: _File, key: str) -> Part:
    labels, described = dict[str, None](), list[Described]()
    for picture in file.pictures:
        named = [(area, area.said.get(key, "") if key else UNNAMED) for area in picture.areas]
        missing = [f"region {area.number} has no {key}: give it one" for area, label in named if not label]
        shapes = tuple(Shape(label, f"region {area.number}", area.fill) for area, label in named)
        labels |= dict.fromkeys(label for _, label in named if label)
        described.append(
            Described(
                names=(f"{file.path.parent.name}/{picture.name}",),
                truth=Drawn(where=picture.where, shapes=shapes),
                fault="".join(missing[:1]),
                passed=picture.passed,
            )
        )
    return Part(file.path, labels, described, file.faults)


def _fill(one: _Outline) -> Fill | None:
    if one.name == "polygon":
        return partial(_polygon, array("d", one.all_points_x), array("d", one.all_points_y))
    if one.name == "circle":
        return partial(ellipse, (one.cx, one.cy), (one.r, one.r), 0.0)
    if one.name == "ellipse":
        return partial(ellipse, (one.cx, one.cy), (one.rx, one.ry), one.theta)
    return None


def _polygon(xs: Sequence[float], ys: Sequence[float], height: int, width: int) -> Rle:
    if len(xs) != len(ys):
        raise ValueError(f"has {len(xs)} x and {len(ys)} y")
    return polygons([[value for point in zip(xs, ys, strict=True) for value in point]], height, width)
