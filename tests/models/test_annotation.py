"""Annotation: labels find their classes, and marks are painted in their order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import DatasetError
from models.annotation import BINARY, IGNORE, Mark, class_index, colour_label, draw, slug
from models.recipe import ClassSpec

CLASSES = (
    ClassSpec(name="good", colour=(0, 0, 0)),
    ClassSpec(name="ac-climate", labels=("Klima",), colour=(0, 176, 0)),
    ClassSpec(name="hole", index=9),
)


def mark(label: str, rows: slice, *, is_object: bool = True, ignored: bool = False) -> Mark:
    pixels = np.zeros((4, 3), bool)
    pixels[rows] = True
    return Mark(label, pixels, is_object, ignored)


@pytest.mark.parametrize(
    ("label", "name"), [("AC Climate", "ac-climate"), ("Riß/2", "ri-2"), ("", "class"), ("...", "class")]
)
def test_a_label_becomes_a_class_name(label: str, name: str) -> None:
    assert slug(label) == name


@pytest.mark.parametrize(
    ("label", "index"),
    [
        ("good", 0),
        ("AC Climate", 1),
        ("Klima", 1),
        ("klima", None),
        ("#00b000", 1),
        ("#00b001", None),
        ("0", 0),
        ("1", 1),
        ("2", None),
        ("9", 2),
        (BINARY, None),
        ("9" * 5000, None),
    ],
)
def test_a_class_claims_by_name_label_colour_or_value(label: str, index: int | None) -> None:
    assert class_index(label, CLASSES) == index


def test_the_marked_part_of_black_and_white_is_the_second_of_two_classes() -> None:
    assert class_index(BINARY, CLASSES[:2]) == 1


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_a_colour_is_claimed_by_its_class(rgb: tuple[int, int, int]) -> None:
    assert class_index(colour_label(rgb), (ClassSpec(name="good"), ClassSpec(name="part", colour=rgb))) == 1


def test_later_marks_lie_over_earlier_ones() -> None:
    marks = [mark("AC Climate", slice(0, 3)), mark("hole", slice(2, 4))]
    planes = draw(marks, CLASSES, 4, 3, "x")
    assert planes.classes[:, 0].tolist() == [1, 1, 2, 2]
    assert planes.objects[:, 0].tolist() == [1, 1, 2, 2]


def test_what_is_good_wipes_out_what_lies_below() -> None:
    planes = draw([mark("hole", slice(0, 4)), mark("good", slice(1, 2))], CLASSES, 4, 3, "x")
    assert planes.classes[:, 0].tolist() == [2, 0, 2, 2]
    assert planes.objects[:, 0].tolist() == [1, 0, 1, 1]


def test_what_is_ignored_is_no_object_and_needs_no_class() -> None:
    planes = draw([mark("hole", slice(0, 4)), mark("whatever", slice(1, 2), ignored=True)], CLASSES, 4, 3, "x")
    assert planes.classes[:, 0].tolist() == [2, IGNORE, 2, 2]
    assert planes.objects[:, 0].tolist() == [1, 0, 1, 1]


def test_pixels_of_a_class_are_no_object() -> None:
    planes = draw([mark("hole", slice(0, 4), is_object=False)], CLASSES, 4, 3, "x")
    assert not planes.objects.any()


def test_a_label_that_no_class_claims_is_named_with_the_nearest_class() -> None:
    with pytest.raises(DatasetError, match=r"x: no class .* 'holes': did you mean the class 'hole'\? Then add it"):
        draw([mark("holes", slice(0, 1))], CLASSES, 4, 3, "x")


def test_an_endless_label_gives_a_short_error() -> None:
    with pytest.raises(DatasetError) as error:
        draw([mark("z" * 100_000, slice(0, 1))], CLASSES, 4, 3, "x")
    assert len(str(error.value)) < 300


def test_run_lengths_and_pixels_are_the_same_mark() -> None:
    dense = mark("hole", slice(1, 3))
    packed = dense._replace(pixels=dense.runs())
    assert packed.runs() == dense.runs()
    assert np.array_equal(packed.inside(), dense.inside())
