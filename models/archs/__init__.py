"""Architectures by name; each module has `build(classes, **options)` and every other file here is one of them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

NAMES = ("loupenet",)


def build(name: str, classes: int, **options: float) -> nn.Module:
    """Build architecture `name` for `classes` classes.

    The module takes (N, 3, H, W) float32, RGB, normalised, and gives logits (N, classes, H / s, W / s) float32
    at its own output stride s.

    Raises:
        ValueError: `name` is not one of `NAMES`.
    """
    if name not in NAMES:
        raise ValueError(f"architecture {name!r}: must be one of {', '.join(NAMES)}")
    module: nn.Module = import_module(f"models.archs.{name}").build(classes, **options)
    return module
