"""Labelbox: exports of today (`data_row`) and of old (`Labeled Data`), and import files (`dataRow`).

One JSON object per line, or one list of them. Masks are mostly behind URLs there, and nothing is downloaded: only those
in the file itself, or in files of the folder, can be read (docs.labelbox.com, "export image annotations").
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, NamedTuple

import numpy as np
from pydantic import AliasChoices, Field, PlainValidator

from edge.errors import DatasetError
from models.drawn import Described, Drawn, Fill, Part, Shape, gather, refused
from models.folder import peek
from models.foreign import Foreign, load_rows
from models.link import path_in
from models.rgba import from_base64, read_rgba
from models.shapes import polygons

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from models.datasets import Dataset
    from models.folder import Folder
    from models.pictures import Pictures

TITLE = "Labelbox JSON or NDJSON"

ABOVE = 127
"""A mask without a colour marks what is brighter, and more opaque, than this."""


def _outline(value: object) -> Fill | None:
    if value is None:
        return None
    try:
        if isinstance(value, list):
            return partial(polygons, (array("d", [point[axis] for point in value for axis in ("x", "y")]),))
    except (TypeError, KeyError, OverflowError):
        pass
    return refused("its polygon is no list of points x, y")


class _Mask(Foreign):
    address: str | None = Field(None, validation_alias=AliasChoices("url", "instanceURI"))
    inline: str | None = Field(None, validation_alias=AliasChoices("png", "imBytes"))
    colour: tuple[int, int, int] | None = Field(None, validation_alias=AliasChoices("color_rgb", "colorRGB"))


class _Object(Foreign):
    label: str | None = Field(None, validation_alias=AliasChoices("name", "title", "value", "schemaId"))
    polygon: Annotated[Fill | None, PlainValidator(_outline)] = None
    mask: _Mask | None = Field(None, validation_alias=AliasChoices("mask", "composite_mask"))
    instance_uri: str | None = Field(None, alias="instanceURI")  # old exports state one for every kind of object
    box: object = Field(None, validation_alias=AliasChoices("bounding_box", "bbox"))
    point: object = None
    line: object = None

    def passed(self) -> str:
        """Name its kind where that is no mask, else nothing."""
        if self.polygon or self.mask:
            return ""
        kinds = {"boxes": self.box, "points": self.point, "lines": self.line}
        other = "" if self.instance_uri else "classifications"
        return next((kind for kind, value in kinds.items() if value is not None), other)

    def fill(self, pictures: Pictures) -> Fill:
        """Give what draws it. Raises ValueError: a mask that is not here."""
        if self.polygon:
            return self.polygon
        mask = self.mask or _Mask()
        address = mask.address or self.instance_uri
        if mask.inline:
            return partial(_masked, from_base64(mask.inline), mask.colour)
        if not address or "://" in address:
            raise ValueError(
                "is a mask behind a URL, and nothing is downloaded: "
                "save it in this folder and write its file name in place of the URL"
            )
        try:
            return partial(_masked, pictures.find(address), mask.colour)
        except DatasetError as error:
            raise ValueError(str(error)) from error


def _masked(source: Path | bytes, colour: tuple[int, int, int] | None, height: int, width: int) -> NDArray[np.bool_]:
    rgba = read_rgba(source, height, width)
    if colour is None:
        inside = (rgba[..., :3].max(axis=2) > ABOVE) & (rgba[..., 3] > ABOVE)
    else:
        inside = (rgba[..., :3] == colour).all(axis=2)
    if not inside.any():
        raise ValueError(f"its mask has no pixel of the colour {colour or 'white'}")
    return np.asarray(inside)


class _Annotations(Foreign):
    objects: tuple[_Object, ...] | None = None
    frames: object = None


class _Label(Foreign):
    annotations: _Annotations = _Annotations()


class _Project(Foreign):
    labels: tuple[_Label, ...] = ()


class _DataRow(Foreign):
    id: str | None = None
    external_id: str | None = None
    global_key: str | None = Field(None, validation_alias=AliasChoices("global_key", "globalKey"))
    row_data: str | None = None


class _Media(Foreign):
    height: int | None = None
    width: int | None = None


class _Row(Foreign):
    """A line of an export."""

    data_row: _DataRow
    media_attributes: _Media = _Media()
    projects: dict[str, _Project]


class _OldRow(Foreign):
    """An entry of an export before 2023."""

    address: str = Field(alias="Labeled Data")
    external_id: str | None = Field(None, alias="External ID")
    label: _Annotations | str = Field(alias="Label")  # text where it was skipped, once
    skipped: bool = Field(False, alias="Skipped")


class _ImportRow(_Object):
    """An object of an import file."""

    data_row: _DataRow = Field(alias="dataRow")


def find(folder: Folder) -> list[Path]:
    """List the files of exports and imports."""
    forms = ("lines", "list", "object")
    return sorted({path for form in forms for keys in _READERS for path in folder.json(form, *keys)})


def read(files: Sequence[Path], folder: Folder) -> Dataset:
    """Read them as one data set. Raises DatasetError: damaged, or two files describe the same picture."""
    return gather("labelbox", folder.root, (_part(path, folder.pictures) for path in files), folder.pictures)


def _part(path: Path, pictures: Pictures) -> Part:
    look = peek(path)
    form, keys = look or ("list", frozenset[str]())
    reader = next(reader for wanted, reader in _READERS.items() if keys >= set(wanted))
    described, unlabelled, labels = list[Described](), 0, dict[str, None]()
    for entry in reader(path, form):
        if entry.objects is None:
            unlabelled += 1
            continue
        described.append(_described(entry, pictures))
        labels |= dict.fromkeys(thing.label for thing in entry.objects if thing.label and not thing.passed())
    notes = [f"{unlabelled} pictures are not labelled yet: they were passed over"] if unlabelled else []
    return Part(path, labels, described, notes=notes)


class _Entry(NamedTuple):
    where: str
    names: tuple[str | None, ...]
    objects: Sequence[_Object] | None  # None: nobody has labelled it
    size: tuple[int, int] | None = None
    fault: str = ""


def _described(entry: _Entry, pictures: Pictures) -> Described:
    shapes, passed, fault = list[Shape](), Counter[str](), entry.fault
    for number, thing in enumerate(entry.objects or (), 1):
        place = f"object {number} ({thing.label!r})"
        if kind := thing.passed():
            passed[kind] += 1
            continue
        try:
            shapes.append(Shape(thing.label or "", place, thing.fill(pictures)))
        except ValueError as error:
            fault = fault or f"{place}: {error}"
        if not thing.label:
            fault = fault or f"{place}: has no name: export it again"
    return Described(
        names=tuple(name for name in entry.names if name),
        truth=Drawn(where=entry.where, shapes=tuple(shapes), size=entry.size),
        fault=fault,
        passed=passed,
    )


def _rows(path: Path, form: str) -> Iterator[_Entry]:
    for number, row in enumerate(load_rows(path, form, _Row), 1):
        labels = [label.annotations for project in row.projects.values() for label in project.labels]
        media, fault = row.media_attributes, _unnamed(row.data_row)
        if len(labels) > 1:
            fault = f"has {len(labels)} labels, of several people or projects: export the one that counts"
        if any(label.frames is not None for label in labels):
            fault = "is a video: export its frames as pictures"
        yield _Entry(
            f"{path}: row {number}",
            _names(row.data_row),
            (labels[0].objects or ()) if labels else None,
            (media.height, media.width) if media.height is not None and media.width is not None else None,
            fault,
        )


def _old_rows(path: Path, form: str) -> Iterator[_Entry]:
    for number, row in enumerate(load_rows(path, form, _OldRow), 1):
        objects = None if row.skipped or isinstance(row.label, str) else row.label.objects
        yield _Entry(f"{path}: row {number}", (row.external_id, PurePosixPath(path_in(row.address)).name), objects)


def _import_rows(path: Path, form: str) -> Iterator[_Entry]:
    of_row = defaultdict[_DataRow, list[_ImportRow]](list)
    for row in load_rows(path, form, _ImportRow):
        of_row[row.data_row].append(row)
    for data_row, objects in of_row.items():
        where = f"{path}: data row {(data_row.global_key or data_row.id)!r}"
        yield _Entry(where, _names(data_row), objects, fault=_unnamed(data_row))


def _names(row: _DataRow) -> tuple[str | None, ...]:
    return row.external_id, row.global_key, PurePosixPath(path_in(row.row_data or "")).name


def _unnamed(row: _DataRow) -> str:
    if any(_names(row)):
        return ""
    return (
        "names its picture by Labelbox's own id only: give an export, whose `data_row` has external_id, "
        "or state the file's name as globalKey"
    )


_READERS: dict[tuple[str, ...], Callable[[Path, str], Iterator[_Entry]]] = {
    ("data_row", "projects"): _rows,
    ("Labeled Data", "Label"): _old_rows,
    ("dataRow",): _import_rows,
}
"""By the keys that tell the form."""
