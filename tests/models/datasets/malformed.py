"""Malformed: damage sound annotation files in every way we know and read them, in a process with little memory.

`python malformed.py FORMAT COUNT` prints how many of COUNT damaged data sets were refused, how many were read after
all, and stops with a traceback where a reader let anything but a DatasetError out.
"""

from __future__ import annotations

import json
import random
import resource
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from edge.errors import DatasetError
from edge.rle import encode
from models.datasets import FORMATS, open_dataset

if TYPE_CHECKING:
    from collections.abc import Callable

MEMORY_BYTES = 3 * 2**30
WIDTH, HEIGHT = 40, 30
MOST_CHARACTERS = 600
RING = [4.0, 3.0, 30.5, 4.0, 31.0, 22.25, 6.0, 20.0]
POINTS = [[RING[i], RING[i + 1]] for i in range(0, len(RING), 2)]
HOSTILE = (
    "NaN", "-1", "1e308", "-1e308", "1e999", "null", '""', "[]", "{}", "[[[[]]]]", "true", "99999999999999999999",
    "0", "2147483648", '"\\ud800"', '"../../../etc/passwd"', '"' + "A" * 3000 + '"', "Infinity", "-0.0", "1e-320",
)  # fmt: skip


def _picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (WIDTH, HEIGHT), (90, 120, 90)).save(path)


