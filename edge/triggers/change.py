"""Change: the picture itself tells that something moved, or that a part arrived and lies still."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np

from edge.pictures.image import grey
from edge.triggers import Demand

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.camera_config import ChangeTrigger
    from edge.pictures.image import Image
    from edge.triggers import Place

_SIZE = (96, 72)
_STILL = 2
"""Pictures in a row that must look alike before a part lies still."""
_FORGET = 0.02
"""Share by which the empty scene follows slow changes of light, per picture."""


class Change:
    """Compares small grey pictures: with the one before, and with the scene as it is when nothing lies there."""

    def __init__(self, config: ChangeTrigger) -> None:
        self._config = config
        self._empty: NDArray[np.float32] | None = None
        self._last: NDArray[np.float32] | None = None
        self._still = 0
        self._taken = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._empty = self._last = None

    def ask(self, picture: Image | None, now_mono_s: float) -> Demand:
        del now_mono_s
        if picture is None:
            return Demand()
        small = grey(picture, *_SIZE)
        last, self._last = self._last, small
        if last is None or self._empty is None:
            self._empty = small
            return Demand()
        moving = self._differ(small, last)
        if self._config.on == "moved":
            return Demand(wanted=moving)
        self._still = 0 if moving else self._still + 1
        if not self._differ(small, self._empty):
            self._taken = False
            self._empty = (1 - _FORGET) * self._empty + _FORGET * small
            return Demand()
        wanted = self._still >= _STILL and not self._taken
        self._taken |= wanted
        return Demand(wanted=wanted)

    def _differ(self, one: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
        return float(np.mean(np.abs(one - other) > self._config.threshold)) > self._config.share


def create(config: ChangeTrigger, place: Place) -> Change:
    """Make the trigger."""
    del place
    return Change(config)
