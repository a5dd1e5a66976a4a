"""CVAT XML 1.1, "for images" and "for video": polygons, masks and ellipses of all pictures in one file.

A mask's run lengths go row by row through its box, background first: not as COCO's go. Shapes are painted in their
`z_order`. The frames of a video are found where they lie as pictures under CVAT's names, `frame_000012.png`.
https://docs.cvat.ai/docs/dataset_management/formats/format-cvat/
"""

from __future__ import annotations

import math
import re
from array import array
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import numpy as np

from edge.errors import DatasetError
from edge.rle import encode
from models.annotation import MAX_MARKS
from models.datasets import Fault
from models.drawn import Described, Drawn, Part, Shape, broken, gather
from models.foreign import MAX_BYTES
from models.shapes import ellipse, polygons
from models.split_lists import split_named

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from edge.rle import Rle
    from models.datasets import Dataset
    from models.drawn import Fill
    from models.folder import Folder
    from models.pictures import Pictures

TITLE = "CVAT XML"

_CHUNK = 1 << 16
_PASSED = {
    "box": "boxes",
    "polyline": "polylines",
    "points": "points",
    "cuboid": "cuboids",
    "skeleton": "skeletons",
}
_AREAS = {"any", "polygon", "mask", "ellipse"}  # types of labels that may mark one
_TEXTS = {"name", "type", "start_frame", "stop_frame"}
_FRAME = re.compile(r"frame_(\d{6,})$")


@dataclass(slots=True)
class _Image:
    """One picture, or one frame of a video, while it is read."""

    name: str
    width: str | None = None
    height: str | None = None
    subset: str = ""
    shapes: list[tuple[int, Shape]] = field(default_factory=list)  # with their z_order
    passed: Counter[str] = field(default_factory=Counter)

    def described(self, path: Path, group: str = "") -> Described:
        """Close it."""
        name = f"{self.subset}/{self.name}" if self.subset else self.name
        home, fault, size = path.parent.name, "", None
        try:
            size = (int(self.height), int(self.width)) if self.height and self.width else None
        except ValueError:
            fault = "its width and height are no whole numbers: export it again"
        shapes = tuple(shape for _, shape in sorted(self.shapes, key=lambda pair: pair[0]))
        if unnamed := [shape.place for shape in shapes if not shape.label]:
            fault = f"{unnamed[0]} has no label: give it one"
        return Described(
            names=(f"{home}/{name}", f"{home}/images/{name}") if self.name else (),
            truth=Drawn(where=f"{path}: {name[:120]}", shapes=shapes, size=size),
            fault=fault,
            passed=self.passed,
            group=group,
            split=split_named(self.subset),
        )


