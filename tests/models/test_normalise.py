"""Pictures as a network takes them."""

from __future__ import annotations

import torch

from models.normalise import normalise
from models.recipe import InputSpec


def test_colours_are_turned_round_and_centred() -> None:
    spec = InputSpec(width=32, height=32, mean=(100, 50, 10), std=(10, 5, 1))
    given = torch.tensor([11, 60, 130], dtype=torch.uint8).expand(1, 2, 4, 3)  # blue, green, red
    result = normalise(given, spec)
    assert result.shape == (1, 3, 2, 4)
    assert result[0, :, 0, 0].tolist() == [3.0, 2.0, 1.0]
    assert result.is_contiguous(memory_format=torch.channels_last)
    assert normalise(given, spec, torch.contiguous_format).is_contiguous()
