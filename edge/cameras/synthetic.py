"""A scripted camera for tests and rehearsals: `synthetic:plain,red,dark,stall` shows those pictures in turn."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Self

import numpy as np

from edge.errors import CameraError

if TYPE_CHECKING:
    from edge.frame import Picture

_HEIGHT, _WIDTH = 240, 320
_COLOURS = {"plain": (128, 128, 128), "dark": (0, 0, 0), "bright": (255, 255, 255), "fault": (255, 0, 255)}


class Synthetic:
    """Plays a script word by word.

    `plain` grey, `red` grey with a red square, `dark`, `bright`, `fault` (magenta), `same` (the last one again);
    `unplug` fails to read, `stall` never returns, `crash` ends the process. Sensor noise is added to all but `same`.
    """

    simulated = False

    def __init__(self, script: str, *, loop: bool) -> None:
        self._words = script.split(",")
        self._loop = loop
        self._at = 0
        self._noise = np.random.default_rng(1)
        self._last: Picture = np.zeros((_HEIGHT, _WIDTH, 3), np.uint8)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        return

    def read(self) -> Picture | None:
        if self._at >= len(self._words):
            if not self._loop:
                return None
            self._at = 0
        word = self._words[self._at]
        self._at += 1
        if word == "unplug":
            raise CameraError(f"synthetic:{word}: the script unplugs the camera here")
        if word == "crash":
            os._exit(1)
        while word == "stall":
            time.sleep(1)
        if word != "same":
            self._last = self._draw(word)
        return self._last

    def _draw(self, word: str) -> Picture:
        colour = _COLOURS.get("plain" if word == "red" else word)
        if colour is None:
            raise CameraError(f"synthetic:{word}: no such scene: use plain, red, dark, bright, fault or same")
        picture = np.full((_HEIGHT, _WIDTH, 3), colour, np.int16)
        if word == "red":
            picture[80:140, 100:180] = (0, 0, 255)
        if word != "fault":
            picture += self._noise.integers(-2, 3, picture.shape, np.int16)
        return np.clip(picture, 0, 255).astype(np.uint8)


def create(rest: str, *, loop: bool) -> Synthetic:
    """Make the camera for a script of words."""
    return Synthetic(rest, loop=loop)