class _Annotations:
    """What is kept of the file while it streams by: the target of an XML parser."""

    def __init__(self) -> None:
        self.labels: list[str] = []
        self.images: list[_Image] = []
        self.frames: dict[int, _Image] = {}
        self.tracks: list[range] = []  # frames from the first to the last that show one object
        self.tasks: set[str] = set()  # whose tracks these are
        self.tags = 0
        self.span = [0, 0]  # first and last frame
        self._path: list[str] = []
        self._texts: dict[str, str] = {}
        self._track: tuple[str, list[int]] = ("", [])

    def doctype(self, name: str, _public: str | None, _system: str | None) -> None:
        """Refuse entities before one is defined: CVAT writes none."""
        raise DatasetError(f"has a DOCTYPE ({name[:40]}): CVAT writes none; remove it")

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        parent = self._path[-1] if self._path else ""
        self._path.append(tag)
        if parent == "annotations" and tag == "image":
            given = attributes.get
            self.images.append(_Image(given("name", ""), given("width"), given("height"), given("subset", "")))
        elif parent == "annotations" and tag == "track":
            self._track = (attributes.get("label", ""), [])
            self.tasks.add(attributes.get("task_id", ""))
        elif parent == "image" and self.images:
            self._add(self.images[-1], tag, attributes.get("label", ""), attributes)
        elif parent == "track" and attributes.get("outside", "0") != "1":
            label, frames = self._track
            number = _whole(attributes.get("frame", ""), "a track's frame")
            frames.append(number)
            self._add(self.frames.setdefault(number, _Image(f"frame_{number:06d}")), tag, label, attributes)
        elif tag == "label":
            self._texts = {}
        elif tag in _TEXTS and parent != "attribute":
            self._texts[tag] = ""

    def data(self, text: str) -> None:
        tag = self._path[-1]
        if tag in _TEXTS and self._path[-2:-1] != ["attribute"] and len(self._texts[tag]) < _CHUNK:
            self._texts[tag] += text

    def end(self, tag: str) -> None:
        self._path.pop()
        if tag == "label" and self._path[-1:] == ["labels"] and self._texts.get("type", "any") in _AREAS:
            self.labels.append(self._texts.get("name", "").strip())
        elif tag == "track" and self._track[1]:
            self.tracks.append(range(min(self._track[1]), max(self._track[1]) + 1))
        elif tag in {"start_frame", "stop_frame"}:
            self.span[tag == "stop_frame"] = _whole(self._texts[tag], tag)

    def close(self) -> _Annotations:
        return self

    def _add(self, image: _Image, tag: str, label: str, attributes: Mapping[str, str]) -> None:
        if tag == "tag":
            self.tags += 1
        elif tag in _PASSED:
            image.passed[_PASSED[tag]] += 1
        elif (fill := _fill(tag, attributes)) and len(image.shapes) <= MAX_MARKS:  # one too many is told of later
            z_order = _whole(attributes.get("z_order", "0"), "a z_order")
            image.shapes.append((z_order, Shape(label, f"{tag} {len(image.shapes) + 1}", fill)))


def find(folder: Folder) -> list[Path]:
    """List the XML files whose root is CVAT's."""
    return [path for path in folder.ending(".xml") if _root(path) == "annotations"]


def read(files: Sequence[Path], folder: Folder) -> Dataset:
    """Read them as one data set; a broken file is a fault. Raises DatasetError: two describe the same picture."""
    return gather("cvat", folder.root, (_part(path, folder.pictures) for path in files), folder.pictures)


class _Root:
    """Finds out what the file is, and stops."""

    def doctype(self, name: str, _public: str | None, _system: str | None) -> None:
        raise StopIteration(name)

    def start(self, tag: str, _attributes: dict[str, str]) -> None:
        raise StopIteration(tag)


def _root(path: Path) -> str:
    try:
        with path.open("rb") as file:
            _parser(_Root()).feed(file.read(_CHUNK))
    except StopIteration as found:
        return str(found.value)
    except (OSError, ET.ParseError, LookupError, ValueError):
        pass
    return ""


def _parser(target: _Annotations | _Root) -> ET.XMLParser:
    return ET.XMLParser(target=target)  # noqa: S314  # both targets refuse a DOCTYPE, so there are no entities


def _parse(path: Path) -> _Annotations:
    target = _Annotations()
    parser = _parser(target)
    try:
        for chunk in _chunks(path):
            parser.feed(chunk)
        parser.close()
    except DatasetError as error:
        raise DatasetError(f"{path}: {error}") from error
    except (OSError, ET.ParseError, LookupError, ValueError) as error:
        raise DatasetError(f"{path}: is no whole XML ({error}): export it again") from error
    return target


def _chunks(path: Path) -> Iterator[bytes]:
    if path.stat().st_size > MAX_BYTES:
        raise DatasetError(f"has more than {MAX_BYTES} bytes: split it")
    with path.open("rb") as file:
        yield from iter(partial(file.read, _CHUNK), b"")


