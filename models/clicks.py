"""Clicks: how a promptable network is scored: one click in the middle of every object, and what it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from torch.nn import functional

from models.objects import objects_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from models.archs import Network


@torch.no_grad()
def click_through(net: Network, picture: Tensor, truth: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Give each object's class to the pixels that the network answers with, smaller objects over larger ones.

    Args:
        net: a promptable network.
        picture: (1, 3, H, W) float32, normalised RGB.
        truth: (H, W), class indices; the connected blobs of a class are its objects.
    """
    classes = torch.from_numpy(truth)
    found = objects_of(classes, torch.zeros_like(classes, dtype=torch.int32))
    seen = np.zeros_like(truth)
    _, points, labels = net.example(*truth.shape)  # its first place for a click is a click on the object
    for number, label in zip(found.numbers.tolist(), found.labels.tolist(), strict=True):
        points[0, 0] = torch.tensor(middle((found.plane == number).numpy()))
        outputs = net(picture, points.to(picture.device), labels.to(picture.device))
        mask = torch.from_numpy(net.decode([value.cpu().numpy() for value in outputs]).classes)
        full = functional.interpolate(mask[None, None], truth.shape, mode="nearest-exact")[0, 0]
        seen[full.numpy() > 0] = label
    return seen


def middle(inside: NDArray[np.bool_]) -> tuple[int, int]:
    """Give x and y of the pixel that lies deepest in a mask."""
    framed = np.pad(inside.astype(np.uint8), 1)  # the picture's border bounds the object too
    depth = np.asarray(cv2.distanceTransform(framed, cv2.DIST_L2, 3))[1:-1, 1:-1]
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return int(x), int(y)
