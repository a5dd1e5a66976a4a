"""Ten thousand damaged data sets: each is read, or refused in one line that says where; no reader crashes or swells."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from edge.errors import DatasetError
from models.datasets import FORMATS, open_dataset
from tests.conftest import SHARED

if TYPE_CHECKING:
    from collections.abc import Sequence

ATTACK = Path(__file__).with_name("malformed.py")
EACH = 1000
REAL: dict[str, Sequence[str]] = {
    "coco": ("coco-cvat",),
    "cvat": ("cvat-xml",),
    "labelbox": ("labelbox",),
    "label_studio": ("label-studio",),
    "labelme": ("labelme-bsdata",),
    "via": ("via-rice",),
    "yolo": ("yolo-seg-kolektor",),
}


def attack(form: str, count: int, folders: Sequence[Path] = ()) -> dict[str, int]:
    command = [sys.executable, str(ATTACK), form, str(count), *map(str, folders)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    outcome: dict[str, int] = json.loads(done.stdout)
    return outcome


@pytest.mark.parametrize("form", FORMATS)
def test_damaged_files_are_refused_in_one_line_or_read(form: str) -> None:
    outcome = attack(form, EACH)
    assert outcome["read"] + outcome["refused"] == EACH
    assert outcome["refused"] > EACH / 10, "the damage was no damage"


@pytest.mark.parametrize("form", REAL)
def test_damaged_real_files_are_refused_in_one_line_or_read(form: str) -> None:
    folders = [SHARED / "annotations" / name for name in REAL[form]]
    if not all(folder.is_dir() for folder in folders):
        pytest.skip(f"needs the real annotation files in ../shared/data/annotations ({', '.join(REAL[form])})")
    assert attack(form, 40, folders)["refused"] > 0


def png_of_zeros(path: Path, side: int) -> None:
    """Write a square of zeros that a decoder would swell to `side` times `side` bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(9)
    row = bytes(side + 1)
    pixels = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b""))


def test_a_mask_that_swells_is_refused_by_its_header(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "images" / "a.jpg")
    png_of_zeros(tmp_path / "masks" / "a.png", 12_000)
    (sample,) = open_dataset(tmp_path).samples
    with pytest.raises(DatasetError, match=r"a\.png: 12000x12000 pixels: at most"):
        sample.marks()


def test_a_picture_that_swells_is_refused_by_its_header(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    png_of_zeros(tmp_path / "images" / "a.png", 12_000)
    Image.new("L", (8, 8)).save(tmp_path / "masks" / "a.png")
    (sample,) = open_dataset(tmp_path).samples
    with pytest.raises(DatasetError, match=r"a\.png: 12000x12000 pixels: at most"):
        sample.marks()


def test_a_million_polygons_on_one_picture_are_refused(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg")
    mark = json.dumps({"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[0, 0, 4, 0, 4, 4]], "iscrowd": 0})
    head = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 8, "height": 8}],
        "categories": [{"id": 1, "name": "x"}],
    }
    text = json.dumps(head)[:-1] + ', "annotations": [' + ",".join([mark] * 1_000_000) + "]}"
    (tmp_path / "instances.json").write_text(text, encoding="utf-8")
    with pytest.raises(DatasetError, match="1000000 shapes: at most 20000"):
        open_dataset(tmp_path).sound()
