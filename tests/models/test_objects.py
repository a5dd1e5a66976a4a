"""Objects: numbered ones are taken as they are, blobs where nobody numbered any."""

from __future__ import annotations

import pytest
import torch

from models.annotation import IGNORE
from models.objects import LIMIT, objects_of


def planes(rows: list[str]) -> torch.Tensor:
    return torch.tensor([[IGNORE if mark == "?" else int(mark) for mark in row] for row in rows], dtype=torch.uint8)


def test_numbered_objects_come_largest_first_with_class_and_box() -> None:
    classes = planes(["0111", "0111", "2200", "0000"])
    numbers = planes(["0779", "0779", "3300", "0000"]).int()
    found = objects_of(classes, numbers)
    assert found.numbers.tolist() == [7, 3, 9]
    assert found.labels.tolist() == [1, 2, 1]
    assert found.boxes.tolist() == [[0.25, 0, 0.75, 0.5], [0, 0.5, 0.5, 0.75], [0.75, 0, 1, 0.5]]
    assert found.plane is numbers


def test_blobs_of_a_class_are_objects_where_none_is_numbered() -> None:
    classes = planes(["1100", "0010", "2?01", "2?01"])
    found = objects_of(classes, torch.zeros(4, 4, dtype=torch.int32))
    marked = [(label, int((found.plane == n).sum())) for n, label in zip(found.numbers, found.labels, strict=True)]
    assert marked == [(1, 5), (2, 2)]  # corners touch
    assert found.boxes[0].tolist() == [0, 0, 1, 1]
    assert found.boxes[1].tolist() == pytest.approx([0, 0.5, 0.25, 1])
    assert not found.plane[classes == IGNORE].any()


@pytest.mark.parametrize("mark", ["0", "?"])
def test_background_and_the_unknown_are_no_objects(mark: str) -> None:
    classes = planes([mark * 4] * 3)
    for numbers in (0, 5):
        found = objects_of(classes, torch.full((3, 4), numbers, dtype=torch.int32))
        assert len(found.numbers) == len(found.labels) == 0
        assert found.boxes.shape == (0, 4)


def test_only_the_largest_are_learned_from() -> None:
    classes = torch.zeros(64, 64, dtype=torch.uint8)
    classes[::4, ::4] = 1
    classes[40, 40:42] = 2
    found = objects_of(classes, torch.zeros(64, 64, dtype=torch.int32))
    assert len(found.numbers) == LIMIT
    assert found.labels[0] == 2
