"""A runtime without a network, for tests: bright red pixels are class 1, everything else class 0."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import cv2
import numpy as np

from edge.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from edge.mask import Plane
    from edge.picture import Picture


class Scripted:
    """Finds red at half the input size; a pure magenta picture makes it fail, as a broken network would."""

    def __init__(self, model: Path) -> None:
        self._model = model

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        return

    def infer(self, picture: Picture) -> tuple[Plane, Plane]:
        if np.array_equal(np.median(picture, axis=(0, 1)), [255, 0, 255]):
            raise ModelError(f"{self._model}: inference failed: scripted fault")
        small = cv2.resize(picture, (picture.shape[1] // 2, picture.shape[0] // 2), interpolation=cv2.INTER_AREA)
        blue, green, red = (small[:, :, i].astype(np.int16) for i in range(3))
        redness = np.clip(red - np.maximum(blue, green), 0, 255)
        return (redness > 127).astype(np.uint8), np.maximum(redness, 255 - redness).astype(np.uint8)


def create(model: Path, threads: int, lanes: int) -> Scripted:
    """Make the runtime; the model file is not read."""
    del threads, lanes
    return Scripted(model)
