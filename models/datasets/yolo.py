"""YOLO segmentation: a text file per picture, `class x y x y …` in picture sizes, beside a `data.yaml` or without it.

A picture whose text file is empty or missing is clean, by the rule of the tools that train on this format.
https://docs.ultralytics.com/datasets/segment/
"""

from __future__ import annotations

from array import array
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Annotated

import numpy as np
import yaml
from pydantic import BeforeValidator

from edge.errors import DatasetError
from models.annotation import MAX_MARKS
from models.datasets import Fault
from models.drawn import Described, Drawn, Part, Shape, gather
from models.foreign import Foreign, checked, read_text
from models.sample import SPLITS
from models.shapes import polygons

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from edge.rle import Rle
    from models.datasets import Dataset
    from models.folder import Folder
    from models.sample import Split

TITLE = "YOLO segmentation"

SLACK = 0.01
"""How far outside 0 to 1 coordinates may lie, as Ultralytics checks them."""

_MAX_YAML_BYTES = 1 << 20


def _numbered(value: object) -> object:
    return dict(enumerate(value)) if isinstance(value, list) else value


def _several(value: object) -> object:
    return (value,) if isinstance(value, str) else value or ()


def _name(value: object) -> object:
    return str(value) if isinstance(value, int | float) else value


Name = Annotated[str, BeforeValidator(_name)]
Places = Annotated[tuple[str, ...], BeforeValidator(_several)]


class _Yaml(Foreign):
    names: Annotated[dict[int, Name], BeforeValidator(_numbered)]
    path: Annotated[str, BeforeValidator(lambda value: value or "")] = ""
    train: Places = ()
    val: Places = ()
    test: Places = ()
    valid: Places = ()  # what some exports call val

    def places(self, split: Split) -> tuple[str, ...]:
        """List where the pictures of one split lie, as this file says."""
        return {"train": self.train, "val": self.val or self.valid, "test": self.test}[split]


def find(folder: Folder) -> list[Path]:
    """List the YAML files with names and places; where there are none, a folder with `images/` and `labels/`."""
    described = [path for path in folder.ending(".yaml", ".yml") if _is_yolo(path)]
    if described or folder.named:
        return described
    return [folder.root] if any(_label_file(one, folder.root).is_file() for one in _in_images(folder)) else []


def read(files: Sequence[Path], folder: Folder) -> Dataset:
    """Read the data set. Raises DatasetError: more than one YAML file, or a damaged one."""
    if len(files) > 1:
        raise DatasetError(f"{folder.root}: {files[0].name} and {files[1].name} both describe it: name one of them")
    faults = list[Fault]()
    if files[0] == folder.root:
        names, listed = _names(folder.root), dict["Path", "Split | None"].fromkeys(_in_images(folder))
    else:
        data = _load(files[0])
        names, listed = data.names, dict(_listed(files[0], data, folder, faults))
    label_files = {picture: _label_file(picture, folder.root) for picture in listed}
    missing = [picture for picture, path in label_files.items() if not path.is_file()]
    notes = [f"{len(missing)} pictures have no label file: they count as clean"] if missing else []
    for split in set(listed.values()) - {listed[picture] for picture in label_files.keys() - missing}:
        why = f"none of its {split or ''} pictures has a label file: put them into `labels/`, beside `images/`"
        faults.append(Fault(str(folder.root), why.replace("  ", " ")))
    faults += _orphans(folder, set(label_files.values()))
    used = set[str]()
    described = [_described(picture, path, listed[picture], names, used) for picture, path in label_files.items()]
    labels = list(names.values()) or sorted(used, key=int)
    return gather("yolo", folder.root, [Part(files[0], labels, described, faults, notes)], folder.pictures)


def _is_yolo(path: Path) -> bool:
    try:
        data = _yaml(path)
    except DatasetError:
        return path.stem == "data"
    return isinstance(data, dict) and "names" in data and bool(data.keys() & {*SPLITS, "valid"})


def _yaml(path: Path) -> object:
    if path.stat().st_size > _MAX_YAML_BYTES:
        raise DatasetError(f"{path}: has more than {_MAX_YAML_BYTES} bytes: give the YAML file of a data set")
    try:
        return yaml.safe_load(read_text(path))
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        reason = str(error).partition("\n")[0]  # PyYAML lets slip what its constructors raise on damaged values
        raise DatasetError(f"{path}: is no YAML ({reason}): write it again") from error


def _load(path: Path) -> _Yaml:
    return checked(_yaml(path), str(path), _Yaml)


def _names(root: Path) -> dict[int, str]:
    for path in (root / "classes.txt", root / "labels" / "classes.txt"):
        if path.is_file():
            return dict(enumerate(line.strip() for line in read_text(path).splitlines() if line.strip()))
    return {}


def _in_images(folder: Folder) -> list[Path]:
    return [one for one in folder.pictures.paths if "images" in one.relative_to(folder.root).parts[:-1]]


