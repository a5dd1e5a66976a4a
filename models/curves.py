"""Curves: loss, learning rate and scores for TensorBoard, where a recipe asks for them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from edge.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    Draw = Callable[[int, Mapping[str, float]], None]
    """Takes an epoch and its values by name."""


@contextlib.contextmanager
def curves(folder: Path | None) -> Iterator[Draw]:
    """Write event files into `folder`, or nothing without one. Raises ConfigError: the package is missing."""
    if folder is None:
        yield lambda _epoch, _values: None
        return
    try:
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - an extra, asked for by the recipe alone
    except ImportError as error:
        raise ConfigError(
            "train.tensorboard: the package is missing: pip install 'edgeloupe[tensorboard]', or set it to false"
        ) from error

    with SummaryWriter(str(folder)) as writer:

        def draw(epoch: int, values: Mapping[str, float]) -> None:
            for name, value in values.items():
                writer.add_scalar(name, value, epoch)

        yield draw
