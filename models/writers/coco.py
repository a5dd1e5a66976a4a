"""COCO JSON: `annotations.json` with compressed run lengths, every pixel as it was, and the pictures in `images/`.

https://cocodataset.org/#format-data; what is ignored is written as a crowd.
"""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from pycocotools import mask as coco

from edge import __version__
from models.blobs import area

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from models.writers import Labelled, Thing

TITLE = "COCO JSON"


def place(picture: Labelled) -> PurePosixPath:
    """Say where the picture's file goes."""
    return PurePosixPath("images", picture.name)


def write(pictures: Iterable[Labelled], labels: Sequence[str], root: Path) -> list[str]:
    """Write `annotations.json`."""
    ids = {label: number for number, label in enumerate(labels, 1)}
    images, annotations = list[dict[str, object]](), list[dict[str, object]]()
    for number, one in enumerate(pictures, 1):
        images.append({"id": number, "file_name": one.name, "width": one.width, "height": one.height})
        for thing in one.things:
            head = {"id": len(annotations) + 1, "image_id": number, "category_id": ids[thing.label]}
            annotations.append(head | _pixels(thing))
    whole = {
        "info": {"description": f"written by edgeloupe {__version__}"},
        "licenses": [],
        "images": images,
        "categories": [{"id": number, "name": label, "supercategory": ""} for label, number in ids.items()],
        "annotations": annotations,
    }
    (root / "annotations.json").write_text(json.dumps(whole, ensure_ascii=False), encoding="utf-8")
    return []


def _pixels(thing: Thing) -> dict[str, object]:
    size, counts = thing.runs
    return {
        "segmentation": {"size": list(size), "counts": counts},
        "area": area(thing.runs),
        "bbox": [int(v) for v in coco.toBbox({"size": size, "counts": counts.encode()})],
        "iscrowd": int(thing.ignored),
    }
