"""COCO instances: polygons and run lengths per object, all pictures in one JSON file (cocodataset.org, "data format").

Several files in a folder are one data set; their names, or those of the folders around them, may tell the splits.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from functools import partial
from typing import TYPE_CHECKING, Annotated, NamedTuple, TypeVar

from pydantic import BeforeValidator, Field, PlainValidator

from edge.errors import DatasetError
from edge.rle import Rle, from_runs, runs_of
from models.datasets import Fault
from models.drawn import Described, Drawn, Fill, Part, Shape, gather, refused
from models.foreign import Foreign, load
from models.shapes import polygons
from models.split_lists import split_named

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from models.datasets import Dataset
    from models.folder import Folder
    from models.sample import Split

TITLE = "COCO JSON"

Id = int | str
T = TypeVar("T", "Image", "Category")


def _runs(size: tuple[int, int], counts: str | Sequence[int], height: int, width: int) -> Rle:
    if size != (height, width):
        raise ValueError(f"its run lengths are of a picture of {size[1]}x{size[0]}, this one is {width}x{height}")
    if not isinstance(counts, str):
        return from_runs(counts, height, width)
    rle = Rle(size, counts)
    runs_of(rle)
    return rle


def _fill(value: object) -> Fill | None:
    """Take a `segmentation` packed, None where it is empty; what is wrong with it is told when it is drawn."""
    if not value:
        return None
    try:
        if isinstance(value, list):
            return partial(polygons, tuple(array("d", ring) for ring in value))
        if isinstance(value, dict):
            height, width = array("q", value["size"])
            counts = value["counts"]
            return partial(_runs, (height, width), _text(counts) if isinstance(counts, str) else array("q", counts))
    except (TypeError, ValueError, KeyError, OverflowError):
        pass
    return refused("its segmentation is neither a list of outlines nor run lengths with a size")


def _text(counts: str) -> str:
    """Undo Python's `str(bytes)`, with which some scripts write what pycocotools gives them."""
    return counts[2:-1].replace("\\\\", "\\") if counts.startswith(("b'", 'b"')) else counts


class Image(Foreign):
    """One picture."""

    id: Id
    file_name: str
    height: int | None = None
    width: int | None = None

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width, where they are stated."""
        return (self.height, self.width) if self.height is not None and self.width is not None else None


class Category(Foreign):
    """One label."""

    id: Id
    name: str
    isthing: bool = True


class _Annotation(Foreign):
    id: Id | None = None
    image_id: Id
    category_id: Id | None = None
    segmentation: Annotated[Fill | None, PlainValidator(_fill)] = None
    has_box: Annotated[bool, BeforeValidator(bool)] = Field(False, alias="bbox")
    iscrowd: bool | None = None


class _File(Foreign):
    images: list[Image]
    annotations: list[_Annotation]
    categories: list[Category]


class Home(NamedTuple):
    """What the place and the name of an annotation file tell about its pictures."""

    folder: str  # they most likely lie in one of this name
    split: Split | None

    def names(self, file_name: str) -> tuple[str, ...]:
        """Give what a picture may be called."""
        return (f"{self.folder}/{file_name}", file_name) if file_name else ()


def home(path: Path) -> Home:
    """Tell where the pictures of the annotation file `path` lie: beside it, or in `train/` for `instances_train`."""
    subset = path.stem.partition("_")[2]
    folder = subset if subset and path.parent.name == "annotations" else path.parent.name
    return Home(folder, split_named(path.stem))


def by_id(items: Iterable[T], where: Path) -> dict[Id, T]:
    """Index images or categories. Raises DatasetError where an id stands twice."""
    found: dict[Id, T] = {}
    for item in items:
        if item.id in found:
            raise DatasetError(f"{where}: {type(item).__name__.lower()} id {item.id!r} stands twice: export it again")
        found[item.id] = item
    return found


def find(folder: Folder) -> list[Path]:
    """List the JSON files with images, annotations and categories that are not panoptic."""
    panoptic = set(folder.json("object", "annotations.segments_info"))
    return [path for path in folder.json("object", "images", "annotations", "categories") if path not in panoptic]


def read(files: Sequence[Path], folder: Folder) -> Dataset:
    """Read them as one data set. Raises DatasetError: damaged, or two files describe the same picture."""
    return gather("coco", folder.root, (_part(path) for path in files), folder.pictures)


def _part(path: Path) -> Part:
    data = load(path, _File)
    labels = {id_: category.name for id_, category in by_id(data.categories, path).items()}
    of_image = defaultdict[Id, list[_Annotation]](list)
    for annotation in data.annotations:
        of_image[annotation.image_id].append(annotation)
    described = [
        _described(image, of_image.pop(image.id, []), labels, home(path), f"{path}: image {image.id!r}")
        for image in by_id(data.images, path).values()
    ]
    faults = [
        Fault(
            f"{path}: annotation {annotations[0].id!r}", f"belongs to the image {id_!r}, which is not listed: remove it"
        )
        for id_, annotations in of_image.items()
    ]
    return Part(path, labels.values(), described, faults)


def _described(
    image: Image, annotations: Sequence[_Annotation], labels: Mapping[Id, str], at: Home, where: str
) -> Described:
    shapes, passed, fault = list[Shape](), Counter[str](), ""
    for one in annotations:
        if one.segmentation is None:
            passed["boxes" if one.has_box else "annotations without an outline"] += 1
        elif one.category_id is None or one.category_id not in labels:
            fault = f"annotation {one.id!r}: its category {one.category_id!r} is not listed: add it to `categories`"
        else:
            label, place = labels[one.category_id], f"annotation {one.id!r}"
            shapes.append(Shape(label, place, one.segmentation, ignored=bool(one.iscrowd)))
    truth = Drawn(where=where, shapes=tuple(shapes), size=image.size)
    return Described(names=at.names(image.file_name), truth=truth, fault=fault, passed=passed, split=at.split)
