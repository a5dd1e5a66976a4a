"""Touching: leaves that lie partly on one another, as a data set for networks that keep objects apart.

    python -m tests.bench.touching COFFEE OUTPUT

Leaves of the coffee set's own splits are cut out, turned, reduced and laid on a tray from left to right, each beside
the one before or over it; OUTPUT gets COCO JSON for each split, with every object's visible pixels, and the recipe.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from edge.picture import read_picture
from edge.rle import encode
from models.datasets import open_dataset
from models.recipe import ClassSpec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from models.sample import Sample, Split

    Leaf = tuple[NDArray[np.uint8], NDArray[np.bool_]]  # BGR pixels, and which of them are the leaf

PICTURES: dict[Split, int] = {"train": 160, "val": 20, "test": 40}
WIDTH, HEIGHT = 768, 384
TRAY = (196, 205, 209)
REDUCED = 6
VISIBLE = 0.3
"""A leaf of which less is left to see is no object."""

CLASSES = tuple(
    ClassSpec(name=name, index=index, colour=colour)
    for index, (name, colour) in enumerate({"tray": (0, 0, 0), "leaf": (0, 176, 0), "lesion": (255, 0, 0)}.items())
)
RECIPE = """name: touching-leaves
classes: [{name: tray}, {name: leaf}, {name: seam, between: leaf, weight: 4}]
score_class: leaf
score: mean
input: {width: 384, height: 192}
arch: {name: loupenet}
train: {epochs: 40, batch: 8, learning_rate: 0.003, precision: bfloat16, seed: 1}
provenance: {licence: MIT, data: "leaves of esgario/lara2018 (MIT), laid on one another"}
"""


def cut_out(sample: Sample, rng: np.random.Generator) -> Leaf:
    """Cut a leaf out of its picture, turned and a `REDUCED`th as large."""
    leaf = (sample.class_map(CLASSES) > 0).astype(np.uint8)
    height, width = leaf.shape
    side = int(np.hypot(width, height)) // REDUCED
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), rng.uniform(0, 360), 1 / REDUCED)
    turn[:, 2] += (side - width) / 2, (side - height) / 2
    pixels = cv2.warpAffine(read_picture(sample.picture), turn, (side, side), flags=cv2.INTER_AREA)
    turned = cv2.warpAffine(leaf, turn, (side, side), flags=cv2.INTER_NEAREST)
    x, y, width, height = cv2.boundingRect(turned)
    inside = (slice(y, y + height), slice(x, x + width))
    return np.asarray(pixels[inside], np.uint8), turned[inside] > 0


def lay(leaves: Sequence[Leaf], rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Lay leaves on a tray from left to right; give the picture and which leaf is seen where, from 1."""
    picture = np.clip(rng.normal(TRAY, 3, (HEIGHT, WIDTH, 3)), 0, 255).astype(np.uint8)
    seen = np.zeros((HEIGHT, WIDTH), np.uint8)
    step = WIDTH / (len(leaves) + 1)
    for number, (pixels, leaf) in enumerate(leaves, 1):
        height, width = leaf.shape
        left = int(np.clip(number * step - width / 2 + rng.uniform(-20, 20), 0, WIDTH - width))
        top = int(rng.uniform(0, HEIGHT - height))
        here = (slice(top, top + height), slice(left, left + width))
        picture[here][leaf] = pixels[leaf]
        seen[here][leaf] = number
    return picture, seen


def pictures(samples: Sequence[Sample], count: int) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Give pictures of three to six leaves, and which leaf is seen where."""
    rng = np.random.default_rng(0)
    for _ in range(count):
        chosen = rng.choice(len(samples), rng.integers(3, 7), replace=False)
        yield lay([cut_out(samples[place], rng) for place in chosen], rng)


def write(samples: Sequence[Sample], split: str, count: int, root: Path) -> int:
    """Write the pictures of a split; give how many objects they show."""
    images, annotations = list[dict[str, Any]](), list[dict[str, Any]]()
    for number, (picture, seen) in enumerate(pictures(samples, count), 1):
        name = f"{split}-{number:03}.jpg"
        cv2.imwrite(str(root / "images" / name), picture, [cv2.IMWRITE_JPEG_QUALITY, 92])
        images.append({"id": number, "file_name": name, "width": WIDTH, "height": HEIGHT})
        areas = np.bincount(seen.ravel())
        for leaf in np.flatnonzero(areas[1:] > VISIBLE * np.median(areas[1:])) + 1:
            runs = encode(seen == leaf, 0, 0, WIDTH, HEIGHT)
            head = {"id": len(annotations) + 1, "image_id": number, "category_id": 1, "iscrowd": 0}
            told = {"segmentation": {"size": [HEIGHT, WIDTH], "counts": runs.counts}, "area": int(areas[leaf])}
            annotations.append({**head, **told, "bbox": list(cv2.boundingRect((seen == leaf).astype(np.uint8)))})
    whole = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "leaf"}]}
    (root / "annotations" / f"instances_{split}.json").write_text(json.dumps(whole), encoding="utf-8")
    return len(annotations)


def main() -> None:
    coffee, root = Path(sys.argv[1]), Path(sys.argv[2])
    for folder in ("images", "annotations"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    leaves = open_dataset(coffee).sound()
    for split, count in PICTURES.items():
        print(f"{split}: {count} pictures, {write(leaves.part(split), split, count, root)} leaves")
    (root / "recipe.yaml").write_text(RECIPE, encoding="utf-8")


if __name__ == "__main__":
    main()