def _part(path: Path, pictures: Pictures) -> Part:
    try:
        data = _parse(path)
    except DatasetError as error:
        return broken(path, error)
    described = [image.described(path) for image in data.images]
    faults = []
    try:
        described += _video(path, data, pictures)
    except DatasetError as error:
        faults.append(Fault(str(path), str(error)))
    notes = [f"{path.name}: {data.tags} tags were passed over: they mark no place"] if data.tags else []
    return Part(path, data.labels, described, faults, notes)


def _video(path: Path, data: _Annotations, pictures: Pictures) -> Iterable[Described]:
    """Describe the frames that lie here as pictures. Raises DatasetError: none do, or two videos would mix."""
    if not data.frames:
        return []
    if len(data.tasks) > 1:
        raise DatasetError(f"has the tracks of {len(data.tasks)} tasks, whose frames have the same names: export each")
    first, last = data.span
    here = {int(match[1]) for picture in pictures.paths if (match := _FRAME.search(picture.stem))}
    if not here & data.frames.keys():
        raise DatasetError(
            "is of a video, whose frames are no pictures here: export the task as `CVAT for images 1.1` with its images"
        )
    clean = {number for number in here - data.frames.keys() if first <= number <= last}
    frames = data.frames | {number: _Image(f"frame_{number:06d}") for number in clean}
    groups = _groups(frames, data.tracks)
    return [image.described(path, f"{path.stem}-{groups[number]:06d}") for number, image in sorted(frames.items())]


def _groups(frames: Iterable[int], tracks: Iterable[range]) -> dict[int, int]:
    """Name each frame by the first one from which tracks lead to it: an object is in one split only."""
    groups, spans, until, group = dict[int, int](), sorted(tracks, key=lambda track: track.start), -1, -1
    place = 0
    for number in sorted(frames):
        while place < len(spans) and spans[place].start <= number:
            if spans[place].start > until:
                group = spans[place].start
            until = max(until, spans[place].stop - 1)
            place += 1
        groups[number] = group if number <= until else number
    return groups


def _whole(text: str, what: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise DatasetError(f"{what} is {text[:40]!r}, no whole number: export it again") from error


def _fill(tag: str, given: Mapping[str, str]) -> Fill | None:
    if tag == "polygon":
        return partial(_polygon, given.get("points", ""))
    if tag == "mask":
        return partial(_mask, given.get("rle", ""), tuple(given.get(k, "") for k in ("left", "top", "width", "height")))
    if tag == "ellipse":
        return partial(_ellipse, tuple(given.get(k, "") for k in ("cx", "cy", "rx", "ry")), given.get("rotation", "0"))
    return None


def _polygon(points: str, height: int, width: int) -> Rle:
    ring = array("d")
    for pair in points.split(";"):
        x, comma, y = pair.partition(",")
        if not comma:
            raise ValueError("its points are not written `x,y;x,y`")
        ring.extend((_number(x), _number(y)))
    return polygons([ring], height, width)


def _ellipse(numbers: Sequence[str], rotation_deg: str, height: int, width: int) -> Rle:
    x, y, rx, ry = map(_number, numbers)
    return ellipse((x, y), (rx, ry), math.radians(_number(rotation_deg)), height, width)


def _mask(rle: str, box: Sequence[str], height: int, width: int) -> Rle:
    try:
        left, top, across, down = map(int, box)
        runs = np.array([int(run) for run in rle.split(",")], np.int64)
    except (ValueError, OverflowError) as error:
        raise ValueError("its box or its run lengths are no whole numbers") from error
    if min(left, top) < 0 or min(across, down) < 1 or left + across > width or top + down > height:
        raise ValueError(f"its box of {across}x{down} at ({left}, {top}) is not inside the picture of {width}x{height}")
    if (runs < 0).any() or (runs > across * down).any() or runs.sum() != across * down:
        raise ValueError(f"its run lengths do not fill its box of {across}x{down}")
    values = np.resize(np.array([0, 1], np.uint8), len(runs))
    return encode(np.repeat(values, runs).reshape(down, across), left, top, width, height)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise ValueError(f"{text[:40]!r} is no number") from error
