"""COCO panoptic: a PNG per picture whose colours number its segments, and a JSON file that says what each one is.

A segment's id is R + 256 G + 65536 B; id 0 is nobody's (cocodataset.org, "data format", panoptic segmentation).
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from edge.errors import DatasetError
from edge.rle import Rle, from_runs
from models.annotation import MAX_MARKS, Mark
from models.datasets import Fault
from models.datasets.coco import Category, Id, Image, by_id, home
from models.drawn import Described, Drawn, Part, check_size, gather
from models.foreign import Foreign, load
from models.pictures import Pictures
from models.rgba import read_rgba

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from models.datasets import Dataset
    from models.folder import Folder

TITLE = "COCO panoptic JSON"

VOID = 0
"""The id of pixels that belong to no segment."""

UNDRAWN = Rle((0, 0), "")


class _Segment(Foreign):
    id: int
    category_id: Id
    iscrowd: bool = False


class _Annotation(Foreign):
    image_id: Id
    file_name: str
    segments_info: list[_Segment]


class _File(Foreign):
    images: list[Image]
    annotations: list[_Annotation]
    categories: list[Category]


@dataclass(frozen=True, slots=True, kw_only=True)
class PanopticPng:
    """The segments of one picture."""

    where: str
    png: Path
    segments: Mapping[int, Mark]  # by id, without their pixels
    size: tuple[int, int] | None  # height, width, where the file states them

    def marks(self, height: int, width: int) -> list[Mark]:
        """Read one mark per segment. Raises DatasetError: the PNG and the list disagree."""
        check_size(self.size, height, width, self.where)
        try:
            rgb = read_rgba(self.png, height, width)[..., :3].astype(np.int32)
            drawn = rles(rgb @ np.array([1, 256, 65536], np.int32))
        except ValueError as error:
            raise DatasetError(f"{self.png}: {error}: give the PNG that belongs to {self.where}") from error
        if missing := self.segments.keys() - drawn.keys():
            raise DatasetError(f"{self.where}: segment {min(missing)} is not in {self.png}: export both again")
        if unknown := drawn.keys() - self.segments.keys() - {VOID}:
            raise DatasetError(
                f"{self.png}: holds the segment {min(unknown)}, which {self.where} does not list: export both again"
            )
        void = Mark("void", UNDRAWN, is_object=False, ignored=True)
        return [self.segments.get(id_, void)._replace(pixels=rle) for id_, rle in drawn.items()]


def rles(values: NDArray[np.int32]) -> dict[int, Rle]:
    """Give the run lengths of each value of an (H, W) map. Raises ValueError: more than `MAX_MARKS` values."""
    height, width = values.shape
    line = values.T.ravel()
    starts = np.concatenate(([0], np.flatnonzero(line[1:] != line[:-1]) + 1))
    ends = np.append(starts[1:], len(line))
    order = np.argsort(line[starts], kind="stable")
    found, first = np.unique(line[starts][order], return_index=True)
    if len(found) > MAX_MARKS:
        raise ValueError(f"has {len(found)} colours: at most {MAX_MARKS} are accepted")
    return {
        int(value): from_runs(_between(starts[runs], ends[runs], len(line)), height, width)
        for value, runs in zip(found, np.split(order, first[1:]), strict=True)
    }


def _between(starts: NDArray[np.int64], ends: NDArray[np.int64], total: int) -> NDArray[np.int64]:
    edges = np.stack([starts, ends], axis=1).ravel()
    return np.diff(edges, prepend=0, append=total)


def find(folder: Folder) -> list[Path]:
    """List the JSON files whose annotations have segments."""
    return folder.json("object", "images", "categories", "annotations.segments_info")


def read(files: Sequence[Path], folder: Folder) -> Dataset:
    """Read them as one data set. Raises DatasetError: damaged, or two files describe the same picture."""
    masks = set["Path"]()
    parts = [_part(path, folder, masks) for path in files]
    return gather("panoptic", folder.root, parts, Pictures(folder.root, without=masks))


def _part(path: Path, folder: Folder, masks: set[Path]) -> Part:
    """Describe the pictures of one file; their masks, which are no pictures to look for, are added to `masks`."""
    data = load(path, _File)
    labels, at = by_id(data.categories, path), home(path)
    pngs = _pngs(path, {annotation.file_name for annotation in data.annotations}, folder)
    masks |= set(pngs.values())
    images, described = by_id(data.images, path), list[Described]()
    for annotation in data.annotations:
        where, image = f"{path}: image {annotation.image_id!r}", images.pop(annotation.image_id, None)
        nothing, names = Drawn(where=where, shapes=()), at.names(image.file_name if image else "")
        if image is None:
            fault = "is annotated but not listed, or annotated twice: remove one"
            described.append(Described(names=names, truth=nothing, fault=fault))
            continue
        try:
            truth = _truth(annotation, image, pngs, labels, where)
            described.append(Described(names=names, truth=truth, split=at.split))
        except ValueError as error:
            described.append(Described(names=names, truth=nothing, fault=str(error)))
    return Part(
        path,
        [category.name for category in labels.values()],
        described,
        [Fault(f"{path}: image {id_!r}", "has no annotation, so no mask: annotate it or remove it") for id_ in images],
    )


def _truth(
    annotation: _Annotation, image: Image, pngs: Mapping[str, Path], labels: Mapping[Id, Category], where: str
) -> PanopticPng:
    png = pngs.get(annotation.file_name)
    if png is None:
        raise ValueError(f"its mask {annotation.file_name[:120]!r} is missing: put it below the data set's folder")
    segments = dict[int, Mark]()
    for segment in annotation.segments_info:
        category = labels.get(segment.category_id)
        if category is None:
            raise ValueError(f"the category {segment.category_id!r} is not listed: add it to `categories`")
        if segment.id in segments or segment.id == VOID:
            raise ValueError(f"the segment id {segment.id} stands twice, or is that of no segment: export it again")
        segments[segment.id] = Mark(category.name, UNDRAWN, category.isthing, segment.iscrowd)
    return PanopticPng(where=where, png=png, segments=segments, size=image.size)


def _pngs(path: Path, names: Collection[str], folder: Folder) -> dict[str, Path]:
    """Find the masks of an annotation file, all in one folder: that of its name, one called so, or the fullest."""
    wanted = {PurePosixPath(name.replace("\\", "/")).name: name for name in names}
    found = [png for png in folder.pictures.paths if png.name in wanted]
    places = Counter(png.parent for png in found)
    if not places:
        return {}

    def likely(place: Path) -> tuple[bool, bool, int]:
        return place.name == path.stem, bool(re.search("panoptic|mask", place.name)), places[place]

    best, *others = sorted(places, key=likely, reverse=True)
    if others and likely(best) == likely(others[0]):
        raise DatasetError(f"{path}: {best} and {others[0]} both hold its masks: call the right one {path.stem}")
    return {wanted[png.name]: png for png in found if png.parent == best}
