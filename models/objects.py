"""Objects: what the planes of a picture's truth say about each object on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
import torch

from models.annotation import IGNORE

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

LIMIT = 100
"""Objects of one picture that are learned from, the largest; COCO scores as many."""


class Objects(NamedTuple):
    """The objects on one picture, the largest first."""

    numbers: Tensor  # (n,) int32, as they stand in the plane
    labels: Tensor  # (n,) int64, class indices from 1
    boxes: Tensor  # (n, 4) float32, x0, y0, x1, y1 as shares of the width and the height
    plane: Tensor  # (H, W) int32, the number of the object each pixel belongs to, 0 is none


def objects_of(classes: Tensor, objects: Tensor) -> Objects:
    """List the objects on one picture; where nobody numbered any, the connected blobs of a class are the objects.

    Args:
        classes: (H, W) uint8, class indices, `IGNORE` where nobody knows.
        objects: (H, W) int32, numbers of objects from 1, 0 where there is none.
    """
    plane = objects if objects.any() else torch.from_numpy(number_blobs(classes.cpu().numpy())).to(objects.device)
    numbers, place, areas = plane.unique(  # type: ignore[no-untyped-call] # torch leaves it untyped
        return_inverse=True, return_counts=True
    )
    rows, columns = torch.meshgrid(*(torch.arange(n, device=plane.device) for n in plane.shape), indexing="ij")

    def extreme(values: Tensor, reduce: str) -> Tensor:
        start = values.new_zeros(len(numbers))
        return start.scatter_reduce(0, place.flatten(), values.flatten(), reduce, include_self=False)

    labels = extreme(classes.long(), "amin")
    height, width = plane.shape
    boxes = [
        extreme(columns, "amin") / width,
        extreme(rows, "amin") / height,
        (extreme(columns, "amax") + 1) / width,
        (extreme(rows, "amax") + 1) / height,
    ]
    order = areas.argsort(descending=True, stable=True)
    order = order[(numbers[order] > 0) & (labels[order] != 0) & (labels[order] != IGNORE)][:LIMIT]
    return Objects(numbers[order], labels[order], torch.stack(boxes, dim=1)[order], plane)


def number_blobs(classes: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Number the connected blobs of every class but the first, corners touching; (H, W) as `classes`."""
    plane = np.zeros(classes.shape, np.int32)
    for index in set(np.unique(classes).tolist()) - {0, IGNORE}:
        inside = classes == index
        _, numbers = cv2.connectedComponents(inside.astype(np.uint8), connectivity=8, ltype=cv2.CV_32S)
        plane[inside] = numbers[inside] + plane.max()
    return plane