def _listed(path: Path, data: _Yaml, folder: Folder, faults: list[Fault]) -> Iterator[tuple[Path, Split]]:
    """Give the pictures with their splits; what is not found, or in two splits, goes into `faults`."""
    seen: dict[Path, Split] = {}
    for split in SPLITS:
        for place in data.places(split):
            where = f"{path}: {split}"
            found = _resolved(folder, data.path, place)
            if found is None:
                faults.append(Fault(where, f"{place[:120]!r} is not below {folder.root}: put it there"))
                continue
            pictures = _in_list(found, where, folder, faults) if found.is_file() else _below(found, folder)
            for picture in pictures:
                if seen.setdefault(picture, split) != split:
                    faults.append(Fault(where, f"{picture} is in {seen[picture]} as well: keep it in one"))
                else:
                    yield picture, split


def _resolved(folder: Folder, base: str, place: str) -> Path | None:
    """Find a folder or a list by the longest tail of its path that is below the root: it was written elsewhere."""
    written = f"{base}/{place}".replace("\\", "/").split("/")
    parts = [part for part in written if part not in {"", ".", ".."} and not part.endswith(":")]
    known = {parent for picture in folder.pictures.paths for parent in picture.parents} | set(
        folder.root.rglob("*.txt")
    )
    tails = (folder.root.joinpath(*parts[start:]) for start in range(len(parts) + (not parts)))
    return next((tail for tail in tails if tail in known), None)


def _in_list(path: Path, where: str, folder: Folder, faults: list[Fault]) -> Iterator[Path]:
    for line in read_text(path).splitlines():
        if line.strip():
            try:
                yield folder.pictures.find(line.strip())
            except DatasetError as error:
                faults.append(Fault(where, str(error)))


def _below(place: Path, folder: Folder) -> Iterator[Path]:
    return (picture for picture in folder.pictures.paths if picture.is_relative_to(place))


def _label_file(picture: Path, root: Path) -> Path:
    """Tell where the label file of a picture lies: in `labels` for the last `images`, or beside it."""
    parts = list(picture.relative_to(root).with_suffix(".txt").parts)
    places = [place for place, part in enumerate(parts[:-1]) if part == "images"]
    if places:
        parts[places[-1]] = "labels"
    return root.joinpath(*parts)


def _orphans(folder: Folder, expected: set[Path]) -> list[Fault]:
    """Report label files without a picture, where label files are expected."""
    pictures = {_label_file(picture, folder.root) for picture in folder.pictures.paths}
    homes = {path.parent for path in expected if "labels" in path.relative_to(folder.root).parts}
    return [
        Fault(str(path), "labels a picture that is missing: put it into `images/`, or remove this file")
        for home in sorted(homes)
        for path in sorted(home.glob("*.txt"))
        if path not in pictures and path.name != "classes.txt"
    ]


def _described(picture: Path, path: Path, split: Split | None, names: Mapping[int, str], used: set[str]) -> Described:
    shapes, passed, fault = list[Shape](), Counter[str](), ""
    try:
        for number, line in enumerate(_lines(path), 1):
            fields = line.split()
            if len(fields) == 5:
                passed["boxes"] += 1
            elif fields and len(shapes) <= MAX_MARKS:  # one too many is told of later
                shapes.append(_shape(fields, f"line {number}", names))
    except DatasetError as error:
        fault = str(error).removeprefix(f"{path}: ")
    used.update(shape.label for shape in shapes)
    truth = Drawn(where=str(path), shapes=tuple(shapes))
    return Described(names=(str(picture),), truth=truth, fault=fault, passed=passed, split=split)


def _lines(path: Path) -> list[str]:
    try:
        if not path.is_file() or (path.stat().st_size < 100 and not path.read_bytes().strip()):
            return []
    except OSError as error:
        raise DatasetError(f"{path}: {error.strerror or error}: give a file that can be read") from error
    return read_text(path).splitlines()


def _shape(fields: Sequence[str], place: str, names: Mapping[int, str]) -> Shape:
    """Read one line. Raises DatasetError."""
    try:
        values = array("d", map(float, fields))
    except ValueError as error:
        raise DatasetError(f"{place} holds what is no number ({str(error)[:80]}): export it again") from error
    index, points = values[0], values[1:]
    if not index.is_integer() or index < 0 or (names and index not in names):
        raise DatasetError(f"{place}: {fields[0][:20]!r} is none of the {len(names)} classes: add it to `names`")
    if len(points) < 6 or len(points) % 2:
        raise DatasetError(f"{place} has {len(points)} coordinates: an even number from 6 on is needed")
    if not all(-SLACK <= value <= 1 + SLACK for value in points):  # no number, too
        raise DatasetError(f"{place} has coordinates outside 0 to 1: divide them by the picture's width and height")
    return Shape(names.get(int(index), str(int(index))), place, partial(_outline, points))


def _outline(points: Sequence[float], height: int, width: int) -> Rle:
    return polygons([np.asarray(points).reshape(-1, 2) * (width, height)], height, width)
