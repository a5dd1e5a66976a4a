"""Detector: a float ONNX model of objects, run by ONNX Runtime and read by its architecture's own decoder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import onnxruntime

from edge.errors import ModelError
from edge.pictures.prepare import prepare
from models import archs
from quantize.measure import View

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.picture import Picture
    from models.card import ModelCard

TASKS = ("instance", "panoptic")


class Detector:
    """Finds objects in pictures of any size."""

    def __init__(self, path: Path, card: ModelCard, threads: int) -> None:
        self._path, self._card = path, card
        name = card.arch.partition(" ")[0]
        try:
            self._network = archs.build(name, len(card.classes))  # its weights stay unused: only its decoder is
        except ValueError as error:
            raise ModelError(f"{path}: {error}: use the edgeloupe that exported it") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its errors share no root but Exception
            raise ModelError(f"{path}: ONNX Runtime refuses it: {str(error).splitlines()[0]}") from error

    def __call__(self, picture: Picture) -> View:
        """Find the objects in one picture, (H, W, 3) uint8 BGR. Raises ModelError."""
        given = {self._session.get_inputs()[0].name: self._normalised(picture)}
        try:
            outputs = self._session.run(list(self._network.outputs), given)
        except Exception as error:  # its errors share no root but Exception
            raise ModelError(f"{self._path}: inference failed: {str(error).splitlines()[0]}") from error
        seen = self._network.decode(outputs)
        size = picture.shape[1], picture.shape[0]
        objects = (one._replace(mask=_enlarged(one.mask.view(np.uint8), size) > 0) for one in seen.objects)
        return View(classes=_enlarged(seen.classes, size), objects=tuple(objects))

    def _normalised(self, picture: Picture) -> NDArray[np.float32]:
        asked = self._card.input
        small = prepare(picture, asked.width, asked.height)
        ordered = small[..., ::-1] if asked.colour_order == "RGB" else small
        normal = (ordered - np.array(asked.mean, np.float32)) / np.array(asked.std, np.float32)
        return np.ascontiguousarray(normal.transpose(2, 0, 1)[None], np.float32)


def _enlarged(plane: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)
