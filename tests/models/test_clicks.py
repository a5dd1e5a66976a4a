"""Clicks: where they go, and how answers are scored."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch

from models.archs import Network, Seen, SeenObject, Task
from models.clicks import click_through, middle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor


class _Square(Network):
    """Answers every click with the square of 8 by 8 pixels it lies in, at half the picture's size."""

    task: ClassVar[Task] = "promptable"

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[float, float]] = []

    def example(self, height: int, width: int) -> tuple[Tensor, ...]:
        return torch.zeros(1, 3, height, width), torch.zeros(1, 2, 2), torch.tensor([[1, -1]], dtype=torch.int32)

    def forward(self, picture: Tensor, points: Tensor, labels: Tensor) -> tuple[Tensor]:
        assert labels.tolist() == [[1, -1]]
        x, y = points[0, 0].tolist()
        self.asked.append((x, y))
        logits = torch.full((1, 1, picture.shape[2] // 2, picture.shape[3] // 2), -1.0)
        logits[0, 0, int(y) // 8 * 4 : int(y) // 8 * 4 + 4, int(x) // 8 * 4 : int(x) // 8 * 4 + 4] = 1
        return (logits,)

    def decode(self, outputs: Sequence[NDArray[np.float32]]) -> Seen:
        mask = outputs[0][0, 0] > 0
        return Seen(mask.astype(np.uint8), (SeenObject(1, 1.0, mask),))


def test_every_object_is_clicked_on_once_and_its_answer_gets_its_class() -> None:
    truth = np.zeros((32, 48), np.uint8)
    truth[9:15, 9:15] = 2
    truth[1:7, 33:39] = 1
    net = _Square()
    seen = click_through(net, torch.zeros(1, 3, 32, 48), truth)
    assert len(net.asked) == 2
    assert (seen[8:16, 8:16] == 2).all()
    assert (seen[0:8, 32:40] == 1).all()
    assert (seen > 0).sum() == 2 * 64


def test_a_picture_without_objects_is_not_asked_about() -> None:
    net = _Square()
    assert not click_through(net, torch.zeros(1, 3, 32, 48), np.zeros((32, 48), np.uint8)).any()
    assert net.asked == []


def test_the_middle_of_a_ring_lies_on_it() -> None:
    inside = np.zeros((20, 30), bool)
    inside[2:18, 2:18] = True
    inside[5:15, 5:15] = False
    x, y = middle(inside)
    assert inside[y, x]


def test_the_pictures_border_bounds_an_object_too() -> None:
    inside = np.zeros((20, 30), bool)
    inside[:, :11] = True
    assert middle(inside)[0] == 5
