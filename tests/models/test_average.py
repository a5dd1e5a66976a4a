"""Averages of weights."""

from __future__ import annotations

import torch

from models.average import Average


def test_an_average_of_equal_weights_is_those_weights() -> None:
    net = torch.nn.Linear(3, 2)
    average = Average(0.9)
    for _ in range(5):
        average.update(net)
    assert torch.allclose(average.weights["weight"], net.weight)


def test_an_average_follows_slowly() -> None:
    net = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.zeros_(net.weight)
    average = Average(0.9)
    average.update(net)
    torch.nn.init.ones_(net.weight)
    average.update(net)  # early on the decay is 2 / 12: the beginning is soon forgotten
    assert average.weights["weight"].item() == torch.tensor(1 - 2 / 12).item()


def test_counts_are_taken_as_they_are() -> None:
    net = torch.nn.BatchNorm1d(2)
    average = Average(0.9)
    average.update(net)
    net(torch.randn(4, 2))
    average.update(net)
    assert average.weights["num_batches_tracked"] == 1
