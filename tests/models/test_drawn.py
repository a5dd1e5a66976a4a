"""Shapes and their pictures: what fits is a sample, what does not is a fault with a reason."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import models.drawn
from edge.errors import DatasetError
from edge.rle import Rle
from models.drawn import Described, Drawn, Part, Shape, check_size, gather, refused
from models.pictures import Pictures
from models.shapes import polygons

FILE = Path("some.json")
SQUARE = partial(polygons, [[1, 1, 5, 1, 5, 4, 1, 4]])


def described(*names: str, shapes: tuple[Shape, ...] = (), **passed: int) -> Described:
    return Described(names=names, truth=Drawn(where="some.json: 1", shapes=shapes), passed=passed)


@pytest.fixture
def pictures(tmp_path: Path) -> Pictures:
    for name in ("a.png", "b.png"):
        Image.new("L", (8, 6)).save(tmp_path / name)
    return Pictures(tmp_path)


def test_marks_are_run_lengths_whatever_fills_them() -> None:
    dense = np.eye(6, 8, dtype=bool)
    shapes = (Shape("square", "1", SQUARE), Shape("line", "2", lambda *_: dense, ignored=True))
    square, line = Drawn(where="x", shapes=shapes).marks(6, 8)
    assert isinstance(line.pixels, Rle)
    assert np.array_equal(line.inside(), dense)
    assert (square.ignored, line.ignored) == (False, True)


def test_shapes_finer_than_memory_allows_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models.drawn, "MAX_CODE", 30)
    shapes = tuple(Shape("square", f"shape {number}", SQUARE) for number in range(9))
    with pytest.raises(DatasetError, match=r"x: shape \d: too finely drawn: more than 30 characters"):
        Drawn(where="x", shapes=shapes).marks(6, 8)


def test_a_shape_that_is_refused_says_where_it_stands() -> None:
    drawn = Drawn(where="some.json", shapes=(Shape("a", "shape 3", refused("is no shape")),))
    with pytest.raises(DatasetError, match=r"some\.json: shape 3: is no shape: draw it again or remove it"):
        drawn.marks(6, 8)


def test_a_size_that_is_not_stated_is_not_checked() -> None:
    check_size(None, 6, 8, "x")
    check_size((6, 8), 6, 8, "x")
    with pytest.raises(DatasetError, match="EXIF"):
        check_size((8, 6), 6, 8, "x")
    with pytest.raises(DatasetError, match="not a resized one"):
        check_size((60, 80), 6, 8, "x")


def test_the_first_name_that_is_found_counts(pictures: Pictures) -> None:
    part = Part(FILE, ["crack"], [described("x.png", "b.png"), described("a.png", "b.png")])
    data = gather("coco", pictures.root, [part], pictures)
    assert [sample.picture.name for sample in data.samples] == ["b.png", "a.png"]
    assert (data.labels, data.faults, data.notes) == (("crack",), (), ())


def test_what_has_no_name_is_a_fault(pictures: Pictures) -> None:
    (fault,) = gather("coco", pictures.root, [Part(FILE, [], [described()])], pictures).faults
    assert fault == ("some.json: 1", "does not name its picture: export it again")


def test_what_was_passed_over_is_counted_over_all_files(pictures: Pictures) -> None:
    shape = Shape("a", "1", SQUARE)
    parts = [
        Part(FILE, [], [described("a.png", shapes=(shape,), boxes=2)]),
        Part(Path("other.json"), [], [described("b.png", shapes=(shape,), boxes=1, points=4)], notes=["mind this"]),
    ]
    notes = gather("coco", pictures.root, parts, pictures).notes
    assert notes == ("mind this", "3 boxes, 4 points were passed over: they are no masks")