def _mask(path: Path, mode: str, value: int | tuple[int, int, int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new(mode, (WIDTH, HEIGHT))
    ImageDraw.Draw(image).ellipse((8, 6, 25, 22), fill=value)
    image.save(path)


def _write(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")


def coco(root: Path) -> None:
    _picture(root / "a.jpg")
    runs = [100, 5, 25, 5, WIDTH * HEIGHT - 135]
    code = encode(np.eye(9, dtype=np.uint8), 3, 4, WIDTH, HEIGHT).counts
    size = [HEIGHT, WIDTH]
    marks: list[dict[str, object]] = [
        {"segmentation": [RING]},
        {"segmentation": {"size": size, "counts": runs}},
        {"segmentation": {"size": size, "counts": code}, "iscrowd": 1},
    ]
    common = {"image_id": 1, "category_id": 3, "bbox": [4, 3, 27, 19], "area": 400, "iscrowd": 0}
    _write(root / "instances.json", {
        "images": [{"id": 1, "file_name": "a.jpg", "width": WIDTH, "height": HEIGHT}],
        "categories": [{"id": 3, "name": "crack"}],
        "annotations": [{"id": i, **common, **mark} for i, mark in enumerate(marks)],
    })  # fmt: skip


def panoptic(root: Path) -> None:
    _picture(root / "a.jpg")
    _mask(root / "panoptic" / "a.png", "RGB", (7, 1, 0))
    segment = {"id": 263, "category_id": 1, "iscrowd": 0, "bbox": [8, 6, 18, 17], "area": 238}
    _write(root / "panoptic.json", {
        "images": [{"id": 1, "file_name": "a.jpg", "width": WIDTH, "height": HEIGHT}],
        "categories": [{"id": 1, "name": "leaf", "isthing": 1}],
        "annotations": [{"image_id": 1, "file_name": "a.png", "segments_info": [segment]}],
    })  # fmt: skip


def cvat(root: Path) -> None:
    _picture(root / "a.jpg")
    points = ";".join(f"{x},{y}" for x, y in POINTS)
    _write(root / "annotations.xml", (
        '<?xml version="1.0" encoding="utf-8"?><annotations><version>1.1</version><meta><task><labels><label>'
        "<name>crack</name></label></labels></task></meta>"
        f'<image id="0" name="a.jpg" width="{WIDTH}" height="{HEIGHT}">'
        f'<polygon label="crack" points="{points}" z_order="1"/>'
        '<mask label="crack" rle="3, 4, 6, 4, 3" left="5" top="6" width="5" height="4" z_order="0"/>'
        '<box label="crack" xtl="1" ytl="1" xbr="9" ybr="9"/></image></annotations>'
    ))  # fmt: skip


def labelme(root: Path) -> None:
    _picture(root / "a.jpg")
    circle = {"label": "hole", "points": [[9, 9], [12, 9]], "group_id": 1, "shape_type": "circle"}
    shapes = [{"label": "crack", "points": POINTS, "group_id": None, "shape_type": "polygon"}, circle]
    _write(root / "a.json", {"version": "5.4.1", "flags": {}, "shapes": shapes, "imagePath": "..\\b\\a.jpg",
                             "imageData": None, "imageHeight": HEIGHT, "imageWidth": WIDTH})  # fmt: skip


def via(root: Path) -> None:
    _picture(root / "a.jpg")
    shape = {"name": "polygon", "all_points_x": RING[::2], "all_points_y": RING[1::2]}
    round_ = {"name": "ellipse", "cx": 12, "cy": 9, "rx": 6, "ry": 4, "theta": 0.3}
    regions = [{"shape_attributes": s, "region_attributes": {"type": "crack"}} for s in (shape, round_)]
    _write(
        root / "via.json", {"a.jpg900": {"filename": "a.jpg", "size": 900, "regions": regions, "file_attributes": {}}}
    )


def yolo(root: Path) -> None:
    _picture(root / "images" / "train" / "a.jpg")
    _write(root / "data.yaml", "path: .\ntrain: images/train\nval: images/train\nnames: [crack, hole]\n")
    _write(root / "labels" / "train" / "a.txt", "0 0.1 0.1 0.8 0.15 0.7 0.9\n1 0.2 0.2 0.5 0.2 0.5 0.6 0.2 0.5\n")


def labelbox(root: Path) -> None:
    _picture(root / "a.jpg")
    polygon = [{"x": x, "y": y} for x, y in POINTS]
    objects = [{"name": "crack", "annotation_kind": "ImagePolygon", "polygon": polygon}]
    _write(root / "export.ndjson", json.dumps({
        "data_row": {"id": "1", "external_id": "a.jpg"},
        "media_attributes": {"width": WIDTH, "height": HEIGHT, "mime_type": "image/jpeg"},
        "projects": {"p": {"labels": [{"annotations": {"objects": objects, "classifications": []}}]}},
    }) + "\n")  # fmt: skip


def label_studio(root: Path) -> None:
    _picture(root / "a.jpg")
    per_cent = [[100 * x / WIDTH, 100 * y / HEIGHT] for x, y in POINTS]
    size = {"original_width": WIDTH, "original_height": HEIGHT, "image_rotation": 0, "from_name": "l", "to_name": "i"}
    polygon = {"type": "polygonlabels", "value": {"points": per_cent, "polygonlabels": ["crack"]}, **size}
    brush = {
        "type": "brushlabels",
        "value": {"format": "rle", "rle": [0, 0, 18, 192, 57, 26, 0, 0], "brushlabels": ["hole"]},
    }
    result = [polygon, {**brush, **size}]
    _write(root / "tasks.json", [{"id": 1, "data": {"image": "/data/upload/1/8f7a2b-a.jpg"},
                                  "annotations": [{"id": 2, "result": result, "was_cancelled": False}]}])  # fmt: skip


def mvtec(root: Path) -> None:
    _picture(root / "train" / "good" / "000.png")
    _picture(root / "test" / "good" / "000.png")
    _picture(root / "test" / "crack" / "000.png")
    _mask(root / "ground_truth" / "crack" / "000_mask.png", "L", 255)


def masks(root: Path) -> None:
    _picture(root / "images" / "a.jpg")
    _mask(root / "masks" / "a.png", "L", 1)
    for name in "bc":
        _picture(root / "images" / f"{name}.jpg")
        _mask(root / "masks" / f"{name}.png", "L", 2)
    _write(root / "classes.txt", "background\ncrack\nhole\n")
    _write(root / "train.csv", "image,mask,group\nimages/a.jpg,masks/a.png,1\n")
    _write(root / "val.csv", "image,mask,group\nimages/b.jpg,masks/b.png,2\n")
    _write(root / "test.csv", "image,mask,group\nimages/c.jpg,masks/c.png,3\n")


SOUND: dict[str, Callable[[Path], None]] = {
    function.__name__: function
    for function in (coco, panoptic, cvat, labelme, via, yolo, labelbox, label_studio, mvtec, masks)
}


def damage(data: bytes, rng: random.Random) -> bytes:
    """Damage the bytes of one file in one of the ways files get damaged."""
    if len(data) < 2:
        return b"\xff" + data
    match rng.randrange(9):
        case 0:
            return data[: rng.randrange(len(data))]
        case 1:
            place = rng.randrange(len(data))
            return data[:place] + bytes([rng.randrange(256)]) + data[place + 1 :]
        case 2:
            return bytes(b if rng.random() > 0.02 else rng.randrange(256) for b in data)
        case 3:
            return rng.choice(
                (b"", b"\0" * 64, b"\xef\xbb\xbf" + data, data.decode("latin-1").encode("utf-16"), data * 2)
            )
        case 4:
            start, end = sorted(rng.randrange(len(data)) for _ in range(2))
            return data[:start] + data[end:]
        case 5:
            start, end = sorted(rng.randrange(len(data)) for _ in range(2))
            return data[:end] + data[start:end] * rng.randrange(1, 4) + data[end:]
        case _:
            return _replace_token(data, rng)


def _replace_token(data: bytes, rng: random.Random) -> bytes:
    """Put a hostile value where a number or a word stood."""
    separators = b',:; []{}"<>=\n'
    cuts = [i for i, b in enumerate(data) if b in separators]
    if len(cuts) < 2:
        return data[1:]
    place = rng.randrange(len(cuts) - 1)
    return data[: cuts[place] + 1] + rng.choice(HOSTILE).encode() + data[cuts[place + 1] :]


def read_everything(root: Path, form: str | None) -> None:
    """Read all that a data set holds. Raises DatasetError."""
    data = open_dataset(root, form)
    for sample in data.samples:
        height, width = sample.size()
        for mark in sample.truth.marks(height, width):
            if mark.inside().shape != (height, width):
                raise AssertionError(f"{mark.label}: is not drawn on its picture")


def attack(form: str, count: int, seeds: list[Path]) -> Counter[str]:
    """Read `count` damaged data sets of one format."""
    outcome: Counter[str] = Counter()
    rng = random.Random(f"{form}")
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(count):
            root = Path(scratch) / str(number)
            shutil.copytree(rng.choice(seeds), root)
            victims = [p for p in sorted(root.rglob("*")) if p.is_file() and p.suffix != ".jpg"]
            for victim in rng.sample(victims, 1 if rng.random() < 0.8 else len(victims)):
                victim.write_bytes(damage(victim.read_bytes(), rng))
            try:
                read_everything(root, form if rng.random() < 0.8 else None)
                outcome["read"] += 1
            except DatasetError as error:
                text = str(error)
                if "\n" in text or str(root) not in text or ": " not in text or len(text) > MOST_CHARACTERS:
                    raise AssertionError(f"not one short line that says where: {text!r}") from error
                outcome["refused"] += 1
            shutil.rmtree(root)
    return outcome


def main() -> None:
    form, count, *folders = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    with tempfile.TemporaryDirectory() as scratch:
        sound = Path(scratch) / form
        sound.mkdir()
        SOUND[form](sound)
        read_everything(sound, form)  # or the damage would prove nothing
        sys.stdout.write(json.dumps(attack(form, int(count), [sound, *map(Path, folders)])))


if __name__ == "__main__":
    if set(SOUND) != set(FORMATS):
        raise SystemExit(f"no sound file of {set(FORMATS) - set(SOUND)}")
    main()
